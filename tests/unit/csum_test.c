/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch/csum.h against RFC 1071 read literally: bytes in pairs, first byte high, carry back in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "switch/csum.h"
#include "tests/unit/dice.h"

#define ROUNDS 20000
#define MAX    3000
#define EDGE   64 /* bytes beside the target that must stay */

static uint16_t naive(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)sum;
}

/* Our sum, which is in the order of memory, as the naive one. */
static uint16_t number(const struct csum *c)
{
	uint16_t folded = csum_fold(c);
	uint8_t bytes[2];

	memcpy(bytes, &folded, 2);
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Contents in which carries are frequent, rare or everything. */
static void contents(uint8_t *p, size_t n)
{
	switch (dice_in(0, 3)) {
	case 0:
		memset(p, 0xff, n);
		break;
	case 1:
		memset(p, 0, n);
		p[dice_in(0, (uint32_t)n - 1)] = (uint8_t)dice();
		break;
	default:
		dice_fill(p, n);
	}
}

static void sum_is_that_of_rfc1071_at_any_address(void **state)
{
	static uint8_t buf[MAX + EDGE];

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t at = dice_in(0, EDGE), n = dice_in(0, dice_once_in(4) ? MAX : 100);
		struct csum c = {0};

		contents(buf, sizeof(buf));
		csum_add(&c, buf + at, n);
		assert_int_equal(number(&c), naive(buf + at, n));
		assert_int_equal(c.odd, n & 1);
	}
}

static void copy_in_pieces_sums_as_in_one(void **state)
{
	static uint8_t from[MAX], to[EDGE + MAX + EDGE];

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t n = dice_in(0, MAX), piece;
		struct csum c = {0};

		contents(from, sizeof(from));
		memset(to, 0xa5, sizeof(to));
		for (uint32_t at = 0; at < n; at += piece) {
			piece = dice_in(0, dice_once_in(2) ? 5 : n - at);
			piece = piece < n - at ? piece : n - at;
			if (dice_once_in(5)) {
				memcpy(to + EDGE + at, from + at, piece);
				csum_add(&c, from + at, piece);
			} else {
				csum_copy(&c, to + EDGE + at, from + at, piece);
			}
		}
		assert_int_equal(number(&c), naive(from, n));
		assert_memory_equal(to + EDGE, from, n);
		for (unsigned i = 0; i < EDGE; i++) {
			assert_int_equal(to[i], 0xa5);
			assert_int_equal(to[EDGE + n + i], 0xa5);
		}
	}
}

static void join_appends_what_was_summed_apart(void **state)
{
	uint8_t buf[200];

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t n = dice_in(1, sizeof(buf)), cut = dice_in(0, n);
		struct csum c = {0}, next = {0};

		contents(buf, sizeof(buf));
		csum_add(&c, buf, cut);
		csum_add(&next, buf + cut, n - cut);
		csum_join(&c, &next);
		assert_int_equal(number(&c), naive(buf, n));
		assert_int_equal(c.odd, n & 1);
	}
}

static void only_zeros_sum_to_zero(void **state)
{
	static uint8_t buf[65536];
	struct csum c = {0};

	csum_add(&c, buf, sizeof(buf));
	assert_int_equal(csum_fold(&c), 0);
	memset(buf, 0xff, sizeof(buf));
	csum_add(&c, buf, sizeof(buf));
	assert_int_equal(csum_fold(&c), 0xffff);
	/* The widest sums that can be: no carry is lost in folding. */
	c = (struct csum){.sum = UINT64_MAX};
	assert_int_equal(csum_fold(&c), 0xffff);
	c = (struct csum){.sum = UINT64_MAX - 1};
	assert_int_equal(csum_fold(&c), 0xfffe);
	c = (struct csum){.sum = 0xffff0001ffff0001};
	assert_int_equal(csum_fold(&c), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_is_that_of_rfc1071_at_any_address),
		cmocka_unit_test(copy_in_pieces_sums_as_in_one),
		cmocka_unit_test(join_appends_what_was_summed_apart),
		cmocka_unit_test(only_zeros_sum_to_zero),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
