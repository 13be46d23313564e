/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums that nobody filled, against packets built field by field by tests/unit/packet_oracle.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tap/sum_check.h"
#include "tests/unit/dice.h"
#include "tests/unit/packet_random.h"

#define N_RANDOM   20000
#define N_COMMON   200000 /* one in 65,536 of them has the pseudo header's sum in its field */
#define FRAME_ROOM 4096

static uint8_t payload[FRAME_ROOM], frame[FRAME_ROOM];

/* A random packet that sum_check() looks at. Returns its layout; *f are its fields. */
static struct layout packet(struct fields *f, enum oracle_sum sum)
{
	random_fields(f, dice_once_in(2) ? ORACLE_TCP : ORACLE_UDP);
	if (f->v6)
		f->n_between = f->n_extensions = 0;
	memcpy(f->last_dst, f->dst, 16);
	f->payload = payload;
	f->n_payload = dice_in(0, 1400);
	dice_fill(payload, f->n_payload);
	return oracle_build(f, sum, frame);
}

/* The frame in up to 4 pieces, the first with at least 128 bytes. */
static uint8_t check_pieces(size_t len, bool cut)
{
	struct seg pieces[4];
	unsigned n = 0;

	for (size_t at = 0; at < len; n++) {
		size_t here = n == 3 ? len - at : dice_in(n ? 1 : 128, 600);

		here = here < len - at ? here : len - at;
		pieces[n] = (struct seg){frame + at, (uint32_t)here};
		at += here;
	}
	return sum_check(pieces, n, (uint32_t)len, cut);
}

/* Of one packet in 65,536 the complete checksum is the pseudo header's sum. */
static bool looks_alike(const struct fields *f)
{
	static uint8_t full[FRAME_ROOM], partial[FRAME_ROOM];
	size_t len = oracle_build(f, ORACLE_FULL, full).len;

	oracle_build(f, ORACLE_PARTIAL, partial);
	return !memcmp(full, partial, len);
}

static void unfilled_checksums_are_found(void **state)
{
	for (unsigned i = 0; i < N_RANDOM; i++) {
		struct fields f;
		struct layout l = packet(&f, ORACLE_PARTIAL);

		if (!looks_alike(&f))
			assert_int_equal(check_pieces(l.len, dice_once_in(2)), RX_BAD_CSUM);
	}
}

static void correct_frames_pass(void **state)
{
	for (unsigned i = 0; i < N_COMMON; i++) {
		struct fields f;
		struct layout l = packet(&f, ORACLE_FULL);

		assert_int_equal(check_pieces(l.len, true), FRAME_NO_DROP);
	}
}

/* A correct frame whose field happens to hold the pseudo header's sum: two bytes of payload make it
 * so. */
static void correct_frames_that_look_unfilled_pass(void **state)
{
	for (unsigned i = 0; i < N_RANDOM; i++) {
		struct fields f;
		struct layout l;
		unsigned sum, check;
		uint8_t pseudo[2];
		size_t field;

		do {
			l = packet(&f, ORACLE_PARTIAL);
		} while (f.n_payload < 2);
		field = l.l4 + (f.proto == ORACLE_TCP ? 16 : 6);
		memcpy(pseudo, frame + field, 2);
		/* Everything from l4 on, the field with the pseudo sum in it, has to sum to 0xffff
		 * less the pseudo sum's own part once more. */
		payload[0] = payload[1] = 0;
		if ((l.payload - l.l4) % 2)
			continue;
		f.payload = payload;
		l = oracle_build(&f, ORACLE_PARTIAL, frame);
		sum = 65535 - oracle_checksum(frame + l.l4, l.len - l.l4);
		/* pseudo + bytes = 0xffff is wanted; bytes already has the pseudo sum once, in its
		 * field. */
		check = sum + (unsigned)(pseudo[0] * 256 + pseudo[1]);
		check = check % 65536 + check / 65536;
		check = 65535 - check;
		payload[0] = (uint8_t)(check / 256);
		payload[1] = (uint8_t)(check % 256);
		l = oracle_build(&f, ORACLE_PARTIAL, frame);
		assert_int_equal(check_pieces(l.len, true), FRAME_NO_DROP);
		/* And with one bit less it is as wrong as it looks. */
		frame[l.payload + 1] ^= 1;
		assert_int_equal(check_pieces(l.len, true), RX_BAD_CSUM);
	}
}

static void other_wrong_checksums_are_left_to_the_receiver(void **state)
{
	struct fields f;
	struct layout l = packet(&f, ORACLE_FULL);
	size_t field = l.l4 + (f.proto == ORACLE_TCP ? 16 : 6);
	uint8_t full[2];

	memcpy(full, frame + field, 2);
	oracle_build(&f, ORACLE_PARTIAL, frame);
	frame[field] = (uint8_t)(frame[field] + 1);
	assert_int_equal(check_pieces(l.len, true), FRAME_NO_DROP);
}

static void frames_that_were_cut_off_are_found(void **state)
{
	for (unsigned i = 0; i < N_RANDOM; i++) {
		struct fields f;
		struct layout l = packet(&f, ORACLE_FULL);

		if (f.n_payload < 2 || looks_alike(&f))
			continue;
		assert_int_equal(check_pieces(l.len - dice_in(1, (uint32_t)f.n_payload), true),
				 RX_TOO_LONG);
		assert_int_equal(check_pieces(l.len - 1, false), FRAME_NO_DROP);
	}
}

/* What the host has merged: its checksum holds the pseudo header's sum, too. */
static void merged_frames_are_too_long_before_unfilled(void **state)
{
	for (unsigned i = 0; i < N_RANDOM; i++) {
		struct fields f;
		struct layout l = packet(&f, ORACLE_PARTIAL);

		if (f.n_payload < 2 || looks_alike(&f))
			continue;
		assert_int_equal(check_pieces(l.len - dice_in(1, (uint32_t)f.n_payload), true),
				 RX_TOO_LONG);
		assert_int_equal(check_pieces(l.len - 1, false), RX_BAD_CSUM);
	}
}

static void fragments_and_padding_pass(void **state)
{
	struct fields f;
	struct layout l;

	do {
		packet(&f, ORACLE_PARTIAL);
	} while (f.v6);
	f.frag = 0x2000;
	l = oracle_build(&f, ORACLE_PARTIAL, frame);
	assert_int_equal(check_pieces(l.len, false), FRAME_NO_DROP);
	f.frag = 0;
	f.n_payload = 0;
	l = oracle_build(&f, ORACLE_FULL, frame);
	memset(frame + l.len, 0xaa, 46); /* behind the packet anything may stand */
	assert_int_equal(check_pieces(l.len + 46, true), FRAME_NO_DROP);
	l = oracle_build(&f, ORACLE_PARTIAL, frame);
	memset(frame + l.len, 0xaa, 46);
	assert_int_equal(check_pieces(l.len + 46, true), RX_BAD_CSUM);
}

/* No byte behind the frame is read, whatever it says (the address sanitizer watches). */
static void hostile_lengths_are_harmless(void **state)
{
	for (unsigned i = 0; i < N_COMMON; i++) {
		struct fields f;
		struct layout l = packet(&f, dice_once_in(2) ? ORACLE_PARTIAL : ORACLE_FULL);
		uint32_t n = dice_in(0, dice_once_in(2) ? 120 : (uint32_t)l.len);
		uint8_t *exact = malloc(n + !n);
		struct seg s = {exact, n};

		for (unsigned k = dice_in(0, 4); k; k--)
			frame[dice_in(0, l.l4 + 20)] = (uint8_t)dice();
		memcpy(exact, frame, n);
		sum_check(&s, n != 0, n, dice_once_in(2));
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unfilled_checksums_are_found),
		cmocka_unit_test(correct_frames_pass),
		cmocka_unit_test(correct_frames_that_look_unfilled_pass),
		cmocka_unit_test(other_wrong_checksums_are_left_to_the_receiver),
		cmocka_unit_test(frames_that_were_cut_off_are_found),
		cmocka_unit_test(merged_frames_are_too_long_before_unfilled),
		cmocka_unit_test(fragments_and_padding_pass),
		cmocka_unit_test(hostile_lengths_are_harmless),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
