/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database, against a naive model and against floods.
 *
 * How      The model is an array of keys. Where nothing can be evicted both must agree in every
 *          answer; where something can, rules take the place of equality.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memfd.h"
#include "switch/fdb.h"
#include "switch/fdb_hot.h"
#include "switch/pages.h"

#define AGEING_S 300

static uint32_t next_s; /* of sweeps where it does not matter */
static uint64_t rng_state = 88172645463325252ull;

/* xorshift64: the same numbers in every run. */
static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* Keys as they come from frames: address i of VLAN vid. */
static uint64_t key_of(uint64_t i, uint16_t vid)
{
	uint64_t padded = i << 8 | 2;

	return fdb_key((const uint8_t *)&padded, vid);
}

static uint16_t lookup(const struct fdb *t, uint64_t key, uint32_t now_s)
{
	return fdb_lookup(t, key, fdb_hash(key), now_s);
}

static void learn(struct fdb *t, uint64_t key, uint16_t port, uint32_t now_s)
{
	fdb_learn(t, key, fdb_hash(key), port, now_s);
}

static struct fdb *table(uint32_t max_macs)
{
	struct fdb *t;

	assert_int_equal(fdb_create(max_macs, AGEING_S, &t), 0);
	return t;
}

/* ---- the model ---- */

#define MODEL_KEYS  2000
#define MODEL_PORTS 12

struct model_entry {
	bool there, is_static;
	uint16_t port;
	uint32_t seen_s;
};

static struct model_entry model[MODEL_KEYS];

static bool model_lives(unsigned i, uint32_t now_s)
{
	const struct model_entry *e = &model[i];

	return e->there && (e->is_static || now_s - e->seen_s <= AGEING_S);
}

static void model_learn(unsigned i, uint16_t port, uint32_t now_s)
{
	if (model[i].there && model[i].is_static)
		return;
	model[i] = (struct model_entry){.there = true, .port = port, .seen_s = now_s};
}

static void model_flush(uint16_t port, bool statics)
{
	for (unsigned i = 0; i < MODEL_KEYS; i++)
		if ((port == FDB_NO_PORT || model[i].port == port) &&
		    (statics || !model[i].is_static))
			model[i].there = false;
}

static uint64_t model_key(unsigned i)
{
	return key_of(i / 4, (uint16_t)(1 + i % 4)); /* the same address in four VLANs */
}

/* Every live entry once and nothing else, in steps of n. */
static void read_equals_model(const struct fdb *t, uint32_t now_s, unsigned n)
{
	static unsigned seen[MODEL_KEYS];
	struct fdb_entry e[256];
	unsigned n_read = 0, n_live = 0;
	uint64_t at = 0;

	memset(seen, 0, sizeof(seen));
	do {
		unsigned got = fdb_read(t, &at, e, n, now_s);

		for (unsigned k = 0; k < got; k++) {
			unsigned i = (unsigned)(e[k].key >> 8 & 0xffff) * 4 +
				     (unsigned)(e[k].key >> 48 & 0xfff) - 1;

			assert_true(i < MODEL_KEYS && e[k].key == model_key(i));
			assert_true(model_lives(i, now_s));
			assert_int_equal(seen[i]++, 0);
			assert_int_equal(e[k].port, model[i].port);
			assert_int_equal(e[k].is_static, model[i].is_static);
			assert_int_equal(e[k].age_s,
					 model[i].is_static ? 0 : now_s - model[i].seen_s);
			n_read++;
		}
	} while (at);
	for (unsigned i = 0; i < MODEL_KEYS; i++)
		n_live += model_lives(i, now_s);
	assert_int_equal(n_read, n_live);
}

static void random_change(struct fdb *t, uint32_t now_s, uint64_t *sweep_at)
{
	uint64_t r = rng();
	unsigned i = r % MODEL_KEYS, what = r >> 32 & 0xffff;
	uint16_t port = (uint16_t)(r >> 48) % MODEL_PORTS;

	if (what < 60000) {
		learn(t, model_key(i), port, now_s);
		model_learn(i, port, now_s);
	} else if (what < 61000) {
		assert_int_equal(fdb_add(t, model_key(i), port, now_s), 0);
		model[i] = (struct model_entry){true, true, port, now_s};
	} else if (what < 65000) {
		bool is_static = model[i].there && model[i].is_static;

		/* An expired entry may have been swept or not. */
		if (is_static || !model[i].there || model_lives(i, now_s))
			assert_int_equal(fdb_del(t, model_key(i)), model[i].there ? 0 : -ENOENT);
		else
			fdb_del(t, model_key(i));
		model[i].there = false;
	} else if (what < 65520) {
		fdb_sweep(t, sweep_at, r >> 50 & 255, now_s, &next_s);
	} else {
		fdb_flush(t, what & 1 ? port : FDB_NO_PORT, what & 2);
		model_flush(what & 1 ? port : FDB_NO_PORT, what & 2);
	}
}

static void random_operations_equal_the_model(void **state)
{
	struct fdb *t = table(65536); /* so wide that nothing is evicted */
	uint32_t now_s = 65000;	      /* the stamps soon wrap */
	uint64_t sweep_at = 0;

	memset(model, 0, sizeof(model));
	for (unsigned k = 0; k < 1000000; k++) {
		unsigned i = (unsigned)(rng() % MODEL_KEYS);

		random_change(t, now_s, &sweep_at);
		assert_int_equal(lookup(t, model_key(i), now_s),
				 model_lives(i, now_s) ? model[i].port : FDB_NO_PORT);
		if (k % 500 == 0)
			now_s += (uint32_t)(rng() % 90);
		if (k % 5000 == 0)
			read_equals_model(t, now_s, FDB_WAYS + (unsigned)(rng() % 250));
		/* As every 5 s in the switch: ages must not come round. */
		if (k % 20000 == 0)
			do
				fdb_sweep(t, &sweep_at, 65536, now_s, &next_s);
			while (sweep_at);
	}
	assert_int_equal(fdb_n_full(t), 0);
	assert_int_equal(fdb_n_evicted(t), 0);
	fdb_flush(t, FDB_NO_PORT, true);
	assert_int_equal(fdb_n_entries(t), 0);
	fdb_destroy(t);
}

/* ---- age ---- */

static void entry_lives_for_its_ageing_time(void **state)
{
	struct fdb *t = table(64);
	uint64_t key = key_of(1, 1);

	learn(t, key, 3, 1000);
	assert_int_equal(lookup(t, key, 1000 + AGEING_S), 3);
	assert_int_equal(lookup(t, key, 1001 + AGEING_S), FDB_NO_PORT);
	learn(t, key, 3, 1001 + AGEING_S);
	assert_int_equal(lookup(t, key, 1001 + 2 * AGEING_S), 3);
	fdb_destroy(t);
}

static void sweep_tells_when_the_next_entry_expires(void **state)
{
	struct fdb *t = table(64);
	uint32_t next = UINT32_MAX;
	uint64_t at = 0;

	assert_int_equal(fdb_add(t, key_of(1, 1), 3, 0), 0);
	fdb_sweep(t, &at, 1 << 20, 1000, &next);
	assert_int_equal(next, UINT32_MAX); /* static */
	learn(t, key_of(2, 1), 3, 1000);
	learn(t, key_of(3, 1), 3, 1010);
	fdb_sweep(t, &at, 1 << 20, 1020, &next);
	assert_int_equal(next, AGEING_S + 1 - 20);
	assert_int_equal(fdb_n_learned(t), 2);
	next = UINT32_MAX;
	fdb_sweep(t, &at, 1 << 20, 1020 + AGEING_S + 1 - 20, &next);
	assert_int_equal(fdb_n_learned(t), 1);
	assert_int_equal(next, 10);
	fdb_flush(t, FDB_NO_PORT, true);
	assert_int_equal(fdb_n_learned(t), 0);
	fdb_destroy(t);
}

static void static_entry_neither_ages_nor_moves(void **state)
{
	struct fdb *t = table(64);
	uint64_t key = key_of(1, 1), at = 0;

	assert_int_equal(fdb_add(t, key, 3, 0), 0);
	learn(t, key, 4, 1);
	fdb_sweep(t, &at, 1 << 20, 30000, &next_s);
	assert_int_equal(lookup(t, key, 30000), 3);
	assert_int_equal(fdb_flush(t, 3, false), 0);
	assert_int_equal(fdb_flush(t, 3, true), 1);
	fdb_destroy(t);
}

/* Workers look at the clock once a round: one may be a second behind the one that has learned. */
static void entry_learned_by_a_clock_ahead_is_not_expired(void **state)
{
	struct fdb *t = table(64);
	uint64_t key = key_of(1, 1), at = 0;
	struct fdb_entry e[FDB_WAYS * 2];
	unsigned n = 0;

	learn(t, key, 3, 70000);
	assert_int_equal(lookup(t, key, 69999), 3);
	fdb_sweep(t, &at, 1 << 20, 69999, &next_s);
	assert_int_equal(fdb_n_entries(t), 1);
	do
		n += fdb_read(t, &at, e, FDB_WAYS * 2, 69999);
	while (at && !n);
	assert_int_equal(n, 1);
	assert_int_equal(e[0].age_s, 0);
	fdb_destroy(t);
}

/* ---- floods ---- */

#define VICTIMS	   8 /* ports 0 to 7 */
#define VICTIM_HAS 20
#define FLOODER	   100

static uint64_t victim_key(unsigned port, unsigned i)
{
	return key_of(0x10000 + port * 256 + i, 1);
}

static void victims_learn(struct fdb *t, unsigned n, uint32_t now_s)
{
	for (unsigned p = 0; p < VICTIMS; p++)
		for (unsigned i = 0; i < n; i++)
			learn(t, victim_key(p, i), (uint16_t)p, now_s);
}

static void victims_have_all(const struct fdb *t, unsigned n, uint32_t now_s)
{
	for (unsigned p = 0; p < VICTIMS; p++)
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(lookup(t, victim_key(p, i), now_s), p);
}

static void random_flood_pushes_out_only_its_own(void **state)
{
	struct fdb *t = table(1024);

	victims_learn(t, VICTIM_HAS, 1);
	for (unsigned i = 0; i < 500000; i++)
		learn(t, key_of(rng() >> 24, 1), FLOODER, 2);
	victims_have_all(t, VICTIM_HAS, 2);
	assert_true(fdb_n_evicted(t) > 0);
	assert_true(fdb_n_entries(t) <= 1024 + 1024 / 8);
	fdb_destroy(t);
}

/* The bits of the hash that choose a bucket of a table of 1024 addresses: 512 buckets. */
static bool collides(uint64_t a, uint64_t b)
{
	return !((fdb_hash(a) ^ fdb_hash(b)) & 511);
}

static void chosen_collisions_push_out_only_their_own(void **state)
{
	struct fdb *t = table(1024);
	uint64_t target = victim_key(0, 0);

	victims_learn(t, VICTIM_HAS, 1);
	for (uint64_t i = 0; i < 2000000; i++)
		if (collides(key_of(0x100000 + i, 1), target))
			learn(t, key_of(0x100000 + i, 1), FLOODER, 2);
	victims_have_all(t, VICTIM_HAS, 2);
	assert_true(fdb_n_evicted(t) > 1000);
	fdb_destroy(t);
}

static void newcomer_finds_room_in_a_flooded_table(void **state)
{
	struct fdb *t = table(1024);
	uint64_t n_full;

	for (unsigned i = 0; i < 200000; i++)
		learn(t, key_of(rng() >> 24, 1), FLOODER, 2);
	n_full = fdb_n_full(t);
	victims_learn(t, VICTIM_HAS, 3);
	victims_have_all(t, VICTIM_HAS, 3);
	assert_int_equal(fdb_n_full(t), n_full);
	fdb_destroy(t);
}

static void many_flooders_hold_about_max_macs(void **state)
{
	struct fdb *t = table(1024);

	victims_learn(t, 5, 1);
	for (unsigned i = 0; i < 2000000; i++) {
		uint64_t r = rng();

		learn(t, key_of(r >> 24, 1), (uint16_t)(FLOODER + (r & 31)), 2);
	}
	assert_in_range(fdb_n_entries(t), 1024, 1024 + 1024 / 4);
	victims_have_all(t, 5, 2);
	fdb_destroy(t);
}

static void full_table_of_one_port_stays_full(void **state)
{
	struct fdb *t = table(1024);
	unsigned n_there = 0;

	for (unsigned i = 0; i < 4096; i++)
		learn(t, key_of(i, 1), 5, 1);
	for (unsigned i = 0; i < 4096; i++)
		n_there += lookup(t, key_of(i, 1), 1) == 5;
	assert_int_equal(n_there, fdb_n_entries(t));
	assert_in_range(n_there, 1000, 1024 + 1024 / 8);
	fdb_destroy(t);
}

static void first_bucket_overflows_into_the_second(void **state)
{
	struct fdb *t = table(1024);
	uint64_t keys[2 * FDB_WAYS], target = key_of(1, 1);
	unsigned n = 0;

	for (uint64_t i = 1; n < FDB_WAYS + 1; i++)
		if (collides(key_of(i, 1), target))
			keys[n++] = key_of(i, 1);
	for (unsigned i = 0; i < n; i++)
		learn(t, keys[i], (uint16_t)i, 1);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(lookup(t, keys[i], 1), i);
	learn(t, keys[n - 1], 9, 2); /* moves where it is */
	assert_int_equal(lookup(t, keys[n - 1], 2), 9);
	assert_int_equal(fdb_n_entries(t), n);
	assert_int_equal(fdb_del(t, keys[n - 1]), 0);
	assert_int_equal(lookup(t, keys[n - 1], 2), FDB_NO_PORT);
	assert_int_equal(fdb_n_evicted(t), 0);
	fdb_destroy(t);
}

/* Static entries of a key whose bucket pair is known to be full of static ones. */
static void table_holds_all_the_addresses_it_was_made_for(void **state)
{
	enum { N = 65536 };
	struct fdb *t = table(N);
	unsigned n_lost = 0;

	for (unsigned i = 0; i < N; i++)
		learn(t, key_of(i, 1), (uint16_t)(1 + i % 7), 1);
	for (unsigned i = 0; i < N; i++)
		n_lost += lookup(t, key_of(i, 1), 1) != 1 + i % 7;
	assert_int_equal(n_lost, 0);
	fdb_destroy(t);
}

static void static_entries_fill_a_pair_of_buckets_and_no_more(void **state)
{
	struct fdb *t = table(16); /* 16 buckets, 80 entries */
	unsigned n_refused = 0;

	for (unsigned i = 0; i < 200; i++) {
		int rc = fdb_add(t, key_of(i, 1), 7, 1);

		assert_true(rc == 0 || rc == -ENOSPC);
		n_refused += rc != 0;
	}
	assert_int_equal(fdb_n_entries(t), 200 - n_refused);
	assert_true(fdb_n_entries(t) <= 16 * FDB_WAYS);
	for (unsigned i = 0; i < 1000; i++)
		learn(t, key_of(0x1000 + i, 1), 8, 1);
	assert_int_equal(fdb_flush(t, 7, true), 200 - n_refused);
	fdb_destroy(t);
}

static void static_entry_takes_the_place_of_a_learned_one(void **state)
{
	struct fdb *t = table(16);

	/* So many ports that every bucket is full and none has much to give up. */
	for (unsigned i = 0; i < 20000; i++)
		learn(t, key_of(0x1000 + i, 1), (uint16_t)(i % 200), 1);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(fdb_add(t, key_of(i, 1), 300, 1), 0);
		assert_int_equal(lookup(t, key_of(i, 1), 1), 300);
	}
	fdb_destroy(t);
}

static void read_with_a_wild_cursor_ends(void **state)
{
	struct fdb *t = table(64);
	struct fdb_entry e[FDB_WAYS];
	uint64_t at = UINT64_MAX;

	assert_int_equal(fdb_read(t, &at, e, FDB_WAYS, 0), 0);
	assert_int_equal(at, 0);
	fdb_destroy(t);
}

/* ---- threads ---- */

#define SHARED_KEYS 256 /* in a table of 80 places: they push one another out all the time */

struct party {
	struct fdb *t;
	uint64_t seed;
	atomic_bool *stop;
	uint64_t n_wrong;
	_Atomic uint64_t n_found;
};

/* Key i is only ever learned on ports i % 64 and i % 64 + 64. */
static void *learn_and_look_up(void *arg)
{
	struct party *p = arg;
	uint64_t r = p->seed;

	while (!atomic_load_explicit(p->stop, memory_order_relaxed)) {
		uint64_t i, k, key;
		uint16_t port;

		r = r * 6364136223846793005ull + 1442695040888963407ull;
		i = r >> 33 & (SHARED_KEYS - 1);
		k = r >> 45 & (SHARED_KEYS - 1);
		learn(p->t, key_of(i, 1), (uint16_t)(i % 64 + (r >> 60 & 1) * 64), 1);
		key = key_of(k, 1);
		port = lookup(p->t, key, 1);
		p->n_found += port != FDB_NO_PORT;
		p->n_wrong += port != FDB_NO_PORT && port % 64 != k % 64;
	}
	return NULL;
}

static unsigned read_wrong(const struct fdb *t)
{
	struct fdb_entry e[64];
	unsigned n_wrong = 0;
	uint64_t at = 0;

	do {
		unsigned n = fdb_read(t, &at, e, 64, 1);

		for (unsigned k = 0; k < n; k++)
			n_wrong += e[k].port % 64 != (e[k].key >> 8 & 63);
	} while (at);
	return n_wrong;
}

static void threads_never_see_another_keys_port(void **state)
{
	struct fdb *t = table(16);
	atomic_bool stop = false;
	struct party p[2] = {{t, 1, &stop, 0, 0}, {t, 2, &stop, 0, 0}};
	pthread_t thread[2];
	unsigned n_wrong = 0, n_entries = 0;
	struct fdb_entry e[64];
	uint64_t at = 0;

	for (unsigned i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, learn_and_look_up, &p[i]);
	for (unsigned k = 0; k < 20000 || p[0].n_found < 10000 || p[1].n_found < 10000; k++) {
		n_wrong += read_wrong(t);
		fdb_add(t, key_of(k % SHARED_KEYS, 1), k % 64, 1);
		fdb_flush(t, (uint16_t)(k % 128), true);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(n_wrong, 0);
	assert_int_equal(p[0].n_wrong + p[1].n_wrong, 0);
	do
		n_entries += fdb_read(t, &at, e, 64, 1);
	while (at);
	assert_int_equal(fdb_n_entries(t), n_entries); /* the books are straight */
	fdb_flush(t, FDB_NO_PORT, true);
	assert_int_equal(fdb_n_entries(t), 0);
	fdb_destroy(t);
}

/* ---- a successor ---- */

/* The table as it is in the memory that outlives its process. */
static struct fdb *adopted(const struct fdb *t, unsigned want_dropped)
{
	struct fdb *next;
	unsigned n_dropped;

	assert_int_equal(fdb_adopt(dup(fdb_fd(t)), AGEING_S, &next, &n_dropped), 0);
	assert_int_equal(n_dropped, want_dropped);
	return next;
}

static void successor_finds_every_address(void **state)
{
	struct fdb *t = table(1024), *next;

	for (unsigned i = 0; i < 1000; i++)
		learn(t, key_of(i, 1), i % 7, 100 + i % 50);
	assert_int_equal(fdb_add(t, key_of(5000, 9), 3, 100), 0);
	next = adopted(t, 0);
	fdb_destroy(t);
	assert_int_equal(fdb_max_macs(next), 1024);
	assert_int_equal(fdb_n_entries(next), 1001);
	assert_int_equal(fdb_n_learned(next), 1000);
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t dies_s = 100 + i % 50 + AGEING_S;

		assert_int_equal(lookup(next, key_of(i, 1), dies_s), i % 7);
		assert_int_equal(lookup(next, key_of(i, 1), dies_s + 1), FDB_NO_PORT);
	}
	assert_int_equal(lookup(next, key_of(5000, 9), 65000), 3);
	assert_int_equal(fdb_flush(next, FDB_NO_PORT, true), 1001); /* each is on a page that is looked at */
	assert_int_equal(fdb_n_entries(next), 0);
	fdb_destroy(next);
}

static void successor_is_as_fair(void **state)
{
	struct fdb *t = table(16), *next;

	for (unsigned i = 0; i < 1000; i++)
		learn(t, key_of(i, 1), 1, 1);
	next = adopted(t, 0);
	fdb_destroy(t);
	for (unsigned i = 0; i < 8; i++) {
		learn(next, key_of(5000 + i, 1), 2, 1);
		assert_int_equal(lookup(next, key_of(5000 + i, 1), 1), 2);
	}
	learn(next, key_of(9000, 1), 1, 1);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(lookup(next, key_of(5000 + i, 1), 1), 2);
	fdb_destroy(next);
}

static struct bucket *bucket_with(struct fdb *t, uint64_t key)
{
	struct bucket *b = first_bucket(t, fdb_hash(key));

	return way_of(b, key) < 0 ? second_bucket(t, fdb_hash(key)) : b;
}

/* The writer died in the bucket. */
static void torn_bucket_keeps_what_is_static_and_is_open(void **state)
{
	struct fdb *t = table(16), *next;
	uint64_t learned = key_of(1, 1), fixed;
	struct bucket *b;
	unsigned i = 2;

	learn(t, learned, 1, 1);
	b = bucket_with(t, learned);
	while (fixed = key_of(i++, 1), first_bucket(t, fdb_hash(fixed)) != b)
		;
	assert_int_equal(fdb_add(t, fixed, 2, 1), 0);
	b->seq |= SEQ_LOCKED;
	next = adopted(t, 1);
	b->seq &= ~SEQ_LOCKED;
	fdb_destroy(t);
	assert_int_equal(lookup(next, learned, 1), FDB_NO_PORT);
	assert_int_equal(lookup(next, fixed, 1), 2);
	assert_int_equal(fdb_n_entries(next), 1);
	learn(next, learned, 3, 1);
	assert_int_equal(lookup(next, learned, 1), 3);
	fdb_destroy(next);
}

/* An address was moved to its second bucket, and its first one not left yet. */
static void address_in_both_buckets_is_one(void **state)
{
	struct fdb *t = table(1024), *next;
	uint64_t key = key_of(1, 1);
	struct bucket *second = second_bucket(t, fdb_hash(key));

	learn(t, key, 1, 1);
	second->port[4] = 1;
	second->stamp[4] = 1;
	second->key[4] = key;
	next = adopted(t, 1);
	assert_int_equal(fdb_n_entries(next), 1);
	assert_int_equal(fdb_del(next, key), 0);
	assert_int_equal(lookup(next, key, 1), FDB_NO_PORT);
	fdb_destroy(next);
	fdb_destroy(t);
}

/* Whatever was written over a table: what is found in it afterwards is in order, and it works. */
static void garbage_is_dropped(void **state)
{
	for (unsigned round = 0; round < 200; round++) {
		struct fdb *t = table(1024), *next;
		uint64_t at = 0, n_found = 0;
		struct fdb_entry e[64];
		unsigned n_dropped;

		for (unsigned i = 0; i < 900; i++)
			learn(t, key_of(i, 1), i % 7, 1);
		for (unsigned i = 0; i < 1 + round * round / 4; i++) {
			uint64_t word = rng() % ((t->mask + 1) * 8);

			((uint64_t *)(void *)t->buckets)[word] =
				rng() % 4 ? rng() : key_of(rng() % 4000, (uint16_t)(rng() % 4200));
		}
		assert_int_equal(fdb_adopt(dup(fdb_fd(t)), AGEING_S, &next, &n_dropped), 0);
		fdb_destroy(t);
		do {
			unsigned n = fdb_read(next, &at, e, 64, 1);

			for (unsigned i = 0; i < n; i++)
				assert_int_equal(lookup(next, e[i].key, 1), e[i].port);
			n_found += n;
		} while (at);
		fdb_sweep(next, &at, UINT64_MAX, 1, &next_s);
		n_found = 0;
		do
			n_found += fdb_read(next, &at, e, 64, 1);
		while (at);
		assert_int_equal(fdb_n_entries(next), n_found);
		learn(next, key_of(1, 2), 8, 1);
		fdb_flush(next, FDB_NO_PORT, true);
		assert_int_equal(fdb_n_entries(next), 0);
		fdb_destroy(next);
	}
}

static bool is_even(const void *arg, uint16_t port)
{
	return port % 2 == 0;
}

static void ports_that_are_gone_are_forgotten(void **state)
{
	struct fdb *t = table(1024);

	for (unsigned i = 0; i < 100; i++)
		learn(t, key_of(i, 1), (uint16_t)i, 1);
	assert_int_equal(fdb_add(t, key_of(200, 1), 7, 1), 0);
	assert_int_equal(fdb_keep(t, is_even, NULL), 51);
	assert_int_equal(fdb_n_entries(t), 50);
	assert_int_equal(lookup(t, key_of(200, 1), 1), FDB_NO_PORT);
	assert_int_equal(lookup(t, key_of(98, 1), 1), 98);
	fdb_destroy(t);
}

/* Word `at` of the page behind the buckets is another one. */
static int adopt_with(unsigned at, uint64_t value)
{
	struct fdb *t = table(1024), *next;
	uint64_t *page = (uint64_t *)(void *)&t->buckets[t->mask + 1];
	unsigned n_dropped;
	int rc;

	page[at] = value;
	rc = fdb_adopt(fdb_fd(t), AGEING_S, &next, &n_dropped);
	if (rc == 0)
		fdb_destroy(next);
	else
		fdb_destroy(t);
	return rc;
}

static void memory_that_is_no_table_of_ours_is_refused(void **state)
{
	struct fdb *t = table(1024), *next;
	unsigned n;
	int empty_fd;

	assert_int_equal(adopt_with(0, 1), -EPROTO);	       /* magic */
	assert_int_equal(adopt_with(1, 64ull << 32), -EPROTO); /* version 0 */
	assert_int_equal(adopt_with(1, 128ull << 32 | 1), -EPROTO);
	assert_int_equal(adopt_with(2, 1024), -EPROTO); /* buckets */
	assert_int_equal(adopt_with(3, fdb_secret[0] + 1), -EPROTO);
	assert_int_equal(adopt_with(6, 3), -EPROTO); /* addresses */
	assert_int_equal(adopt_with(6, 4096), -EPROTO);
	assert_int_equal(ftruncate(fdb_fd(t), 0), -1); /* nobody cuts it under whoever maps it */
	empty_fd = memfd_sized("empty", 0);
	assert_int_equal(fdb_adopt(empty_fd, AGEING_S, &next, &n), -EPROTO);
	close(empty_fd);
	fdb_destroy(t);
	assert_int_equal(fdb_adopt(-1, AGEING_S, &next, &n), -EBADF);
}

/* Whoever goes through all of a large table that holds little makes no page of it. */
static void looking_through_a_table_costs_no_memory(void **state)
{
	struct fdb *t = table(BRIDGE_MACS_MAX), *next;
	struct fdb_entry e[64];
	uint64_t at = 0;
	struct stat st;

	learn(t, key_of(1, 1), 1, 1);
	next = adopted(t, 0);
	do
		fdb_read(next, &at, e, 64, 1);
	while (at);
	do
		fdb_sweep(next, &at, 65536, 1, &next_s);
	while (at);
	assert_int_equal(fdb_keep(next, is_even, NULL), 1);
	fdb_flush(next, FDB_NO_PORT, true);
	fstat(fdb_fd(next), &st);
	assert_true(st.st_blocks * 512 <= 4 * PAGES_HUGE);
	fdb_destroy(next);
	fdb_destroy(t);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(random_operations_equal_the_model),
		T(entry_lives_for_its_ageing_time),
		T(sweep_tells_when_the_next_entry_expires),
		T(static_entry_neither_ages_nor_moves),
		T(entry_learned_by_a_clock_ahead_is_not_expired),
		T(random_flood_pushes_out_only_its_own),
		T(chosen_collisions_push_out_only_their_own),
		T(newcomer_finds_room_in_a_flooded_table),
		T(many_flooders_hold_about_max_macs),
		T(full_table_of_one_port_stays_full),
		T(first_bucket_overflows_into_the_second),
		T(table_holds_all_the_addresses_it_was_made_for),
		T(static_entries_fill_a_pair_of_buckets_and_no_more),
		T(static_entry_takes_the_place_of_a_learned_one),
		T(read_with_a_wild_cursor_ends),
		T(threads_never_see_another_keys_port),
		T(successor_finds_every_address),
		T(successor_is_as_fair),
		T(torn_bucket_keeps_what_is_static_and_is_open),
		T(address_in_both_buckets_is_one),
		T(garbage_is_dropped),
		T(ports_that_are_gone_are_forgotten),
		T(memory_that_is_no_table_of_ours_is_refused),
		T(looking_through_a_table_costs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
