/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/fd_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/keeper/fd_box.h"
#include "control/keeper/service_manager.h"

#define BOXES	  (FD_STORE_SLOTS / FD_STORE_SLOTS_A_BOX)
#define NAME	  "lanyard"
#define PUSH_MAX  64   /* a message to systemd */
#define CLEAR_MS  1000 /* for it to hear that nothing is to be kept any more */

struct fd_store {
	struct service_manager manager;
	struct fd_box *boxes[BOXES];
	bool changed[FD_STORE_SLOTS];
	bool marked;   /* any of them */
	bool unpushed; /* a box that systemd does not have */
};

int fd_store_open(struct fd_store **out, struct err *err)
{
	struct fd_store *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	rc = service_manager_open(&s->manager, err);
	if (rc < 0)
		free(s);
	else
		*out = s;
	return rc;
}

void fd_store_close(struct fd_store *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < BOXES; i++)
		fd_box_free(s->boxes[i]);
	service_manager_close(&s->manager);
	free(s);
}

/* ---- what a predecessor left ---- */

/* What a keeper stores, and no more: whatever else it keeps is its own. */
static bool is_storable(struct keep_key key)
{
	if (key.slot >= FD_STORE_SLOTS || key.kind < KEEP_LISTEN || key.kind >= KEEP_KINDS)
		return false;
	return key.kind != KEEP_PROCESS || (!key.index && (key.slot == OWN_CONTROL || key.slot == OWN_LEDGER));
}

static unsigned parcel_take(struct fd_table *t, struct fd_parcel *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++) {
		struct keep_key key = {p->keys[i].kind, p->slot, p->keys[i].index};

		if (is_storable(key) && fd_table_put(t, key, p->fds[i]) == 0)
			n++;
		else if (!is_storable(key))
			close(p->fds[i]);
	}
	p->n = 0;
	return n;
}

struct loading {
	struct fd_store *store;
	struct fd_table *table;
	struct fd_store_past *past;
	unsigned n;
};

static void box_load(struct loading *l, struct fd_box *box)
{
	struct fd_parcel *parcels = calloc(FD_STORE_SLOTS_A_BOX, sizeof(*parcels));
	int first = parcels ? fd_box_read(box, parcels, FD_STORE_SLOTS, l->past) : -ENOMEM;
	struct fd_box **place = first < 0 ? NULL : &l->store->boxes[first / FD_STORE_SLOTS_A_BOX];

	if (!place || *place) {
		LOG_WARN("switch: the service manager handed back what this switch did not store: %s",
			 first < 0 ? strerror(-first) : "the same ports twice");
		for (unsigned i = 0; parcels && i < FD_STORE_SLOTS_A_BOX; i++)
			fd_parcel_close(&parcels[i]);
		fd_box_free(box);
		free(parcels);
		return;
	}
	*place = box;
	for (unsigned i = 0; i < FD_STORE_SLOTS_A_BOX; i++)
		l->n += parcel_take(l->table, &parcels[i]);
	free(parcels);
}

static void handed_load(void *arg, int fd, const char *name)
{
	struct fd_box *box = strcmp(name, NAME) == 0 ? fd_box_adopt(fd) : NULL;

	if (box) {
		box_load(arg, box);
		return;
	}
	LOG_WARN("switch: the service manager handed on descriptor \"%.60s\", which is none of ours: closed", name);
	close(fd);
}

unsigned fd_store_load(struct fd_store *s, struct fd_table *t, struct fd_store_past *past)
{
	struct loading l = {s, t, past, 0};

	memset(past, 0, sizeof(*past));
	service_manager_handed(&s->manager, handed_load, &l);
	/* Of a predecessor by exec(2), or boxes that nothing could be made of: ours take their place. */
	if (!l.n)
		fd_store_clear(s);
	return l.n;
}

/* ---- storing ---- */

void fd_store_mark(struct fd_store *s, uint16_t slot)
{
	if (slot >= FD_STORE_SLOTS) {
		LOG_WARN_RL("switch: what is kept under number %u is not stored with the service manager", slot);
		return;
	}
	s->changed[slot] = s->marked = true;
}

void fd_store_mark_all(struct fd_store *s, const struct fd_table *t)
{
	for (const struct fd_entry *e = fd_table_next(t, NULL); e; e = fd_table_next(t, e))
		fd_store_mark(s, fd_entry_key(e).slot);
}

static unsigned parcel_make(const struct fd_table *t, uint16_t slot, struct fd_parcel *p)
{
	const struct fd_entry *e = NULL;

	p->slot = slot;
	p->n = 0;
	while ((e = fd_table_next_of_slot(t, slot, e))) {
		struct keep_key key = fd_entry_key(e);

		if (!is_storable(key))
			continue;
		if (p->n == FD_STORE_A_SLOT) {
			LOG_WARN_RL("switch: more than %d descriptors of port %u: the rest is not stored with the "
				    "service manager",
				    FD_STORE_A_SLOT, slot);
			break;
		}
		p->keys[p->n].kind = key.kind;
		p->keys[p->n].index = key.index;
		p->fds[p->n++] = fd_entry_fd(e);
	}
	return p->n;
}

static int box_flush(struct fd_store *s, unsigned b, const struct fd_table *t, const struct fd_store_past *past)
{
	const unsigned first = b * FD_STORE_SLOTS_A_BOX;
	struct fd_parcel parcel;
	int rc = 0;

	if (!s->boxes[b]) {
		s->boxes[b] = fd_box_create((uint16_t)first);
		if (!s->boxes[b])
			return errno ? -errno : -ENOMEM;
		s->unpushed = true;
	}
	fd_box_begin(s->boxes[b]);
	for (unsigned i = 0; rc == 0 && i < FD_STORE_SLOTS_A_BOX; i++) {
		parcel_make(t, (uint16_t)(first + i), &parcel);
		rc = fd_box_write(s->boxes[b], &parcel, past);
	}
	fd_box_commit(s->boxes[b], rc == 0);
	return rc;
}

void fd_store_flush(struct fd_store *s, const struct fd_table *t, const struct fd_store_past *past,
		    void (*done)(void *arg, uint16_t slot), void *arg)
{
	if (!s->marked)
		return;
	s->marked = false;
	for (unsigned slot = 0; slot < FD_STORE_SLOTS; slot++) {
		const unsigned b = slot / FD_STORE_SLOTS_A_BOX, end = (b + 1) * FD_STORE_SLOTS_A_BOX;
		int rc;

		if (!s->changed[slot])
			continue;
		rc = box_flush(s, b, t, past);
		if (rc < 0)
			LOG_WARN_RL("switch: ports %u to %u cannot be stored with the service manager: %s",
				    b * FD_STORE_SLOTS_A_BOX, end - 1, strerror(-rc));
		for (slot = b * FD_STORE_SLOTS_A_BOX; slot < end; slot++) {
			if (s->changed[slot] && rc == 0)
				done(arg, (uint16_t)slot);
			s->changed[slot] = false;
		}
		slot--;
	}
	fd_store_push(s);
}

bool fd_store_push(struct fd_store *s)
{
	unsigned n = 0, which[PUSH_MAX];
	int fds[PUSH_MAX];

	for (unsigned b = 0; s->unpushed && b <= BOXES; b++) {
		if (b < BOXES && s->boxes[b] && !fd_box_is_stored(s->boxes[b])) {
			which[n] = b;
			fds[n++] = fd_box_fd(s->boxes[b]);
		}
		if (n < PUSH_MAX && b < BOXES)
			continue;
		if (n && service_manager_say(&s->manager, "FDSTORE=1\nFDNAME=" NAME "\nFDPOLL=0", fds, n, 0) < 0)
			return false;
		while (n)
			fd_box_stored(s->boxes[which[--n]]);
		if (b == BOXES)
			s->unpushed = false;
	}
	return true;
}

void fd_store_clear(struct fd_store *s)
{
	for (unsigned i = 0; i < BOXES; i++) {
		if (s->boxes[i])
			fd_box_empty(s->boxes[i]);
		fd_box_free(s->boxes[i]);
		s->boxes[i] = NULL;
	}
	memset(s->changed, 0, sizeof(s->changed));
	s->marked = s->unpushed = false;
	if (service_manager_say(&s->manager, "FDSTOREREMOVE=1\nFDNAME=" NAME, NULL, 0, CLEAR_MS) < 0)
		LOG_WARN("switch: the service manager does not hear that nothing is stored any more");
}
