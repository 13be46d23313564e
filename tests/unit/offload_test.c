/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a sender may ask for, one rule a test: the request is good, one thing in it is changed, and
 * it is not. Then whatever chance brings: what is accepted lies within the frame.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "switch/frame.h"
#include "switch/packets.h"
#include "tests/unit/dice.h"
#include "tests/unit/packet_oracle.h"

#define ALL	  (OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_ECN)
#define GSO_SIZE  100
#define N_PAYLOAD 1000

/* A request as it comes from a guest. */
struct ask {
	struct fields f;
	struct vnet_hdr hdr;
	uint32_t allowed;
	uint32_t len; /* of the frame that is built; 0: all of it */
	struct layout at;
	uint8_t frame[4096];
	struct offload o;
};

static const uint8_t payload[N_PAYLOAD];

static void build(struct ask *a)
{
	a->at = oracle_build(&a->f, ORACLE_PARTIAL, a->frame);
	if (a->hdr.flags & VNET_HDR_NEEDS_CSUM && !a->hdr.csum_start)
		a->hdr.csum_start = (uint16_t)a->at.l4;
}

static struct ask *ask_csum(uint8_t proto)
{
	static struct ask a;

	a = (struct ask){
		.f = {.ttl = 64,
		      .proto = proto,
		      .payload = payload,
		      .n_payload = N_PAYLOAD,
		      .sport = 1,
		      .dport = 2,
		      .frag = 0x4000},
		.hdr = {.flags = VNET_HDR_NEEDS_CSUM, .csum_offset = proto == ORACLE_TCP ? 16 : 6},
		.allowed = ALL,
	};
	build(&a);
	return &a;
}

static struct ask *ask_tso(bool v6, unsigned n_tags)
{
	struct ask *a = ask_csum(ORACLE_TCP);

	a->f.v6 = v6;
	a->f.n_tags = n_tags;
	for (unsigned i = 0; i < n_tags; i++)
		a->f.tags[i][0] = i ? 0x8100 : 0x88a8;
	a->hdr.gso_type = v6 ? VNET_HDR_GSO_TCPV6 : VNET_HDR_GSO_TCPV4;
	a->hdr.gso_size = GSO_SIZE;
	a->hdr.csum_start = 0;
	build(a);
	return a;
}

/* IPv6 with one extension header of 8 bytes between. */
static struct ask *ask_extended(uint8_t extension)
{
	struct ask *a = ask_tso(true, 0);

	a->f.n_extensions = 1;
	a->f.extensions[0] = extension;
	a->f.extension_lens[0] = 8;
	a->f.n_between = 8;
	a->hdr.csum_start = 0;
	build(a);
	return a;
}

static uint8_t verdict(struct ask *a)
{
	uint32_t len = a->len ? a->len : (uint32_t)a->at.len;

	memset(&a->o, 0xa5, sizeof(a->o));
	return offload_accept(&a->hdr, a->frame, len < OFFLOAD_HEAD_MAX ? len : OFFLOAD_HEAD_MAX,
			      len, a->allowed, &a->o);
}

static void assert_good(struct ask *a, uint32_t bits)
{
	assert_int_equal(verdict(a), FRAME_NO_DROP);
	assert_int_equal(a->o.bits, bits);
}

static void assert_bad(struct ask *a)
{
	const struct offload none = {0};

	assert_int_equal(verdict(a), RX_BAD_OFFLOAD);
	assert_memory_equal(&a->o, &none, sizeof(none));
}

/* One byte of the frame, first asserted to be what it is there. */
static void change(struct ask *a, size_t at, uint8_t from, uint8_t to)
{
	assert_int_equal(a->frame[at], from);
	a->frame[at] = to;
}

static void nothing_asked_is_nothing_left(void **state)
{
	struct ask *a = ask_csum(ORACLE_TCP);

	a->hdr = (struct vnet_hdr){.hdr_len = 9, .gso_size = 9, .csum_start = 9, .csum_offset = 9};
	a->allowed = 0;
	assert_good(a, 0);
	a->hdr.flags = 0xff & ~VNET_HDR_NEEDS_CSUM; /* DATA_VALID, and what nobody knows */
	assert_good(a, 0);
	assert_int_equal(a->o.csum_start, 0);
	a->hdr.flags = 0;
	a->len = 1; /* shorter than any header: not for us to say */
	assert_good(a, 0);
}

static void offload_has_to_be_negotiated(void **state)
{
	struct ask *a = ask_csum(ORACLE_UDP);

	assert_good(a, OFFLOAD_CSUM);
	a->allowed = ALL & ~OFFLOAD_CSUM;
	assert_bad(a);
	for (int v6 = 0; v6 < 2; v6++) {
		uint32_t bit = v6 ? OFFLOAD_TSO6 : OFFLOAD_TSO4;

		a = ask_tso(v6, 0);
		a->allowed = OFFLOAD_CSUM | bit;
		assert_good(a, OFFLOAD_CSUM | bit);
		a->allowed = ALL & ~bit;
		assert_bad(a);
		a->allowed = ALL & ~OFFLOAD_CSUM;
		assert_bad(a);
	}
}

static void ecn_has_to_be_negotiated_and_goes_with_tso(void **state)
{
	struct ask *a = ask_tso(false, 0);

	a->hdr.gso_type |= VNET_HDR_GSO_ECN;
	assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_ECN);
	a->allowed = ALL & ~OFFLOAD_ECN;
	assert_bad(a);
	a->allowed = ALL;
	a->hdr.gso_type = VNET_HDR_GSO_ECN;
	assert_bad(a);
}

static void tso_needs_a_checksum(void **state)
{
	struct ask *a = ask_tso(false, 0);

	a->hdr.flags = 0;
	assert_bad(a);
	a->hdr.flags = VNET_HDR_DATA_VALID;
	assert_bad(a);
}

static void only_tcp_types_are_known(void **state)
{
	for (unsigned i = 0; i < 2 * 256; i++) {
		struct ask *a = ask_tso(i & 1, 0);
		uint8_t known = i & 1 ? VNET_HDR_GSO_TCPV6 : VNET_HDR_GSO_TCPV4;

		a->hdr.gso_type = (uint8_t)(i / 2); /* UDP among them */
		if (!a->hdr.gso_type)
			assert_good(a, OFFLOAD_CSUM);
		else if ((a->hdr.gso_type & ~VNET_HDR_GSO_ECN) == known)
			assert_int_equal(verdict(a), FRAME_NO_DROP);
		else
			assert_bad(a);
	}
}

static void type_has_to_be_the_frames(void **state)
{
	struct ask *a = ask_tso(false, 1);

	a->hdr.gso_type = VNET_HDR_GSO_TCPV6;
	assert_bad(a);
	a = ask_tso(true, 1);
	a->hdr.gso_type = VNET_HDR_GSO_TCPV4;
	assert_bad(a);
	a = ask_tso(false, 0);
	change(a, 12, 0x08, 0x88); /* MPLS, whatever the rest looks like */
	assert_bad(a);
	a = ask_tso(true, 0);
	change(a, 12, 0x86, 0x88);
	assert_bad(a);
}

static void headers_may_stand_behind_two_tags(void **state)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (unsigned n_tags = 0; n_tags < 3; n_tags++) {
			struct ask *a = ask_tso(v6, n_tags);

			assert_good(a, OFFLOAD_CSUM | (v6 ? OFFLOAD_TSO6 : OFFLOAD_TSO4));
			assert_int_equal(a->o.l3_off, 14 + 4 * n_tags);
			assert_int_equal(a->o.csum_start, a->at.l4);
			assert_int_equal(a->o.hdr_len, a->at.payload);
			assert_int_equal(a->o.gso_size, GSO_SIZE);
		}
	assert_bad(ask_tso(false, 3));
	assert_bad(ask_tso(true, 3));
}

static void sum_has_to_end_within_frame_and_snapshot(void **state)
{
	struct ask *a = ask_csum(ORACLE_UDP);

	a->hdr.csum_start = 100;
	a->hdr.csum_offset = OFFLOAD_HEAD_MAX - 2 - 100;
	assert_good(a, OFFLOAD_CSUM);
	assert_int_equal(a->o.csum_start + a->o.csum_offset, OFFLOAD_HEAD_MAX - 2);
	a->hdr.csum_offset++;
	assert_bad(a);
	a->hdr.csum_start = 0xffff; /* no wrap */
	a->hdr.csum_offset = 100;
	assert_bad(a);
	a->hdr.csum_start = 100;
	a->hdr.csum_offset = 0xffff;
	assert_bad(a);
	a->hdr.csum_offset = 10;
	a->len = 112;
	assert_good(a, OFFLOAD_CSUM);
	a->len = 111;
	assert_bad(a);
}

/* Else a sum could make another VLAN's tag of one that was looked at. */
/* Links take tags off, one each: a sum before the last one would then be among the addresses. */
static void third_tag_is_refused(void **state)
{
	static const uint8_t tag[4] = {0x81, 0, 0, 0};
	uint8_t frame[64] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	const struct vnet_hdr h = {
		.flags = VNET_HDR_NEEDS_CSUM, .csum_start = 26, .csum_offset = 16};
	struct offload o;

	for (unsigned n_tags = 0; n_tags < 6; n_tags++) {
		for (unsigned i = 0; i < 6; i++)
			memcpy(frame + 12 + 4 * i,
			       i < n_tags ? tag : (const uint8_t[]){0x88, 0xb5, 0, 0}, 4);
		assert_int_equal(
			offload_accept(&h, frame, sizeof(frame), sizeof(frame), OFFLOAD_CSUM, &o),
			n_tags < 3 ? FRAME_NO_DROP : RX_BAD_OFFLOAD);
	}
}

/* Its length field would wrap. */
static void segment_beyond_an_ip_packet_is_refused(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct ask *a = ask_tso(v6, 0);

		a->len = FRAME_MAX;
		a->hdr.gso_size = (uint16_t)(65500 - 20 * v6); /* without options */
		assert_bad(a);
		a->hdr.gso_size = 65000;
		assert_int_equal(verdict(a), FRAME_NO_DROP);
	}
}

static void sum_begins_behind_the_tags(void **state)
{
	for (unsigned n_tags = 0; n_tags < 3; n_tags++) {
		struct ask *a = ask_tso(false, n_tags);

		change(a, a->at.l3 - 2, 0x08, 0x88); /* no IP to look into */
		a->hdr.gso_type = 0;
		a->hdr.csum_start = (uint16_t)a->at.l3;
		a->hdr.csum_offset = 0;
		assert_good(a, OFFLOAD_CSUM);
		a->hdr.csum_start--;
		a->hdr.csum_offset = 30;
		assert_bad(a);
		a->hdr.csum_start = 0;
		assert_bad(a);
	}
}

/* Nor an address, a protocol or a port: the field stands behind `first`, wherever the sum begins.
 */
static void assert_first_field(struct ask *a, size_t first)
{
	for (uint16_t start = (uint16_t)a->at.l3; start < first; start++) {
		a->hdr.csum_start = start;
		a->hdr.csum_offset = (uint16_t)(first - start);
		assert_good(a, OFFLOAD_CSUM);
		a->hdr.csum_offset--;
		assert_bad(a);
	}
}

static void sum_goes_behind_what_is_decided_on(void **state)
{
	struct ask *a = ask_csum(ORACLE_UDP);

	assert_first_field(a, a->at.l4 + 4);
	change(a, a->at.l3 + 9, ORACLE_UDP, 47); /* no ports */
	assert_first_field(a, a->at.l4);
	change(a, a->at.l3, 0x45, 0x40); /* shorter than IPv4 can be */
	assert_first_field(a, a->at.l4);
	a->frame[a->at.l3] = 0x4f;
	assert_first_field(a, a->at.l3 + 60);
	change(a, a->at.l3 - 1, 0x00, 0x06); /* ARP */
	assert_first_field(a, a->at.l3 + 28);
	a = ask_tso(true, 2);
	a->hdr.gso_type = 0;
	assert_first_field(a, a->at.l4 + 4);
	change(a, a->at.l3 + 6, ORACLE_TCP, 47);
	assert_first_field(a, a->at.l4);
}

static void frame_shorter_than_its_tags_is_bad(void **state)
{
	struct ask *a = ask_tso(false, 2);

	for (a->len = 1; a->len < a->at.payload; a->len++)
		assert_bad(a);
	a->hdr.gso_type = 0;
	a->hdr.csum_start = 0;
	a->hdr.csum_offset = 0;
	for (a->len = 1; a->len < a->at.payload; a->len++)
		assert_bad(a);
}

static void ipv4_has_to_be_a_whole_packet_of_tcp(void **state)
{
	static const struct {
		uint8_t at, from, to;
	} cases[] = {
		{0, 0x45, 0x55}, /* version */
		{0, 0x45, 0x44}, /* shorter than IPv4 can be */
		{0, 0x45, 0x46}, /* TCP elsewhere than the sum */
		{6, 0x40, 0x20}, /* more fragments */
		{6, 0x40, 0x01}, /* an offset, high … */
		{7, 0x00, 0x01}, /* … and low */
		{9, ORACLE_TCP, ORACLE_UDP},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ask *a = ask_tso(false, 0);

		assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4);
		change(a, a->at.l3 + cases[i].at, cases[i].from, cases[i].to);
		assert_bad(a);
	}
}

static void ipv6_has_to_be_tcp(void **state)
{
	struct ask *a = ask_tso(true, 0);

	change(a, a->at.l3, 0x60, 0x40);
	assert_bad(a);
	a = ask_tso(true, 0);
	change(a, a->at.l3 + 6, ORACLE_TCP, ORACLE_UDP);
	assert_bad(a);
}

/* Those that may stand before every segment: hop by hop, routing, destination. */
static void ipv6_extensions_have_to_lead_to_tcp(void **state)
{
	for (unsigned proto = 0; proto < 256; proto++) {
		struct ask *a = ask_extended((uint8_t)proto);
		bool good = proto == 0 || proto == 43 || proto == 60;

		assert_int_equal(verdict(a), good ? FRAME_NO_DROP : RX_BAD_OFFLOAD);
		if (!good)
			continue;
		a->hdr.csum_start = (uint16_t)(a->at.l4 - 8); /* at the extension */
		assert_bad(a);
		a->hdr.csum_start = (uint16_t)(a->at.l4 - 1); /* within it */
		assert_bad(a);
		a->hdr.csum_start = (uint16_t)(a->at.l4 + 8); /* behind TCP's begin */
		assert_bad(a);
		a->hdr.csum_start = (uint16_t)a->at.l4;
		assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO6);
		change(a, a->at.l4 - 7, 0, 1); /* longer than up to the sum */
		assert_bad(a);
		a->frame[a->at.l4 - 7] = 0;
		change(a, a->at.l4 - 8, ORACLE_TCP, ORACLE_UDP);
		assert_bad(a);
	}
}

static void tcp_header_has_to_be_whole(void **state)
{
	struct ask *a = ask_tso(false, 0);

	change(a, a->at.l4 + 12, 0x50, 0x40); /* shorter than TCP can be */
	assert_bad(a);
	a->frame[a->at.l4 + 12] = 0xf0;
	assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4);
	assert_int_equal(a->o.hdr_len, a->at.l4 + 60);
	a->len = a->o.hdr_len;
	assert_good(a, OFFLOAD_CSUM);
	a->len--;
	assert_bad(a);
}

static void headers_have_to_fit_the_snapshot(void **state)
{
	struct ask *a = ask_tso(true, 0);

	/* 14 + 40 + 160 + 20 + 20 = 254; four more are 258. */
	a->f.n_extensions = 1;
	a->f.extensions[0] = 60;
	a->f.extension_lens[0] = a->f.n_between = 160;
	for (a->f.n_options = 20; a->f.n_options <= 24; a->f.n_options += 4) {
		a->hdr.csum_start = 0;
		build(a);
		if (a->at.payload <= OFFLOAD_HEAD_MAX)
			assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO6);
		else
			assert_bad(a);
	}
}

static void tcp_has_its_checksum_at_16(void **state)
{
	for (uint16_t off = 4; off < 40; off++) {
		struct ask *a = ask_tso(false, 0);

		a->hdr.csum_offset = off;
		assert_int_equal(verdict(a), off == 16 ? FRAME_NO_DROP : RX_BAD_OFFLOAD);
	}
}

static void segments_have_a_least_size(void **state)
{
	struct ask *a = ask_tso(false, 0);

	a->hdr.gso_size = OFFLOAD_GSO_MIN;
	assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4);
	a->hdr.gso_size--;
	assert_bad(a);
	a->hdr.gso_size = 0;
	assert_bad(a);
}

static void tso_of_one_segment_is_a_checksum(void **state)
{
	struct ask *a = ask_tso(true, 1);

	a->hdr.gso_type |= VNET_HDR_GSO_ECN;
	a->hdr.gso_size = N_PAYLOAD - 1;
	assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO6 | OFFLOAD_ECN);
	a->hdr.gso_size++;
	assert_good(a, OFFLOAD_CSUM);
	assert_int_equal(a->o.gso_size, 0);
	a->hdr.gso_size = 0xffff;
	assert_good(a, OFFLOAD_CSUM);
}

/* As in Linux: the frame's length counts, whatever IP says of it. */
static void lengths_of_ip_are_not_looked_at(void **state)
{
	struct ask *a = ask_tso(false, 0);

	a->frame[a->at.l3 + 2] ^= 0x5a;
	assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4);
	a = ask_tso(true, 0);
	a->frame[a->at.l3 + 4] ^= 0x5a;
	assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO6);
}

static void wire_length_is_that_of_a_full_segment(void **state)
{
	struct ask *a = ask_tso(false, 0);

	assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4);
	assert_int_equal(offload_wire_len(&a->o, 60000), a->at.payload + GSO_SIZE);
	a->hdr.gso_type = 0;
	assert_good(a, OFFLOAD_CSUM);
	assert_int_equal(offload_wire_len(&a->o, 1514), 1514);
}

static void missing_is_what_the_receiver_does_not_take(void **state)
{
	const uint32_t c = OFFLOAD_CSUM, t4 = OFFLOAD_TSO4, t6 = OFFLOAD_TSO6, e = OFFLOAD_ECN;
	const struct {
		uint32_t bits, peer, missing;
	} cases[] = {
		{0, 0, 0},
		{0, ALL, 0},
		{c, 0, c},
		{c, c, 0},
		{c, t4 | t6, c},
		{c | t4, c | t4, 0},
		{c | t4, c | t6, t4},
		{c | t4, 0, c | t4},
		{c | t4, t4 | t6 | e, c | t4}, /* no TSO without a checksum */
		{c | t6, c | t6, 0},
		{c | t6, c | t4 | e, t6},
		{c | t6 | e, ALL, 0},
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
	assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_ECN);
	for (int shift = -4; shift <= 4; shift += 4) {
		const struct vnet_hdr want = {
			.flags = VNET_HDR_NEEDS_CSUM,
			.gso_type = VNET_HDR_GSO_TCPV4 | VNET_HDR_GSO_ECN,
			.hdr_len = (uint16_t)(18 + 20 + 20 + shift),
			.gso_size = GSO_SIZE,
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
	const uint32_t peers[] = {0, OFFLOAD_CSUM, ALL};
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
		if (offload_accept(&a->hdr, frame, n, a->len, ALL, &a->o) == FRAME_NO_DROP) {
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
		cmocka_unit_test(type_has_to_be_the_frames),
		cmocka_unit_test(headers_may_stand_behind_two_tags),
		cmocka_unit_test(sum_has_to_end_within_frame_and_snapshot),
		cmocka_unit_test(third_tag_is_refused),
		cmocka_unit_test(segment_beyond_an_ip_packet_is_refused),
		cmocka_unit_test(sum_begins_behind_the_tags),
		cmocka_unit_test(sum_goes_behind_what_is_decided_on),
		cmocka_unit_test(frame_shorter_than_its_tags_is_bad),
		cmocka_unit_test(ipv4_has_to_be_a_whole_packet_of_tcp),
		cmocka_unit_test(ipv6_has_to_be_tcp),
		cmocka_unit_test(ipv6_extensions_have_to_lead_to_tcp),
		cmocka_unit_test(tcp_header_has_to_be_whole),
		cmocka_unit_test(headers_have_to_fit_the_snapshot),
		cmocka_unit_test(tcp_has_its_checksum_at_16),
		cmocka_unit_test(segments_have_a_least_size),
		cmocka_unit_test(tso_of_one_segment_is_a_checksum),
		cmocka_unit_test(lengths_of_ip_are_not_looked_at),
		cmocka_unit_test(wire_length_is_that_of_a_full_segment),
		cmocka_unit_test(missing_is_what_the_receiver_does_not_take),
		cmocka_unit_test(header_follows_the_tags),
		cmocka_unit_test(whatever_is_accepted_lies_within_the_frame),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
