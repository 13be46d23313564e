/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: learning; see switch/fdb.h and, for what is inline, switch/fdb_hot.h.
 */
#include "switch/fdb.h"

#include "switch/fdb_write.h"

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

/*
 * Makes room in b by moving one entry that is in its first bucket there to its second one: way or -1.
 * Never the other way round: a look-up that has passed the first bucket would miss it in both. Static ones
 * stay, for who reads all of them meanwhile.
 */
static int displace(struct fdb *t, struct bucket *const b[2], int k, uint32_t now_s)
{
	for (int i = 0; i < FDB_WAYS; i++) {
		uint64_t key = relaxed_load(&b[k]->key[i]), hash = fdb_hash(key);
		struct bucket *to = second_bucket(t, hash);
		int way;

		if (relaxed_load(&b[k]->port[i]) & STATIC_BIT || first_bucket(t, hash) != b[k] || to == b[0] || to == b[1] || !bucket_try_lock(to))
			continue;
		way = free_way(t, to, now_s);
		if (way >= 0) {
			relaxed_add(&t->n_displaced, 1);
			relaxed_store(&b[k]->seq, relaxed_load(&b[k]->seq) | SEQ_OVERFLOW);
			way_set(t, to, way, key, relaxed_load(&b[k]->port[i]),
				relaxed_load(&b[k]->stamp[i]));
		}
		/* The writer of b comes later: for a while the address is in both. */
		bucket_unlock(to);
		if (way >= 0) {
			way_clear(t, b[k], i);
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

bool fdb_insert(struct fdb *t, struct bucket *const b[2], uint64_t key, uint16_t port,
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
		at = displace(t, b, 0, now_s);
	if (at < 0 && (at = displace(t, b, 1, now_s)) >= 0)
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

/* Somebody wants to know. Who cannot note it at once counts it: no worker waits for this. */
static void move_note(struct fdb *t, uint64_t key, uint16_t from, uint16_t to)
{
	struct fdb_listener *l = t->listener;

	bool noted = false;

	if (!atomic_flag_test_and_set_explicit(&t->noting, memory_order_acquire)) {
		noted = t->n_noted < FDB_MOVES_KEPT;
		if (noted)
			t->noted[t->n_noted++] = (struct fdb_move){key, from, to};
		atomic_flag_clear_explicit(&t->noting, memory_order_release);
	}
	if (!noted)
		relaxed_add(&t->n_left_out, 1);
	if (!atomic_exchange(&l->told, true))
		l->tell(l->arg);
}

static void way_move(struct fdb *t, struct bucket *b, int i, uint16_t port, uint32_t now_s)
{
	if (t->listener && relaxed_load(&t->listener->wanted))
		move_note(t, relaxed_load(&b->key[i]), relaxed_load(&b->port[i]), port);
	port_gains(t, port);
	port_loses(t, relaxed_load(&b->port[i]));
	relaxed_store(&b->port[i], port);
	relaxed_store(&b->stamp[i], (uint16_t)now_s);
	atomic_fetch_add_explicit(&t->moves, 1, memory_order_release);
}

bool fdb_learn_slow(struct fdb *t, uint64_t key, uint64_t hash, uint16_t port, uint32_t now_s)
{
	struct bucket *b[2] = {first_bucket(t, hash), second_bucket(t, hash)};
	bool done = false;

	if (!bucket_try_lock(b[0]))
		return false;
	if (!bucket_try_lock(b[1])) {
		bucket_unlock(b[0]);
		return false;
	}
	for (int k = 0; k < 2 && !done; k++) {
		int i = way_of(b[k], key);

		if (i < 0)
			continue;
		done = true;
		if (!(relaxed_load(&b[k]->port[i]) & STATIC_BIT))
			way_move(t, b[k], i, port, now_s);
	}
	if (!done) {
		done = fdb_insert(t, b, key, port, now_s);
		if (!done)
			relaxed_add(&t->n_full, 1);
	}
	bucket_unlock(b[1]);
	bucket_unlock(b[0]);
	return done;
}

void fdb_learn(struct fdb *t, uint64_t key, uint64_t hash, uint16_t port, uint32_t now_s)
{
	if (!fdb_refresh(t, key, hash, port, now_s))
		fdb_learn_slow(t, key, hash, port, now_s);
}
