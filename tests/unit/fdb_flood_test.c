/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database when it is full: who floods it pushes out its own addresses, and nobody else's.
 */
#include "tests/unit/fdb_tables.h"

#include <errno.h>

#include "tests/unit/dice.h"

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
		learn(t, key_of(dice() >> 24, 1), FLOODER, 2);
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
		learn(t, key_of(dice() >> 24, 1), FLOODER, 2);
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
		uint64_t r = dice();

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

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(random_flood_pushes_out_only_its_own),
		T(chosen_collisions_push_out_only_their_own),
		T(newcomer_finds_room_in_a_flooded_table),
		T(many_flooders_hold_about_max_macs),
		T(full_table_of_one_port_stays_full),
		T(first_bucket_overflows_into_the_second),
		T(table_holds_all_the_addresses_it_was_made_for),
		T(static_entries_fill_a_pair_of_buckets_and_no_more),
		T(static_entry_takes_the_place_of_a_learned_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
