/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database in the memory that outlives its process: what a successor finds, and what it refuses.
 */
#include "tests/unit/fdb_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memfd.h"
#include "switch/fdb_hot.h"
#include "switch/pages.h"
#include "tests/unit/dice.h"

static uint32_t next_s; /* of sweeps where it does not matter */

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
			uint64_t word = dice() % ((t->mask + 1) * 8);

			((uint64_t *)(void *)t->buckets)[word] =
				dice() % 4 ? dice() : key_of(dice() % 4000, (uint16_t)(dice() % 4200));
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
	int empty_fd, unsealed_fd;
	struct stat st;

	assert_int_equal(adopt_with(0, 1), -EPROTO);	       /* magic */
	assert_int_equal(adopt_with(1, 64ull << 32), -EPROTO); /* version 0 */
	assert_int_equal(adopt_with(1, 128ull << 32 | 1), -EPROTO);
	assert_int_equal(adopt_with(2, 1024), -EPROTO); /* buckets */
	assert_int_equal(adopt_with(3, fdb_secret[0] + 1), -EPROTO);
	assert_int_equal(adopt_with(6, 3), -EPROTO); /* addresses */
	assert_int_equal(adopt_with(6, 4096), -EPROTO);
	assert_int_equal(ftruncate(fdb_fd(t), 0), -1); /* nobody cuts it under whoever maps it */
	unsealed_fd = memfd_create("unsealed", MFD_CLOEXEC);
	fstat(fdb_fd(t), &st);
	assert_int_equal(write(unsealed_fd, t->buckets, (size_t)st.st_size), st.st_size);
	assert_int_equal(fdb_adopt(unsealed_fd, AGEING_S, &next, &n), -EPROTO);
	close(unsealed_fd);
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
