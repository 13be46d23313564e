/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring of records: its limits by hand, and two threads that each sleep whenever they have nothing
 * to do, so that a wake-up that is missed hangs the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "switch/byte_ring.h"
#include "tests/unit/dice.h"

#define SIZE	4096
#define RECORDS 400000
#define LEN_MAX 1500

struct pair {
	struct byte_ring r;
	sem_t record, room;
	uint64_t dice;
};

static void put(struct byte_ring *r, uint32_t len, uint8_t value)
{
	uint8_t *to = byte_ring_reserve(r, len);

	assert_non_null(to);
	memset(to, value, len);
	byte_ring_commit(r, len, value);
}

static void assert_next(struct byte_ring *r, uint32_t len, uint8_t value)
{
	uint32_t got, tag;
	uint8_t *at = byte_ring_next(r, &got, &tag);

	assert_non_null(at);
	assert_int_equal(got, len);
	assert_int_equal(tag, value);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(at[i], value);
}

static void records_come_out_in_order_once_published(void **state)
{
	struct byte_ring r;
	uint32_t len, tag;

	assert_int_equal(byte_ring_create(&r, SIZE), 0);
	put(&r, 3, 1);
	put(&r, 0, 2);
	assert_null(byte_ring_next(&r, &len, &tag));
	assert_false(byte_ring_publish(&r));
	assert_next(&r, 3, 1);
	assert_next(&r, 0, 2);
	assert_null(byte_ring_next(&r, &len, &tag));
	byte_ring_destroy(&r);
}

static void full_ring_has_room_only_for_what_was_freed(void **state)
{
	struct byte_ring r;

	assert_int_equal(byte_ring_create(&r, SIZE), 0);
	for (uint8_t i = 0; i < 4; i++)
		put(&r, SIZE / 4 - BYTE_RING_WORD, i);
	assert_null(byte_ring_reserve(&r, 0));
	byte_ring_publish(&r);
	assert_next(&r, SIZE / 4 - BYTE_RING_WORD, 0);
	assert_null(byte_ring_reserve(&r, 0));
	byte_ring_free(&r);
	assert_null(byte_ring_reserve(&r, SIZE / 4));
	put(&r, SIZE / 4 - BYTE_RING_WORD, 9);
	byte_ring_destroy(&r);
}

static void record_that_does_not_fit_before_the_end_begins_anew(void **state)
{
	struct byte_ring r;

	assert_int_equal(byte_ring_create(&r, SIZE), 0);
	for (unsigned round = 0; round < 100; round++) {
		put(&r, 1000 + round, 1);
		put(&r, 700, 2);
		byte_ring_publish(&r);
		assert_next(&r, 1000 + round, 1);
		assert_next(&r, 700, 2);
		byte_ring_free(&r);
	}
	byte_ring_destroy(&r);
}

static void rewound_records_were_never_there(void **state)
{
	struct byte_ring r;
	uint32_t len, tag;
	uint64_t before;

	assert_int_equal(byte_ring_create(&r, SIZE), 0);
	put(&r, 2000, 1);
	before = r.head;
	put(&r, 1000, 2);
	byte_ring_rewind(&r, before);
	put(&r, 50, 3);
	byte_ring_publish(&r);
	assert_next(&r, 2000, 1);
	assert_next(&r, 50, 3);
	assert_null(byte_ring_next(&r, &len, &tag));
	byte_ring_destroy(&r);
}

static void who_asks_is_told_once(void **state)
{
	struct byte_ring r;

	assert_int_equal(byte_ring_create(&r, SIZE), 0);
	assert_false(byte_ring_ask(&r));
	put(&r, 2000, 1);
	assert_true(byte_ring_publish(&r));
	put(&r, 2000, 2);
	assert_false(byte_ring_publish(&r));
	assert_false(byte_ring_ask_room(&r, 1000));
	assert_next(&r, 2000, 1);
	assert_true(byte_ring_free(&r)); /* half of it is free */
	assert_true(byte_ring_ask(&r));
	assert_next(&r, 2000, 2);
	assert_false(byte_ring_free(&r));
	byte_ring_destroy(&r);
}

/* Every record: its number in the tag, len of it from the dice, each byte from the number. */
static void *produce(void *arg)
{
	struct pair *p = arg;
	uint64_t x = p->dice;

	for (uint32_t i = 0; i < RECORDS; i++) {
		uint32_t len;
		uint8_t *to;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		len = (uint32_t)(x >> 33) % LEN_MAX;
		while (!(to = byte_ring_reserve(&p->r, LEN_MAX)))
			if (!byte_ring_ask_room(&p->r, LEN_MAX))
				sem_wait(&p->room);
		memset(to, (uint8_t)i, len);
		byte_ring_commit(&p->r, len, i);
		if (byte_ring_publish(&p->r))
			sem_post(&p->record);
	}
	return NULL;
}

static void threads_that_sleep_lose_nothing(void **state)
{
	static struct pair p;
	uint64_t x = p.dice = dice();
	uint32_t len, tag;
	pthread_t thread;

	assert_int_equal(byte_ring_create(&p.r, 8 * SIZE), 0);
	sem_init(&p.record, 0, 0);
	sem_init(&p.room, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, produce, &p), 0);
	for (uint32_t i = 0; i < RECORDS; i++) {
		uint8_t *at;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		while (!(at = byte_ring_next(&p.r, &len, &tag)))
			if (!byte_ring_ask(&p.r))
				sem_wait(&p.record);
		if (tag != i || len != (uint32_t)(x >> 33) % LEN_MAX)
			fail_msg("record %u is number %u of %u bytes", i, tag, len);
		if (len && (at[0] != (uint8_t)i || at[len - 1] != (uint8_t)i))
			fail_msg("record %u has other bytes", i);
		if (i % 7 == 0 && byte_ring_free(&p.r))
			sem_post(&p.room);
	}
	pthread_join(thread, NULL);
	byte_ring_destroy(&p.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_in_order_once_published),
		cmocka_unit_test(full_ring_has_room_only_for_what_was_freed),
		cmocka_unit_test(record_that_does_not_fit_before_the_end_begins_anew),
		cmocka_unit_test(rewound_records_were_never_there),
		cmocka_unit_test(who_asks_is_told_once),
		cmocka_unit_test(threads_that_sleep_lose_nothing),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
