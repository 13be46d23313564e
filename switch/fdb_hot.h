/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: the forwarding database's layout, and looking up and refreshing known addresses inline.
 * See switch/fdb.h; only switch/fdb*.c and switch/forward.c need this.
 */
#ifndef SWITCH_FDB_HOT_H
#define SWITCH_FDB_HOT_H

#include <stdatomic.h>
#include <stddef.h>

#include "switch/fdb.h"
#include "switch/switch.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

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
	_Atomic uint64_t key[FDB_WAYS];	  /* 0: free; first, so that four make an aligned vector */
	_Atomic uint32_t seq;
	_Atomic uint16_t port[FDB_WAYS];  /* with STATIC_BIT */
	_Atomic uint16_t stamp[FDB_WAYS]; /* second of the last sight, modulo 2^16 */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct bucket) == 64, "one cache line");

#define FDB_PAGE_BUCKETS 64 /* 4096 bytes */

struct fdb {
	struct bucket *buckets;
	uint64_t mask;
	_Atomic uint32_t ageing_s;
	_Atomic uint32_t moves; /* addresses that moved or went, so far */
	uint32_t max_macs;
	size_t size_bytes;
	_Atomic uint32_t n_entries, n_static;
	_Atomic uint64_t n_full, n_evicted;
	_Atomic uint32_t n_displaced; /* counted before the bucket that it left is unlocked */
	_Atomic uint32_t n_port[SWITCH_PORTS_MAX]; /* entries held, for fairness */
	_Atomic uint32_t n_holders;		   /* ports that hold any */
	/* Moves for the listener. Whoever holds noting writes; a worker that finds it taken only counts. */
	struct fdb_listener *listener;
	atomic_flag noting;
	unsigned n_noted;
	struct fdb_move noted[FDB_MOVES_KEPT];
	_Atomic uint64_t n_left_out;
	int fd; /* ctl; -1: closed */
	_Atomic uint8_t touched[]; /* one a page of buckets: anything was ever put in */
};

#define relaxed_load(p)	    atomic_load_explicit(p, memory_order_relaxed)
#define relaxed_store(p, v) atomic_store_explicit(p, v, memory_order_relaxed)
#define relaxed_add(p, v)   atomic_fetch_add_explicit(p, v, memory_order_relaxed)

/* Read before a look-up; as long as it stays, what was found stays, but for ageing. */
static inline uint32_t fdb_moves(const struct fdb *t)
{
	return atomic_load_explicit(&t->moves, memory_order_acquire);
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

static inline void fdb_prefetch(const struct fdb *t, uint64_t hash)
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
#ifdef __AVX2__
	/* No branch for each way, to be mispredicted. x86 loads each aligned 8 bytes of a vector at once. */
	unsigned found;
	__m256i keys = _mm256_load_si256((const __m256i *)(const void *)b->key),
		equal = _mm256_cmpeq_epi64(keys, _mm256_set1_epi64x((long long)key));

	found = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(equal)) |
		(unsigned)(relaxed_load(&b->key[4]) == key) << 4;
	return found ? __builtin_ctz(found) : -1;
#else
	for (int i = 0; i < FDB_WAYS; i++)
		if (relaxed_load(&b->key[i]) == key)
			return i;
	return -1;
#endif
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

/* The port of key, or FDB_NO_PORT when unknown or expired. now_s: switch_now_s(). */
static inline uint16_t fdb_lookup(const struct fdb *t, uint64_t key, uint64_t hash, uint32_t now_s)
{
	bool overflow;
	uint16_t port = bucket_lookup(t, first_bucket(t, hash), key, now_s, &overflow);

	if (__builtin_expect(overflow, 0))
		port = bucket_lookup(t, second_bucket(t, hash), key, now_s, &overflow);
	return port;
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

/* The rare half of learning: an address that is new here, or has moved. False when it was not learned. */
bool fdb_learn_slow(struct fdb *t, uint64_t key, uint64_t hash, uint16_t port, uint32_t now_s);

/* True when key is known on this port, or static: there is nothing to learn. */
static inline bool fdb_refresh(struct fdb *t, uint64_t key, uint64_t hash, uint16_t port, uint32_t now_s)
{
	struct bucket *b = first_bucket(t, hash);

	if (__builtin_expect(refresh(b, key, port, now_s), 1))
		return true;
	return relaxed_load(&b->seq) & SEQ_OVERFLOW &&
	       refresh(second_bucket(t, hash), key, port, now_s);
}

#endif
