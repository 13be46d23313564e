/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/fd_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/discard.h"

#define BUCKETS 4096 /* slots: each has few entries, and is dropped as a whole */

struct fd_entry {
	LIST_ENTRY(fd_entry) of_slot;
	TAILQ_ENTRY(fd_entry) of_all;
	struct keep_key key;
	int fd;
};

struct bucket {
	LIST_HEAD(, fd_entry) entries;
	struct discard *bin; /* NULL until something is closed */
};

struct fd_table {
	struct bucket buckets[BUCKETS];
	TAILQ_HEAD(fd_entries, fd_entry) all;
	unsigned n;
};

struct fd_table *fd_table_create(void)
{
	struct fd_table *t = calloc(1, sizeof(*t));

	if (t)
		TAILQ_INIT(&t->all);
	return t;
}

static struct fd_entry *find(const struct fd_table *t, struct keep_key key)
{
	struct fd_entry *e;

	LIST_FOREACH (e, &t->buckets[key.slot % BUCKETS].entries, of_slot)
		if (e->key.kind == key.kind && e->key.slot == key.slot && e->key.index == key.index)
			return e;
	return NULL;
}

static void let_go(struct fd_table *t, uint16_t slot, int fd)
{
	struct bucket *b = &t->buckets[slot % BUCKETS];

	if (!b->bin)
		b->bin = discard_create();
	discard_fd(b->bin, fd);
}

/* Gives its descriptor back. */
static int forget(struct fd_table *t, struct fd_entry *e)
{
	int fd = e->fd;

	LIST_REMOVE(e, of_slot);
	TAILQ_REMOVE(&t->all, e, of_all);
	t->n--;
	free(e);
	return fd;
}

void fd_table_destroy(struct fd_table *t)
{
	if (!t)
		return;
	fd_table_drop_kinds(t, ~0u);
	for (unsigned i = 0; i < BUCKETS; i++)
		if (t->buckets[i].bin)
			discard_destroy(t->buckets[i].bin);
	free(t);
}

int fd_table_put(struct fd_table *t, struct keep_key key, int fd)
{
	struct bucket *b = &t->buckets[key.slot % BUCKETS];
	struct fd_entry *e = find(t, key);
	int rc = 0;

	if (e) {
		let_go(t, key.slot, e->fd);
		e->fd = fd;
		return 0;
	}
	if (t->n >= FD_TABLE_MAX)
		rc = -ENOSPC;
	else if (b->bin && discard_pending(b->bin) >= FD_TABLE_CLOSING)
		rc = -EBUSY;
	else if (!(e = malloc(sizeof(*e))))
		rc = -ENOMEM;
	if (rc < 0) {
		let_go(t, key.slot, fd);
		return rc;
	}
	e->key = key;
	e->fd = fd;
	LIST_INSERT_HEAD(&b->entries, e, of_slot);
	TAILQ_INSERT_TAIL(&t->all, e, of_all);
	t->n++;
	return 0;
}

int fd_table_look(const struct fd_table *t, struct keep_key key)
{
	const struct fd_entry *e = find(t, key);

	return e ? e->fd : -1;
}

int fd_table_take(struct fd_table *t, struct keep_key key)
{
	struct fd_entry *e = find(t, key);

	return e ? forget(t, e) : -1;
}

void fd_table_drop(struct fd_table *t, struct keep_key key)
{
	int fd = fd_table_take(t, key);

	if (fd >= 0)
		let_go(t, key.slot, fd);
}

static bool is_of(const struct fd_entry *e, uint32_t kinds)
{
	return kinds >> e->key.kind & 1;
}

void fd_table_drop_slot(struct fd_table *t, uint16_t slot, uint32_t kinds)
{
	struct fd_entry *e, *next;

	for (e = LIST_FIRST(&t->buckets[slot % BUCKETS].entries); e; e = next) {
		next = LIST_NEXT(e, of_slot);
		if (e->key.slot == slot && is_of(e, kinds))
			let_go(t, slot, forget(t, e));
	}
}

void fd_table_drop_kinds(struct fd_table *t, uint32_t kinds)
{
	struct fd_entry *e, *next;

	for (e = TAILQ_FIRST(&t->all); e; e = next) {
		uint16_t slot = e->key.slot;

		next = TAILQ_NEXT(e, of_all);
		if (is_of(e, kinds))
			let_go(t, slot, forget(t, e));
	}
}

unsigned fd_table_n(const struct fd_table *t)
{
	return t->n;
}

const struct fd_entry *fd_table_next(const struct fd_table *t, const struct fd_entry *after)
{
	return after ? TAILQ_NEXT(after, of_all) : TAILQ_FIRST(&t->all);
}

const struct fd_entry *fd_table_next_of_slot(const struct fd_table *t, uint16_t slot, const struct fd_entry *after)
{
	const struct fd_entry *e = after ? LIST_NEXT(after, of_slot) : LIST_FIRST(&t->buckets[slot % BUCKETS].entries);

	while (e && e->key.slot != slot)
		e = LIST_NEXT(e, of_slot);
	return e;
}

struct keep_key fd_entry_key(const struct fd_entry *e)
{
	return e->key;
}

int fd_entry_fd(const struct fd_entry *e)
{
	return e->fd;
}
