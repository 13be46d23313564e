/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Control's part of the forwarding database: static entries, flush, sweep, reading it out. See
 * switch/fdb.h.
 */
#include "switch/fdb.h"

#include <errno.h>

#include <rte_pause.h>

#include "switch/fdb_write.h"

static void bucket_lock(struct bucket *b)
{
	/* A worker is in for some tens of instructions, unless it lost its CPU meanwhile. */
	while (!bucket_try_lock(b))
		rte_pause();
}

/* Locks both in one order for all who wait; workers never wait, so that no order of theirs matters. */
static void pair_lock(struct fdb *t, uint64_t hash, struct bucket *b[2])
{
	b[0] = first_bucket(t, hash);
	b[1] = second_bucket(t, hash);
	bucket_lock(b[0]);
	bucket_lock(b[1]);
}

static void pair_unlock(struct bucket *b[2])
{
	bucket_unlock(b[1]);
	bucket_unlock(b[0]);
}

void fdb_listen(struct fdb *t, struct fdb_listener *l)
{
	t->listener = l;
}

unsigned fdb_moves_take(struct fdb *t, struct fdb_move out[FDB_MOVES_KEPT], uint64_t *n_left_out)
{
	unsigned n;

	/* A worker holds it for a few instructions, and does not wait for us. */
	while (atomic_flag_test_and_set_explicit(&t->noting, memory_order_acquire))
		rte_pause();
	n = t->n_noted;
	for (unsigned i = 0; i < n; i++)
		out[i] = t->noted[i];
	t->n_noted = 0;
	atomic_flag_clear_explicit(&t->noting, memory_order_release);
	*n_left_out = relaxed_load(&t->n_left_out);
	return n;
}

void fdb_ageing_set(struct fdb *t, uint32_t ageing_s)
{
	relaxed_store(&t->ageing_s, ageing_s);
}

int fdb_add(struct fdb *t, uint64_t key, uint16_t port, uint32_t now_s)
{
	struct bucket *b[2];
	int rc = 0;

	pair_lock(t, fdb_hash(key), b);
	for (int k = 0; k < 2; k++) {
		int i = way_of(b[k], key);

		if (i >= 0)
			way_clear(t, b[k], i);
	}
	if (!fdb_insert(t, b, key, port | STATIC_BIT, now_s)) {
		/* An administrator's word counts more than what was learned. */
		for (int i = 0; i < 2 * FDB_WAYS; i++)
			if (!(relaxed_load(&b[i / FDB_WAYS]->port[i % FDB_WAYS]) & STATIC_BIT)) {
				way_clear(t, b[i / FDB_WAYS], i % FDB_WAYS);
				break;
			}
		if (!fdb_insert(t, b, key, port | STATIC_BIT, now_s))
			rc = -ENOSPC;
	}
	pair_unlock(b);
	return rc;
}

int fdb_del(struct fdb *t, uint64_t key)
{
	struct bucket *b[2];
	int rc = -ENOENT;

	pair_lock(t, fdb_hash(key), b);
	for (int k = 0; k < 2; k++) {
		int i = way_of(b[k], key);

		if (i >= 0) {
			way_clear(t, b[k], i);
			rc = 0;
		}
	}
	pair_unlock(b);
	return rc;
}

/* Without a lock: buckets that hold no entry need no page. Entries only move from the first to the second. */
static bool may_have(const struct fdb *t, uint64_t key)
{
	uint64_t hash = fdb_hash(key);

	return way_of(first_bucket(t, hash), key) >= 0 || way_of(second_bucket(t, hash), key) >= 0;
}

uint16_t fdb_static_port(struct fdb *t, uint64_t key)
{
	struct fdb_entry e;

	return may_have(t, key) && fdb_find(t, key, 0, &e) && e.is_static ? e.port : FDB_NO_PORT;
}

void fdb_disown(struct fdb *t, uint64_t key, uint16_t port)
{
	struct bucket *b[2];

	if (!may_have(t, key))
		return;
	pair_lock(t, fdb_hash(key), b);
	for (int k = 0; k < 2; k++) {
		int i = way_of(b[k], key);

		if (i >= 0 && relaxed_load(&b[k]->port[i]) != port)
			way_clear(t, b[k], i);
	}
	pair_unlock(b);
}

bool fdb_find(struct fdb *t, uint64_t key, uint32_t now_s, struct fdb_entry *out)
{
	struct bucket *b[2];
	bool found = false;

	pair_lock(t, fdb_hash(key), b);
	for (int k = 0; k < 2 && !found; k++) {
		int i = way_of(b[k], key);
		uint16_t port = i < 0 ? 0 : relaxed_load(&b[k]->port[i]);
		uint16_t stamp = i < 0 ? 0 : relaxed_load(&b[k]->stamp[i]);

		found = i >= 0 && (port & STATIC_BIT || !stamp_expired(t, stamp, now_s));
		*out = (struct fdb_entry){key, PORT_OF(port), port & STATIC_BIT, age_of(stamp, now_s)};
	}
	pair_unlock(b);
	return found;
}

static bool bucket_empty(const struct bucket *b)
{
	for (int i = 0; i < FDB_WAYS; i++)
		if (relaxed_load(&b->key[i]))
			return false;
	return true;
}

/* Drops the entries for which goes() says so of their port, with STATIC_BIT. Returns how many. */
static unsigned entries_drop(struct fdb *t, bool (*goes)(const void *arg, uint16_t port), const void *arg)
{
	unsigned n = 0;

	for (uint64_t at = 0; (at = fdb_page_next(t, at)) <= t->mask; at++) {
		struct bucket *b = &t->buckets[at];

		if (bucket_empty(b))
			continue;
		bucket_lock(b);
		for (int i = 0; i < FDB_WAYS; i++) {
			if (!relaxed_load(&b->key[i]) || !goes(arg, relaxed_load(&b->port[i])))
				continue;
			way_clear(t, b, i);
			n++;
		}
		bucket_unlock(b);
	}
	return n;
}

struct flush {
	uint16_t port; /* or FDB_NO_PORT: all */
	bool statics;
};

static bool is_flushed(const void *arg, uint16_t port)
{
	const struct flush *f = arg;

	return (f->statics || !(port & STATIC_BIT)) && (f->port == FDB_NO_PORT || f->port == PORT_OF(port));
}

unsigned fdb_flush(struct fdb *t, uint16_t port, bool statics)
{
	const struct flush f = {port, statics};
	uint32_t before = relaxed_load(&t->n_displaced);
	unsigned n = entries_drop(t, is_flushed, &f);

	/* A learner may have moved an entry to a bucket that had been looked at. It is in its second one
	 * now, and is moved no more. */
	if (relaxed_load(&t->n_displaced) != before)
		n += entries_drop(t, is_flushed, &f);
	return n;
}

struct stay {
	bool (*there)(const void *arg, uint16_t port);
	const void *arg;
};

static bool is_gone(const void *arg, uint16_t port)
{
	const struct stay *stay = arg;

	return !stay->there(stay->arg, PORT_OF(port));
}

unsigned fdb_keep(struct fdb *t, bool (*there)(const void *arg, uint16_t port), const void *arg)
{
	return entries_drop(t, is_gone, &(struct stay){there, arg});
}

/* Drops what has expired in a locked bucket; returns the seconds until the next one does. */
static uint32_t bucket_sweep(struct fdb *t, struct bucket *b, uint32_t now_s)
{
	uint32_t ageing_s = relaxed_load(&t->ageing_s), next_s = UINT32_MAX;

	for (int i = 0; i < FDB_WAYS; i++) {
		uint32_t age_s = age_of(relaxed_load(&b->stamp[i]), now_s);

		if (!relaxed_load(&b->key[i]) || relaxed_load(&b->port[i]) & STATIC_BIT)
			continue;
		if (age_s > ageing_s)
			way_clear(t, b, i);
		else if (ageing_s + 1 - age_s < next_s)
			next_s = ageing_s + 1 - age_s;
	}
	return next_s;
}

void fdb_sweep(struct fdb *t, uint64_t *at, uint64_t n_buckets, uint32_t now_s, uint32_t *next_s)
{
	for (; n_buckets > 0 && (*at = fdb_page_next(t, *at)) <= t->mask; n_buckets--, (*at)++) {
		struct bucket *b = &t->buckets[*at];
		uint32_t here_s = 0; /* a bucket that a worker is in has an address that is new */

		if (bucket_empty(b))
			continue;
		if (bucket_try_lock(b)) {
			here_s = bucket_sweep(t, b, now_s);
			bucket_unlock(b);
		}
		if (here_s < *next_s)
			*next_s = here_s;
	}
	if (*at > t->mask)
		*at = 0;
}

/* Copies a bucket as it was at one moment; returns its live entries. */
static unsigned bucket_read(const struct fdb *t, const struct bucket *b, struct fdb_entry *out,
			    uint32_t now_s)
{
	for (;;) {
		uint32_t seq = atomic_load_explicit(&b->seq, memory_order_acquire);
		unsigned n = 0;

		for (int i = 0; i < FDB_WAYS; i++) {
			uint16_t port = relaxed_load(&b->port[i]);
			uint16_t stamp = relaxed_load(&b->stamp[i]);
			bool is_static = port & STATIC_BIT;

			out[n].key = relaxed_load(&b->key[i]);
			out[n].port = PORT_OF(port);
			out[n].is_static = is_static;
			out[n].age_s = is_static ? 0 : age_of(stamp, now_s);
			if (out[n].key && (is_static || !stamp_expired(t, stamp, now_s)))
				n++;
		}
		atomic_thread_fence(memory_order_acquire);
		if (!(seq & SEQ_LOCKED) && relaxed_load(&b->seq) == seq)
			return n;
	}
}

unsigned fdb_read(const struct fdb *t, uint64_t *at, struct fdb_entry *out, unsigned n,
		  uint32_t now_s)
{
	struct fdb_entry entries[FDB_WAYS];
	unsigned got = 0;

	for (unsigned left = 65536; left > 0 && got + FDB_WAYS <= n; left--) {
		*at = fdb_page_next(t, *at);
		if (*at > t->mask)
			break;
		unsigned here = bucket_read(t, &t->buckets[(*at)++], entries, now_s);

		for (unsigned i = 0; i < here; i++)
			out[got++] = entries[i];
	}
	if (*at > t->mask)
		*at = 0;
	return got;
}

uint32_t fdb_n_of_port(const struct fdb *t, uint16_t port)
{
	return relaxed_load(&t->n_port[port]);
}

uint32_t fdb_n_entries(const struct fdb *t)
{
	return relaxed_load(&t->n_entries);
}

uint32_t fdb_n_learned(const struct fdb *t)
{
	return relaxed_load(&t->n_entries) - relaxed_load(&t->n_static);
}

uint64_t fdb_n_full(const struct fdb *t)
{
	return relaxed_load(&t->n_full);
}

uint64_t fdb_n_evicted(const struct fdb *t)
{
	return relaxed_load(&t->n_evicted);
}
