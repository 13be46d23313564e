/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a frame becomes for a receiver, byte for byte as the oracle builds it from fields.
 *
 * How      Random frames (tags, options, extension headers, odd lengths) go through
 *          offload_accept() and the packetiser as a driver would do it: the tags changed on the way, the
 *          payload copied in random pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "switch/frame.h"
#include "switch/packets.h"
#include "tests/unit/dice.h"
#include "tests/unit/packet_oracle.h"
#include "tests/unit/packet_random.h"

#define ROUNDS 4000
#define ALL    (OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_ECN)
#define ROOM   (FRAME_MAX + 2 * VLAN_TAG)

static uint8_t payload_bytes[ROOM];

/* A frame on its way: as it was sent, and as it is delivered, with other tags. */
struct trip {
	struct fields sent, left;
	struct vnet_hdr hdr;
	struct offload offload;
	struct layout at; /* in `frame` */
	int shift;
	uint8_t frame[ROOM]; /* as delivered */
	uint8_t head[OFFLOAD_HEAD_MAX + 2 * VLAN_TAG];
	uint32_t head_len;
};

static void random_payload(struct fields *f, size_t n)
{
	f->payload = payload_bytes;
	f->n_payload = n;
	if (dice_once_in(8))
		memset(payload_bytes, dice_once_in(2) ? 0xff : 0, n);
	else
		dice_fill(payload_bytes, n);
}

/* Sends t->sent with t->hdr: accepts it, then changes its tags. */
static void send_it(struct trip *t)
{
	struct layout at = oracle_build(&t->sent, ORACLE_PARTIAL, t->frame);
	uint32_t len = (uint32_t)at.len, n = len < OFFLOAD_HEAD_MAX ? len : OFFLOAD_HEAD_MAX;

	t->hdr.csum_start = (uint16_t)at.l4;
	t->hdr.hdr_len = (uint16_t)dice(); /* a lie does no harm */
	assert_int_equal(offload_accept(&t->hdr, t->frame, n, len, ALL, &t->offload),
			 FRAME_NO_DROP);
	assert_int_equal(t->offload.l3_off, vnet_hdr_asks(&t->hdr) ? at.l3 : 0);
	t->left = t->sent;
	random_tags(&t->left);
	t->shift = 4 * ((int)t->left.n_tags - (int)t->sent.n_tags);
	t->at = oracle_build(&t->left, ORACLE_PARTIAL, t->frame);
	t->head_len = (uint32_t)((int)n + t->shift);
	memcpy(t->head, t->frame, t->head_len);
}

static void send_tcp(struct trip *t, bool several)
{
	uint32_t most;

	random_fields(&t->sent, ORACLE_TCP);
	t->hdr = (struct vnet_hdr){
		.flags = VNET_HDR_NEEDS_CSUM | (uint8_t)(dice() & ~1u),
		.gso_type = t->sent.v6 ? VNET_HDR_GSO_TCPV6 : VNET_HDR_GSO_TCPV4,
		.csum_offset = 16,
	};
	if (t->sent.flags & ORACLE_CWR || dice_once_in(4))
		t->hdr.gso_type |= VNET_HDR_GSO_ECN;
	most = dice_once_in(20) ? FRAME_MAX - OFFLOAD_HEAD_MAX : 6000;
	t->hdr.gso_size = (uint16_t)dice_in(OFFLOAD_GSO_MIN, several ? 3000 : 60000);
	random_payload(&t->sent,
		       several ? dice_in(t->hdr.gso_size + 1u, most)
			       : dice_in(0, t->hdr.gso_size < most ? t->hdr.gso_size : most));
	send_it(t);
}

/* A driver's part: copies packet p to out in random pieces. Returns its length. */
static size_t receive(const struct trip *t, const struct packets *ps, struct packet *p,
		      uint8_t *out)
{
	const uint8_t *from = t->frame + ps->head_len + p->payload_off;
	struct csum sum = {0};
	uint32_t piece;

	for (uint32_t at = 0; at < p->payload_len; at += piece) {
		piece = dice_once_in(3) ? dice_in(0, 9) : dice_in(0, p->payload_len - at);
		piece = piece < p->payload_len - at ? piece : p->payload_len - at;
		if (p->sum)
			csum_copy(&sum, out + p->head_len + at, from + at, piece);
		else
			memcpy(out + p->head_len + at, from + at, piece);
	}
	packet_finish(p, &sum);
	memcpy(out, p->head, p->head_len);
	return p->head_len + p->payload_len;
}

static void assert_frame(const uint8_t *got, size_t got_len, const uint8_t *want, size_t len)
{
	assert_int_equal(got_len, len);
	assert_memory_equal(got, want, len);
}

/* Every byte of every packet for `peer`, and the header with it. */
static void assert_cut(struct trip *t, uint32_t peer)
{
	static uint8_t got[ROOM], want[ROOM];
	const bool full = !(peer & OFFLOAD_CSUM);
	const struct vnet_hdr hdr = {
		.flags = full ? 0 : VNET_HDR_NEEDS_CSUM,
		.csum_start = full ? 0 : (uint16_t)t->at.l4,
		.csum_offset = full ? 0 : 16,
	};
	struct fields f;
	const unsigned n = oracle_segment(&t->left, t->hdr.gso_size, 0, &f);
	struct packets ps;
	struct packet p;

	packets_begin(&ps, &t->offload, t->head, t->head_len, (uint32_t)t->at.len, t->shift, peer);
	assert_int_equal(ps.n, n);
	assert_int_equal(ps.head_len, t->at.payload);
	for (unsigned i = 0; i < n; i++) {
		assert_true(packets_next(&ps, &p));
		oracle_segment(&t->left, t->hdr.gso_size, i, &f);
		assert_frame(got, receive(t, &ps, &p, got), want,
			     oracle_build(&f, full ? ORACLE_FULL : ORACLE_PARTIAL, want).len);
		assert_memory_equal(&p.hdr, &hdr, sizeof(hdr));
		assert_int_equal(p.sum, full);
		assert_true(p.head_len + p.payload_len <=
			    offload_wire_len(&t->offload, 0) + (uint32_t)t->shift);
	}
	assert_false(packets_next(&ps, &p));
	/* What follows the headers in the snapshot is payload and stays. */
	assert_memory_equal(t->head + ps.head_len, t->frame + ps.head_len,
			    t->head_len - ps.head_len);
}

/* The one packet for `peer`, which is the delivered frame with its checksum as `sum` says. */
static struct packet assert_one(struct trip *t, uint32_t peer, enum oracle_sum sum)
{
	static uint8_t got[ROOM], want[ROOM];
	struct packets ps;
	struct packet p, none;

	packets_begin(&ps, &t->offload, t->head, t->head_len, (uint32_t)t->at.len, t->shift, peer);
	assert_int_equal(ps.n, 1);
	assert_true(packets_next(&ps, &p));
	assert_int_equal(p.sum, sum == ORACLE_FULL);
	assert_frame(got, receive(t, &ps, &p, got), want, oracle_build(&t->left, sum, want).len);
	assert_false(packets_next(&ps, &none));
	return p;
}

static uint32_t tso_bit(const struct trip *t)
{
	return t->sent.v6 ? OFFLOAD_TSO6 : OFFLOAD_TSO4;
}

static void segments_are_whole_for_who_takes_nothing(void **state)
{
	static struct trip t;

	for (unsigned round = 0; round < ROUNDS; round++) {
		send_tcp(&t, true);
		/* TSO without CSUM is nothing. */
		assert_cut(&t, dice() & ALL & ~(uint32_t)OFFLOAD_CSUM);
	}
}

static void segments_are_left_their_sum_for_who_takes_it(void **state)
{
	static struct trip t;

	for (unsigned round = 0; round < ROUNDS; round++) {
		send_tcp(&t, true);
		assert_cut(&t, OFFLOAD_CSUM | (dice() & ALL & ~tso_bit(&t)));
	}
}

static void who_takes_no_ecn_gets_segments_with_cwr_on_the_first(void **state)
{
	static struct trip t;

	for (unsigned round = 0; round < ROUNDS; round++) {
		do
			send_tcp(&t, true);
		while (!(t.hdr.gso_type & VNET_HDR_GSO_ECN));
		assert_cut(&t, ALL & ~(uint32_t)OFFLOAD_ECN);
	}
}

static void who_takes_all_gets_the_frame_and_a_rebuilt_header(void **state)
{
	static struct trip t;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct packet p;

		send_tcp(&t, true);
		p = assert_one(&t, ALL, ORACLE_PARTIAL);
		assert_int_equal(p.hdr.flags, VNET_HDR_NEEDS_CSUM);
		assert_int_equal(p.hdr.gso_type, t.hdr.gso_type);
		assert_int_equal(p.hdr.gso_size, t.hdr.gso_size);
		assert_int_equal(p.hdr.hdr_len, t.at.payload);
		assert_int_equal(p.hdr.csum_start, t.at.l4);
		assert_int_equal(p.hdr.csum_offset, 16);
		assert_int_equal(p.hdr.num_buffers, 0);
	}
}

static void tso_of_one_segment_is_a_checksum(void **state)
{
	static struct trip t;

	for (unsigned round = 0; round < ROUNDS; round++) {
		send_tcp(&t, false);
		assert_int_equal(t.offload.bits, OFFLOAD_CSUM);
		assert_int_equal(offload_wire_len(&t.offload, 1514), 1514);
		assert_one(&t, dice() & ALL & ~(uint32_t)OFFLOAD_CSUM, ORACLE_FULL);
		send_tcp(&t, false);
		assert_int_equal(assert_one(&t, OFFLOAD_CSUM, ORACLE_PARTIAL).hdr.gso_type, 0);
	}
}

static void udp_is_summed_for_who_does_not(void **state)
{
	static struct trip t;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct packet p;

		random_fields(&t.sent, ORACLE_UDP);
		random_payload(&t.sent, dice_in(0, dice_once_in(2) ? 9 : 4000));
		t.hdr = (struct vnet_hdr){.flags = VNET_HDR_NEEDS_CSUM, .csum_offset = 6};
		send_it(&t);
		p = assert_one(&t, OFFLOAD_CSUM, ORACLE_PARTIAL);
		assert_int_equal(p.hdr.flags, VNET_HDR_NEEDS_CSUM);
		assert_int_equal(p.hdr.csum_start, t.at.l4);
		assert_int_equal(p.hdr.csum_offset, 6);
		p = assert_one(&t, 0, ORACLE_FULL);
		assert_int_equal(p.hdr.flags, 0);
		assert_int_equal(p.hdr.csum_start, 0);
	}
}

/* 0 would say that there is no checksum; for TCP it is one like any other. */
static void only_udp_never_has_a_checksum_of_zero(void **state)
{
	static const struct {
		uint8_t proto, offset, stored;
	} cases[] = {{ORACLE_UDP, 6, 0xff}, {ORACLE_TCP, 16, 0}};
	static uint8_t whole[ROOM];
	static struct trip t;

	for (unsigned i = 0; i < 2 * 100; i++) {
		uint16_t unfit;
		struct layout at;

		random_fields(&t.sent, cases[i & 1].proto);
		random_payload(&t.sent, 100 + (i & 6));
		memset(payload_bytes, 0, 2);
		/* What the checksum would be, put where it is summed, makes it 0. */
		at = oracle_build(&t.sent, ORACLE_FULL, whole);
		memcpy(&unfit, whole + at.l4 + cases[i & 1].offset, 2);
		memcpy(payload_bytes, &unfit, 2);
		t.hdr = (struct vnet_hdr){.flags = 1, .csum_offset = cases[i & 1].offset};
		send_it(&t);
		assert_one(&t, 0, ORACLE_FULL);
		assert_int_equal(t.head[t.at.l4 + cases[i & 1].offset], cases[i & 1].stored);
		assert_int_equal(t.head[t.at.l4 + cases[i & 1].offset + 1], cases[i & 1].stored);
	}
}

/* As in a tunnel: any start, odd ones too, any place behind it, and the end of the frame is the
 * end. */
static void checksum_goes_where_the_header_says(void **state)
{
	static uint8_t frame[2000], head[OFFLOAD_HEAD_MAX], got[2000], want[2000];

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t len = dice_in(40, 2000), n = len < 256 ? len : 256, value;
		struct vnet_hdr h = {.flags = VNET_HDR_NEEDS_CSUM};
		struct csum sum = {0};
		struct offload o;
		struct packets ps;
		struct packet p;

		dice_fill(frame, len);
		frame[12] = 0x88; /* MPLS: nothing that we would look into */
		frame[13] = 0x47;
		h.csum_start = (uint16_t)dice_in(14, n - 2);
		h.csum_offset = (uint16_t)dice_in(0, n - 2u - h.csum_start);
		memcpy(want, frame, len);
		value = oracle_checksum(frame + h.csum_start, len - h.csum_start);
		if (h.csum_offset == 6 && !value)
			value = 0xffff;
		want[h.csum_start + h.csum_offset] = (uint8_t)(value >> 8);
		want[h.csum_start + h.csum_offset + 1] = (uint8_t)value;
		assert_int_equal(offload_accept(&h, frame, n, len, ALL, &o), FRAME_NO_DROP);
		memcpy(head, frame, n);
		packets_begin(&ps, &o, head, n, len, 0, 0);
		assert_true(packets_next(&ps, &p));
		assert_int_equal(p.head_len, n);
		csum_copy(&sum, got + n, frame + n, p.payload_len);
		packet_finish(&p, &sum);
		memcpy(got, p.head, n);
		assert_frame(got, n + p.payload_len, want, len);
	}
}

static void frame_without_offload_is_one_packet_as_it_is(void **state)
{
	static struct trip t;

	for (unsigned round = 0; round < 100; round++) {
		struct packet p;

		random_fields(&t.sent, ORACLE_TCP);
		random_payload(&t.sent, dice_in(0, 2000));
		t.hdr = (struct vnet_hdr){.flags = VNET_HDR_DATA_VALID};
		send_it(&t);
		assert_int_equal(t.offload.bits, 0);
		p = assert_one(&t, dice() & ALL, ORACLE_PARTIAL);
		assert_int_equal(p.hdr.flags | p.hdr.gso_type | p.hdr.csum_start, 0);
	}
}

/* One segment more than the identification has numbers left, and the sequence number likewise. */
static void identification_and_sequence_wrap(void **state)
{
	static struct trip t;

	for (unsigned round = 0; round < 100; round++) {
		do {
			random_fields(&t.sent, ORACLE_TCP);
		} while (t.sent.v6);
		t.sent.id = (uint16_t)(0xffff - dice_in(0, 2));
		t.sent.seq = 0xffffffff - dice_in(0, 400);
		random_payload(&t.sent, 500);
		t.hdr = (struct vnet_hdr){
			.flags = 1, .gso_type = 0x81, .gso_size = 100, .csum_offset = 16};
		send_it(&t);
		assert_cut(&t, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_are_whole_for_who_takes_nothing),
		cmocka_unit_test(segments_are_left_their_sum_for_who_takes_it),
		cmocka_unit_test(who_takes_no_ecn_gets_segments_with_cwr_on_the_first),
		cmocka_unit_test(who_takes_all_gets_the_frame_and_a_rebuilt_header),
		cmocka_unit_test(tso_of_one_segment_is_a_checksum),
		cmocka_unit_test(udp_is_summed_for_who_does_not),
		cmocka_unit_test(only_udp_never_has_a_checksum_of_zero),
		cmocka_unit_test(checksum_goes_where_the_header_says),
		cmocka_unit_test(frame_without_offload_is_one_packet_as_it_is),
		cmocka_unit_test(identification_and_sequence_wrap),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
