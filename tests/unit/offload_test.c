/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a sender may ask for, one rule a test: the request is good, one thing in it is changed, and it is not.
 * Then whatever chance brings: what is accepted lies within the frame.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/dice.h"
#include "tests/unit/offload_ask.h"

static void nothing_asked_is_nothing_left(void **state)
{
	struct ask *a = ask_csum(ORACLE_TCP);

	a->hdr = (struct vnet_hdr){.hdr_len = 9, .gso_size = 9, .csum_start = 9, .csum_offset = 9};
	a->allowed = 0;
	ask_assert_good(a, 0);
	a->hdr.flags = 0xff & ~VNET_HDR_NEEDS_CSUM; /* DATA_VALID, and what nobody knows */
	ask_assert_good(a, 0);
	assert_int_equal(a->o.csum_start, 0);
	a->hdr.flags = 0;
	a->len = 1; /* shorter than any header: not for us to say */
	ask_assert_good(a, 0);
}

static void offload_has_to_be_negotiated(void **state)
{
	struct ask *a = ask_csum(ORACLE_UDP);

	ask_assert_good(a, OFFLOAD_CSUM);
	a->allowed = ASK_ALL & ~OFFLOAD_CSUM;
	ask_assert_bad(a);
	for (int v6 = 0; v6 < 2; v6++) {
		uint32_t bit = v6 ? OFFLOAD_TSO6 : OFFLOAD_TSO4;

		a = ask_tso(v6, 0);
		a->allowed = OFFLOAD_CSUM | bit;
		ask_assert_good(a, OFFLOAD_CSUM | bit);
		a->allowed = ASK_ALL & ~bit;
		ask_assert_bad(a);
		a->allowed = ASK_ALL & ~OFFLOAD_CSUM;
		ask_assert_bad(a);
	}
}

static void ecn_has_to_be_negotiated_and_goes_with_tso(void **state)
{
	struct ask *a = ask_tso(false, 0);

	a->hdr.gso_type |= VNET_HDR_GSO_ECN;
	ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_ECN);
	a->allowed = ASK_ALL & ~OFFLOAD_ECN;
	ask_assert_bad(a);
	a->allowed = ASK_ALL;
	a->hdr.gso_type = VNET_HDR_GSO_ECN;
	ask_assert_bad(a);
}

static void tso_needs_a_checksum(void **state)
{
	struct ask *a = ask_tso(false, 0);

	a->hdr.flags = 0;
	ask_assert_bad(a);
	a->hdr.flags = VNET_HDR_DATA_VALID;
	ask_assert_bad(a);
}

static void only_tcp_types_are_known(void **state)
{
	for (unsigned i = 0; i < 2 * 256; i++) {
		struct ask *a = ask_tso(i & 1, 0);
		uint8_t known = i & 1 ? VNET_HDR_GSO_TCPV6 : VNET_HDR_GSO_TCPV4;

		a->hdr.gso_type = (uint8_t)(i / 2); /* UDP among them */
		if (!a->hdr.gso_type)
			ask_assert_good(a, OFFLOAD_CSUM);
		else if ((a->hdr.gso_type & ~VNET_HDR_GSO_ECN) == known)
			assert_int_equal(ask_verdict(a), FRAME_NO_DROP);
		else
			ask_assert_bad(a);
	}
}

/* Its length field would wrap. */
static void segment_beyond_an_ip_packet_is_refused(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct ask *a = ask_tso(v6, 0);

		a->len = FRAME_MAX;
		a->hdr.gso_size = (uint16_t)(65500 - 20 * v6); /* without options */
		ask_assert_bad(a);
		a->hdr.gso_size = 65000;
		assert_int_equal(ask_verdict(a), FRAME_NO_DROP);
	}
}

static void segments_have_a_least_size(void **state)
{
	struct ask *a = ask_tso(false, 0);

	a->hdr.gso_size = OFFLOAD_GSO_MIN;
	ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4);
	a->hdr.gso_size--;
	ask_assert_bad(a);
	a->hdr.gso_size = 0;
	ask_assert_bad(a);
}

static void tso_of_one_segment_is_a_checksum(void **state)
{
	struct ask *a = ask_tso(true, 1);

	a->hdr.gso_type |= VNET_HDR_GSO_ECN;
	a->hdr.gso_size = ASK_N_PAYLOAD - 1;
	ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO6 | OFFLOAD_ECN);
	a->hdr.gso_size++;
	ask_assert_good(a, OFFLOAD_CSUM);
	assert_int_equal(a->o.gso_size, 0);
	a->hdr.gso_size = 0xffff;
	ask_assert_good(a, OFFLOAD_CSUM);
}

static void wire_length_is_that_of_a_full_segment(void **state)
{
	struct ask *a = ask_tso(false, 0);

	ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4);
	assert_int_equal(offload_wire_len(&a->o, 60000), a->at.payload + ASK_GSO_SIZE);
	a->hdr.gso_type = 0;
	ask_assert_good(a, OFFLOAD_CSUM);
	assert_int_equal(offload_wire_len(&a->o, 1514), 1514);
}

static void missing_is_what_the_receiver_does_not_take(void **state)
{
	const uint32_t c = OFFLOAD_CSUM, t4 = OFFLOAD_TSO4, t6 = OFFLOAD_TSO6, e = OFFLOAD_ECN;
	const struct {
		uint32_t bits, peer, missing;
	} cases[] = {
		{0, 0, 0},
		{0, ASK_ALL, 0},
		{c, 0, c},
		{c, c, 0},
		{c, t4 | t6, c},
		{c | t4, c | t4, 0},
		{c | t4, c | t6, t4},
		{c | t4, 0, c | t4},
		{c | t4, t4 | t6 | e, c | t4}, /* no TSO without a checksum */
		{c | t6, c | t6, 0},
		{c | t6, c | t4 | e, t6},
		{c | t6 | e, ASK_ALL, 0},
		{c | t4 | e, c | t4 | t6, t4 | e}, /* the receiver would put CWR on every segment */
		{c | t4 | e, c | e, t4},
		{c | t4 | e, c, t4 | e},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct offload o = {.bits = (uint8_t)cases[i].bits};

		assert_int_equal(offload_missing(&o, cases[i].peer), cases[i].missing);
	}
}

static void header_follows_the_tags(void **state)
{
	struct ask *a = ask_tso(false, 1);
	struct vnet_hdr h;

	a->hdr.gso_type |= VNET_HDR_GSO_ECN;
	a->hdr.flags = 0xff;
	a->hdr.hdr_len = 0xffff;
	ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_ECN);
	for (int shift = -4; shift <= 4; shift += 4) {
		const struct vnet_hdr want = {
			.flags = VNET_HDR_NEEDS_CSUM,
			.gso_type = VNET_HDR_GSO_TCPV4 | VNET_HDR_GSO_ECN,
			.hdr_len = (uint16_t)(18 + 20 + 20 + shift),
			.gso_size = ASK_GSO_SIZE,
			.csum_start = (uint16_t)(18 + 20 + shift),
			.csum_offset = 16,
		};

		memset(&h, 0xa5, sizeof(h));
		offload_header(&a->o, shift, &h);
		assert_memory_equal(&h, &want, sizeof(h));
	}
}

/* Walks all packets as a driver would, in memory of exactly their size. */
static void walk(const struct offload *o, const uint8_t *frame, uint32_t n, uint32_t len)
{
	const uint32_t peers[] = {0, OFFLOAD_CSUM, ASK_ALL};
	uint8_t *head = malloc(n);

	for (unsigned i = 0; i < 3; i++) {
		uint32_t bytes = 0;
		struct packets ps;
		struct packet p;

		memcpy(head, frame, n);
		packets_begin(&ps, o, head, n, len, 0, peers[i]);
		while (packets_next(&ps, &p)) {
			struct csum sum = {.sum = dice()};

			assert_true(p.head_len <= n && p.payload_off == bytes);
			assert_true(!p.sum || p.field + 2u <= p.head_len);
			bytes += p.payload_len;
			packet_finish(&p, &sum);
		}
		assert_int_equal(ps.head_len + bytes, len);
		/* Without offloads nothing is touched, and a frame may be shorter than its
		 * addresses; cmocka reads past what is allocated and no sanitizer sees it. */
		assert_memory_equal(head, frame, o->bits ? o->l3_off : n);
	}
	free(head);
}

/* Any header before any frame, most of them near to a good one. */
static void whatever_is_accepted_lies_within_the_frame(void **state)
{
	unsigned n_good = 0, n_cut = 0;

	for (unsigned round = 0; round < 200000; round++) {
		struct ask *a = ask_tso(dice_once_in(2), dice_in(0, 2));
		uint8_t *fields = (uint8_t *)&a->hdr, *frame;
		uint32_t n;

		for (unsigned i = dice_in(0, 3); i; i--)
			a->frame[dice_in(12, 120)] = (uint8_t)dice();
		for (unsigned i = dice_once_in(2) ? 0 : dice_in(1, 2); i; i--)
			fields[dice_in(0, sizeof(a->hdr) - 1)] = (uint8_t)dice();
		if (dice_once_in(8))
			a->hdr = (struct vnet_hdr){0}; /* nothing asked: any length goes */
		a->len = dice_once_in(2) ? dice_in(1, 130) : dice_in(1, (uint32_t)a->at.len);
		n = a->len < OFFLOAD_HEAD_MAX ? a->len : OFFLOAD_HEAD_MAX;
		frame = malloc(n); /* what is read beyond shows under ASan */
		memcpy(frame, a->frame, n);
		if (offload_accept(&a->hdr, frame, n, a->len, ASK_ALL, &a->o) == FRAME_NO_DROP) {
			n_good++;
			n_cut += a->o.bits & OFFLOAD_TSO && 1;
			assert_true(a->o.hdr_len <= n);
			walk(&a->o, frame, n, a->len);
		}
		free(frame);
	}
	/* Chance has come everywhere. */
	assert_true(n_good > 10000 && n_cut > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_asked_is_nothing_left),
		cmocka_unit_test(offload_has_to_be_negotiated),
		cmocka_unit_test(ecn_has_to_be_negotiated_and_goes_with_tso),
		cmocka_unit_test(tso_needs_a_checksum),
		cmocka_unit_test(only_tcp_types_are_known),
		cmocka_unit_test(segment_beyond_an_ip_packet_is_refused),
		cmocka_unit_test(segments_have_a_least_size),
		cmocka_unit_test(tso_of_one_segment_is_a_checksum),
		cmocka_unit_test(wire_length_is_that_of_a_full_segment),
		cmocka_unit_test(missing_is_what_the_receiver_does_not_take),
		cmocka_unit_test(header_follows_the_tags),
		cmocka_unit_test(whatever_is_accepted_lies_within_the_frame),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
