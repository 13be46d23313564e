/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing into buckets of the forwarding database: what learning and control share.
 *
 * Threads  whoever holds the bucket: bucket_try_lock() takes it, bucket_unlock() lets readers see
 *          what has changed.
 */
#ifndef SWITCH_FDB_WRITE_H
#define SWITCH_FDB_WRITE_H

#include "switch/fdb_hot.h"

static inline bool bucket_try_lock(struct bucket *b)
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

static inline void bucket_unlock(struct bucket *b)
{
	uint32_t seq = relaxed_load(&b->seq);

	atomic_store_explicit(&b->seq, (seq & ~SEQ_LOCKED) + SEQ_STEP, memory_order_release);
}

static inline void port_gains(struct fdb *t, uint16_t port)
{
	if (relaxed_add(&t->n_port[PORT_OF(port)], 1) == 0)
		relaxed_add(&t->n_holders, 1);
}

static inline void port_loses(struct fdb *t, uint16_t port)
{
	if (relaxed_add(&t->n_port[PORT_OF(port)], -1) == 1)
		relaxed_add(&t->n_holders, -1);
}

static inline void way_clear(struct fdb *t, struct bucket *b, int i)
{
	port_loses(t, relaxed_load(&b->port[i]));
	if (relaxed_load(&b->port[i]) & STATIC_BIT)
		relaxed_add(&t->n_static, -1);
	relaxed_add(&t->n_entries, -1);
	relaxed_store(&b->key[i], 0);
	atomic_fetch_add_explicit(&t->moves, 1, memory_order_release);
}

/* An entry is in b from now on. */
static inline void way_count(struct fdb *t, const struct bucket *b, uint16_t port)
{
	relaxed_store(&t->touched[(uint64_t)(b - t->buckets) / FDB_PAGE_BUCKETS], 1);
	port_gains(t, port);
	if (port & STATIC_BIT)
		relaxed_add(&t->n_static, 1);
	relaxed_add(&t->n_entries, 1);
}

static inline void way_set(struct fdb *t, struct bucket *b, int i, uint64_t key, uint16_t port,
		    uint32_t now_s)
{
	relaxed_store(&b->port[i], port);
	relaxed_store(&b->stamp[i], (uint16_t)now_s);
	/* Last: whoever finds the table after a crash sees a whole entry or none. */
	atomic_store_explicit(&b->key[i], key, memory_order_release);
	way_count(t, b, port);
}

/* The bucket at `at` or later whose page anything was ever put in: one past the last when there is none. */
static inline uint64_t fdb_page_next(const struct fdb *t, uint64_t at)
{
	while (at <= t->mask && !relaxed_load(&t->touched[at / FDB_PAGE_BUCKETS]))
		at = (at / FDB_PAGE_BUCKETS + 1) * FDB_PAGE_BUCKETS;
	return at;
}

/*
 * Enters key, which is in neither of the two locked buckets; port may carry STATIC_BIT. False when there
 * is no room for it.
 */
bool fdb_insert(struct fdb *t, struct bucket *const b[2], uint64_t key, uint16_t port,
		uint32_t now_s);

#endif
