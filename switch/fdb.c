/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: fdb_lookup() and fdb_learn() of a known address; see switch/fdb.h.
 */
#include "switch/fdb.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <rte_pause.h>

#include "switch/switch.h"

#define STATIC_BIT 0x8000u
#define PORT_OF(v) ((v) & (STATIC_BIT - 1))

/* Workers read the clock once a round; one that lost its CPU meanwhile is that much behind. */
#define CLOCK_SKEW_S 60

/* seq: bit 0 a writer is in the bucket, bit 1 keys of this bucket were put in their second one,
 * from bit 2 on the version. */
#define SEQ_LOCKED   1u
#define SEQ_OVERFLOW 2u
#define SEQ_STEP     4u

struct bucket {
	_Atomic uint32_t seq;
	_Atomic uint16_t port[FDB_WAYS];  /* with STATIC_BIT */
	_Atomic uint16_t stamp[FDB_WAYS]; /* second of the last sight, modulo 2^16 */
	_Atomic uint64_t key[FDB_WAYS];	  /* 0: free */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct bucket) == 64, "one cache line");

struct fdb {
	struct bucket *buckets;
	uint64_t mask;
	_Atomic uint32_t ageing_s;
	uint32_t max_macs;
	size_t size_bytes;
	_Atomic uint32_t n_entries;
	_Atomic uint64_t n_full, n_evicted;
	_Atomic uint32_t n_port[SWITCH_PORTS_MAX]; /* entries held, for fairness */
	_Atomic uint32_t n_holders;		   /* ports that hold any */
};

#define relaxed_load(p)	    atomic_load_explicit(p, memory_order_relaxed)
#define relaxed_store(p, v) atomic_store_explicit(p, v, memory_order_relaxed)
#define relaxed_add(p, v)   atomic_fetch_add_explicit(p, v, memory_order_relaxed)

uint64_t fdb_secret[3];

int fdb_create(uint32_t max_macs, uint32_t ageing_s, struct fdb **out)
{
	struct fdb *t = calloc(1, sizeof(*t));
	uint64_t n = 16;

	if (!t)
		return -ENOMEM;
	while (!fdb_secret[1])
		if (getrandom(fdb_secret, sizeof(fdb_secret), 0) == sizeof(fdb_secret))
			fdb_secret[1] |= 1;
	/* Load 0.4 at max_macs: two of five ways, so that second buckets stay rare. */
	while (n * 2 < max_macs)
		n *= 2;
	t->mask = n - 1;
	t->max_macs = max_macs;
	t->ageing_s = ageing_s;
	t->size_bytes = n * sizeof(struct bucket);
	t->buckets = mmap(NULL, t->size_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->buckets == MAP_FAILED) {
		free(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

void fdb_destroy(struct fdb *t)
{
	if (!t)
		return;
	munmap(t->buckets, t->size_bytes);
	free(t);
}

static inline struct bucket *first_bucket(const struct fdb *t, uint64_t hash)
{
	return &t->buckets[hash & t->mask];
}

static inline struct bucket *second_bucket(const struct fdb *t, uint64_t hash)
{
	uint64_t i = (hash >> 32) & t->mask;

	/* Never the first one again. */
	return &t->buckets[i == (hash & t->mask) ? i ^ 1 : i];
}

void fdb_prefetch(const struct fdb *t, uint64_t hash)
{
	__builtin_prefetch(first_bucket(t, hash));
}

/* Seconds since stamp; 0 where another worker's clock, which was ahead of this one, has set it. */
static inline uint16_t age_of(uint16_t stamp, uint32_t now_s)
{
	uint16_t age = (uint16_t)(now_s - stamp);

	return age > UINT16_MAX - CLOCK_SKEW_S ? 0 : age;
}

static inline bool stamp_expired(const struct fdb *t, uint16_t stamp, uint32_t now_s)
{
	return age_of(stamp, now_s) > relaxed_load(&t->ageing_s);
}

static inline int way_of(const struct bucket *b, uint64_t key)
{
	for (int i = 0; i < FDB_WAYS; i++)
		if (relaxed_load(&b->key[i]) == key)
			return i;
	return -1;
}

/* One bucket's answer under its sequence word; *overflow tells whether to look in the second. */
static inline uint16_t bucket_lookup(const struct fdb *t, const struct bucket *b, uint64_t key,
				     uint32_t now_s, bool *overflow)
{
	for (;;) {
		uint32_t seq = atomic_load_explicit(&b->seq, memory_order_acquire);
		uint16_t port = FDB_NO_PORT, stamp = 0;
		int i = way_of(b, key);

		if (i >= 0) {
			port = relaxed_load(&b->port[i]);
			stamp = relaxed_load(&b->stamp[i]);
		}
		atomic_thread_fence(memory_order_acquire);
		if (seq & SEQ_LOCKED || relaxed_load(&b->seq) != seq)
			continue;
		*overflow = seq & SEQ_OVERFLOW;
		if (i < 0)
			return FDB_NO_PORT;
		*overflow = false;
		if (!(port & STATIC_BIT) && stamp_expired(t, stamp, now_s))
			return FDB_NO_PORT;
		return PORT_OF(port);
	}
}

uint16_t fdb_lookup(const struct fdb *t, uint64_t key, uint64_t hash, uint32_t now_s)
{
	bool overflow;
	uint16_t port = bucket_lookup(t, first_bucket(t, hash), key, now_s, &overflow);

	if (__builtin_expect(overflow, 0))
		port = bucket_lookup(t, second_bucket(t, hash), key, now_s, &overflow);
	return port;
}

static bool bucket_try_lock(struct bucket *b)
{
	uint32_t seq = relaxed_load(&b->seq);
	bool got = !(seq & SEQ_LOCKED) &&
		   atomic_compare_exchange_strong_explicit(&b->seq, &seq, seq | SEQ_LOCKED,
							   memory_order_acquire,
							   memory_order_relaxed);

	/* The lock bit must be seen before any change of the entries. */
	atomic_thread_fence(memory_order_seq_cst);
	return got;
}

static void bucket_unlock(struct bucket *b)
{
	uint32_t seq = relaxed_load(&b->seq);

	atomic_store_explicit(&b->seq, (seq & ~SEQ_LOCKED) + SEQ_STEP, memory_order_release);
}

static void port_gains(struct fdb *t, uint16_t port)
{
	if (relaxed_add(&t->n_port[PORT_OF(port)], 1) == 0)
		relaxed_add(&t->n_holders, 1);
}

static void port_loses(struct fdb *t, uint16_t port)
{
	if (relaxed_add(&t->n_port[PORT_OF(port)], -1) == 1)
		relaxed_add(&t->n_holders, -1);
}

static void way_clear(struct fdb *t, struct bucket *b, int i)
{
	port_loses(t, relaxed_load(&b->port[i]));
	relaxed_add(&t->n_entries, -1);
	relaxed_store(&b->key[i], 0);
}

static void way_set(struct fdb *t, struct bucket *b, int i, uint64_t key, uint16_t port,
		    uint32_t now_s)
{
	relaxed_store(&b->port[i], port);
	relaxed_store(&b->stamp[i], (uint16_t)now_s);
	relaxed_store(&b->key[i], key);
	port_gains(t, port);
	relaxed_add(&t->n_entries, 1);
}

static int free_way(struct fdb *t, struct bucket *b, uint32_t now_s)
{
	for (int i = 0; i < FDB_WAYS; i++) {
		if (!relaxed_load(&b->key[i]))
			return i;
		if (!(relaxed_load(&b->port[i]) & STATIC_BIT) &&
		    stamp_expired(t, relaxed_load(&b->stamp[i]), now_s)) {
			way_clear(t, b, i);
			return i;
		}
	}
	return -1;
}

/* Adds up in n[] how many learned entries each way's port has in the two buckets. */
static void ports_count(struct bucket *const b[2], uint16_t port[2 * FDB_WAYS],
			uint8_t n[2 * FDB_WAYS])
{
	for (int i = 0; i < 2 * FDB_WAYS; i++) {
		struct bucket *at = b[i / FDB_WAYS];

		port[i] = relaxed_load(&at->key[i % FDB_WAYS]) ?
				  relaxed_load(&at->port[i % FDB_WAYS]) : FDB_NO_PORT;
	}
	for (int i = 0; i < 2 * FDB_WAYS; i++) {
		n[i] = 0;
		for (int j = 0; j < 2 * FDB_WAYS; j++)
			n[i] += port[j] == port[i] && !(port[i] & STATIC_BIT);
	}
}

/* Makes room for learner in one of the two locked buckets, at the cost of a port that holds more than
 * `more` entries or (own) of itself; returns the way 0..2*FDB_WAYS-1 or -1. */
static int evict(struct fdb *t, struct bucket *const b[2], uint16_t learner, uint32_t more, bool own,
		 uint32_t now_s)
{
	uint16_t port[2 * FDB_WAYS], oldest = 0;
	uint8_t n[2 * FDB_WAYS];
	int best = -1;

	ports_count(b, port, n);
	for (int i = 0; i < 2 * FDB_WAYS; i++) {
		uint16_t age = age_of(relaxed_load(&b[i / FDB_WAYS]->stamp[i % FDB_WAYS]), now_s);

		if (port[i] & STATIC_BIT) /* FDB_NO_PORT has that bit too */
			continue;
		if (port[i] == learner ? !own : relaxed_load(&t->n_port[port[i]]) <= more)
			continue;
		if (best < 0 || n[i] > n[best] || (n[i] == n[best] && age > oldest)) {
			best = i;
			oldest = age;
		}
	}
	if (best >= 0) {
		way_clear(t, b[best / FDB_WAYS], best % FDB_WAYS);
		relaxed_add(&t->n_evicted, 1);
	}
	return best;
}

/* What each port may hold of a full table. */
static uint32_t fair_share(const struct fdb *t)
{
	uint32_t n = relaxed_load(&t->n_holders), share = n ? t->max_macs / n : t->max_macs;

	return share ? share : 1;
}

/* Both buckets are locked and key is in neither. */
static bool insert(struct fdb *t, struct bucket *const b[2], uint64_t key, uint16_t port,
		   uint32_t now_s)
{
	uint32_t mine = relaxed_load(&t->n_port[PORT_OF(port)]), share = fair_share(t);
	bool full = relaxed_load(&t->n_entries) >= t->max_macs, poor = mine < share;
	int at = -1;

	if (full)
		at = evict(t, b, PORT_OF(port), poor ? share : mine, !poor, now_s);
	/* A full table that has nothing to give up here still takes a port that holds little. */
	if (at < 0 && full && !poor && !(port & STATIC_BIT))
		return false;
	if (at < 0)
		at = free_way(t, b[0], now_s);
	if (at < 0 && (at = free_way(t, b[1], now_s)) >= 0)
		at += FDB_WAYS;
	if (at < 0)
		at = evict(t, b, PORT_OF(port), mine, true, now_s);
	if (at < 0)
		return false;
	if (at >= FDB_WAYS)
		relaxed_store(&b[0]->seq, relaxed_load(&b[0]->seq) | SEQ_OVERFLOW);
	way_set(t, b[at / FDB_WAYS], at % FDB_WAYS, key, port, now_s);
	return true;
}

static void way_move(struct fdb *t, struct bucket *b, int i, uint16_t port, uint32_t now_s)
{
	port_gains(t, port);
	port_loses(t, relaxed_load(&b->port[i]));
	relaxed_store(&b->port[i], port);
	relaxed_store(&b->stamp[i], (uint16_t)now_s);
}

/* New here, or moved: the rare half of learning. */
static void learn_slow(struct fdb *t, uint64_t key, uint64_t hash, uint16_t port, uint32_t now_s)
{
	struct bucket *b[2] = {first_bucket(t, hash), second_bucket(t, hash)};
	bool done = false;

	if (!bucket_try_lock(b[0]))
		return;
	if (!bucket_try_lock(b[1])) {
		bucket_unlock(b[0]);
		return;
	}
	for (int k = 0; k < 2 && !done; k++) {
		int i = way_of(b[k], key);

		if (i < 0)
			continue;
		done = true;
		if (!(relaxed_load(&b[k]->port[i]) & STATIC_BIT))
			way_move(t, b[k], i, port, now_s);
	}
	if (!done && !insert(t, b, key, port, now_s))
		relaxed_add(&t->n_full, 1);
	bucket_unlock(b[1]);
	bucket_unlock(b[0]);
}

/* True when key is in b on this port (or static, which nothing moves); refreshes its stamp. */
static inline bool refresh(struct bucket *b, uint64_t key, uint16_t port, uint32_t now_s)
{
	int i = way_of(b, key);
	uint16_t p;

	if (i < 0)
		return false;
	p = relaxed_load(&b->port[i]);
	if (p & STATIC_BIT)
		return true;
	if (p != port)
		return false;
	/* Written once a second at most. A writer that replaces the entry meanwhile gets a fresh
	 * stamp for its new one, which is right as well. */
	if (relaxed_load(&b->stamp[i]) != (uint16_t)now_s)
		relaxed_store(&b->stamp[i], (uint16_t)now_s);
	return true;
}

void fdb_learn(struct fdb *t, uint64_t key, uint64_t hash, uint16_t port, uint32_t now_s)
{
	struct bucket *b = first_bucket(t, hash);

	if (__builtin_expect(refresh(b, key, port, now_s), 1))
		return;
	if (relaxed_load(&b->seq) & SEQ_OVERFLOW &&
	    refresh(second_bucket(t, hash), key, port, now_s))
		return;
	learn_slow(t, key, hash, port, now_s);
}

/* ---- control ---- */

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
	if (!insert(t, b, key, port | STATIC_BIT, now_s)) {
		/* An administrator's word counts more than what was learned. */
		for (int i = 0; i < 2 * FDB_WAYS; i++)
			if (!(relaxed_load(&b[i / FDB_WAYS]->port[i % FDB_WAYS]) & STATIC_BIT)) {
				way_clear(t, b[i / FDB_WAYS], i % FDB_WAYS);
				break;
			}
		if (!insert(t, b, key, port | STATIC_BIT, now_s))
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

/* True for buckets that no page holds entries of: not locking them keeps their pages untouched. */
static bool bucket_empty(const struct bucket *b)
{
	for (int i = 0; i < FDB_WAYS; i++)
		if (relaxed_load(&b->key[i]))
			return false;
	return true;
}

unsigned fdb_flush(struct fdb *t, uint16_t port, bool statics)
{
	unsigned n = 0;

	for (uint64_t at = 0; at <= t->mask; at++) {
		struct bucket *b = &t->buckets[at];

		if (bucket_empty(b))
			continue;
		bucket_lock(b);
		for (int i = 0; i < FDB_WAYS; i++) {
			uint16_t p = relaxed_load(&b->port[i]);

			if (!relaxed_load(&b->key[i]) || (p & STATIC_BIT && !statics) ||
			    (port != FDB_NO_PORT && PORT_OF(p) != port))
				continue;
			way_clear(t, b, i);
			n++;
		}
		bucket_unlock(b);
	}
	return n;
}

void fdb_sweep(struct fdb *t, uint64_t *at, uint64_t n_buckets, uint32_t now_s)
{
	for (; n_buckets > 0 && *at <= t->mask; n_buckets--, (*at)++) {
		struct bucket *b = &t->buckets[*at];

		if (bucket_empty(b) || !bucket_try_lock(b))
			continue;
		for (int i = 0; i < FDB_WAYS; i++)
			if (relaxed_load(&b->key[i]) &&
			    !(relaxed_load(&b->port[i]) & STATIC_BIT) &&
			    stamp_expired(t, relaxed_load(&b->stamp[i]), now_s))
				way_clear(t, b, i);
		bucket_unlock(b);
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

	for (unsigned left = 65536; left > 0 && *at <= t->mask && got + FDB_WAYS <= n; left--) {
		unsigned here = bucket_read(t, &t->buckets[(*at)++], entries, now_s);

		for (unsigned i = 0; i < here; i++)
			out[got++] = entries[i];
	}
	if (*at > t->mask)
		*at = 0;
	return got;
}

uint32_t fdb_n_entries(const struct fdb *t)
{
	return relaxed_load(&t->n_entries);
}

uint64_t fdb_n_full(const struct fdb *t)
{
	return relaxed_load(&t->n_full);
}

uint64_t fdb_n_evicted(const struct fdb *t)
{
	return relaxed_load(&t->n_evicted);
}
