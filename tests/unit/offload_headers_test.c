/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which headers of a frame go with what its sender asks for, one rule a test: where a sum may begin and end,
 * and what TCP has to stand behind.
 */
#include <string.h>

#include "tests/unit/offload_ask.h"

/* IPv6 with one extension header of 8 bytes between. */
static struct ask *ask_extended(uint8_t extension)
{
	struct ask *a = ask_tso(true, 0);

	a->f.n_extensions = 1;
	a->f.extensions[0] = extension;
	a->f.extension_lens[0] = 8;
	a->f.n_between = 8;
	a->hdr.csum_start = 0;
	ask_build(a);
	return a;
}

/* One byte of the frame, first asserted to be what it is there. */
static void change(struct ask *a, size_t at, uint8_t from, uint8_t to)
{
	assert_int_equal(a->frame[at], from);
	a->frame[at] = to;
}

static void type_has_to_be_the_frames(void **state)
{
	struct ask *a = ask_tso(false, 1);

	a->hdr.gso_type = VNET_HDR_GSO_TCPV6;
	ask_assert_bad(a);
	a = ask_tso(true, 1);
	a->hdr.gso_type = VNET_HDR_GSO_TCPV4;
	ask_assert_bad(a);
	a = ask_tso(false, 0);
	change(a, 12, 0x08, 0x88); /* MPLS, whatever the rest looks like */
	ask_assert_bad(a);
	a = ask_tso(true, 0);
	change(a, 12, 0x86, 0x88);
	ask_assert_bad(a);
}

static void headers_may_stand_behind_two_tags(void **state)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (unsigned n_tags = 0; n_tags < 3; n_tags++) {
			struct ask *a = ask_tso(v6, n_tags);

			ask_assert_good(a, OFFLOAD_CSUM | (v6 ? OFFLOAD_TSO6 : OFFLOAD_TSO4));
			assert_int_equal(a->o.l3_off, 14 + 4 * n_tags);
			assert_int_equal(a->o.csum_start, a->at.l4);
			assert_int_equal(a->o.hdr_len, a->at.payload);
			assert_int_equal(a->o.gso_size, ASK_GSO_SIZE);
		}
	ask_assert_bad(ask_tso(false, 3));
	ask_assert_bad(ask_tso(true, 3));
}

static void sum_has_to_end_within_frame_and_snapshot(void **state)
{
	struct ask *a = ask_csum(ORACLE_UDP);

	a->hdr.csum_start = 100;
	a->hdr.csum_offset = OFFLOAD_HEAD_MAX - 2 - 100;
	ask_assert_good(a, OFFLOAD_CSUM);
	assert_int_equal(a->o.csum_start + a->o.csum_offset, OFFLOAD_HEAD_MAX - 2);
	a->hdr.csum_offset++;
	ask_assert_bad(a);
	a->hdr.csum_start = 0xffff; /* no wrap */
	a->hdr.csum_offset = 100;
	ask_assert_bad(a);
	a->hdr.csum_start = 100;
	a->hdr.csum_offset = 0xffff;
	ask_assert_bad(a);
	a->hdr.csum_offset = 10;
	a->len = 112;
	ask_assert_good(a, OFFLOAD_CSUM);
	a->len = 111;
	ask_assert_bad(a);
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

static void sum_begins_behind_the_tags(void **state)
{
	for (unsigned n_tags = 0; n_tags < 3; n_tags++) {
		struct ask *a = ask_tso(false, n_tags);

		change(a, a->at.l3 - 2, 0x08, 0x88); /* no IP to look into */
		a->hdr.gso_type = 0;
		a->hdr.csum_start = (uint16_t)a->at.l3;
		a->hdr.csum_offset = 0;
		ask_assert_good(a, OFFLOAD_CSUM);
		a->hdr.csum_start--;
		a->hdr.csum_offset = 30;
		ask_assert_bad(a);
		a->hdr.csum_start = 0;
		ask_assert_bad(a);
	}
}

/* Nor an address, a protocol or a port: the field stands behind `first`, wherever the sum begins.
 */
static void assert_first_field(struct ask *a, size_t first)
{
	for (uint16_t start = (uint16_t)a->at.l3; start < first; start++) {
		a->hdr.csum_start = start;
		a->hdr.csum_offset = (uint16_t)(first - start);
		ask_assert_good(a, OFFLOAD_CSUM);
		a->hdr.csum_offset--;
		ask_assert_bad(a);
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
		ask_assert_bad(a);
	a->hdr.gso_type = 0;
	a->hdr.csum_start = 0;
	a->hdr.csum_offset = 0;
	for (a->len = 1; a->len < a->at.payload; a->len++)
		ask_assert_bad(a);
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

		ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4);
		change(a, a->at.l3 + cases[i].at, cases[i].from, cases[i].to);
		ask_assert_bad(a);
	}
}

static void ipv6_has_to_be_tcp(void **state)
{
	struct ask *a = ask_tso(true, 0);

	change(a, a->at.l3, 0x60, 0x40);
	ask_assert_bad(a);
	a = ask_tso(true, 0);
	change(a, a->at.l3 + 6, ORACLE_TCP, ORACLE_UDP);
	ask_assert_bad(a);
}

/* Those that may stand before every segment: hop by hop, routing, destination. */
static void ipv6_extensions_have_to_lead_to_tcp(void **state)
{
	for (unsigned proto = 0; proto < 256; proto++) {
		struct ask *a = ask_extended((uint8_t)proto);
		bool good = proto == 0 || proto == 43 || proto == 60;

		assert_int_equal(ask_verdict(a), good ? FRAME_NO_DROP : RX_BAD_OFFLOAD);
		if (!good)
			continue;
		a->hdr.csum_start = (uint16_t)(a->at.l4 - 8); /* at the extension */
		ask_assert_bad(a);
		a->hdr.csum_start = (uint16_t)(a->at.l4 - 1); /* within it */
		ask_assert_bad(a);
		a->hdr.csum_start = (uint16_t)(a->at.l4 + 8); /* behind TCP's begin */
		ask_assert_bad(a);
		a->hdr.csum_start = (uint16_t)a->at.l4;
		ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO6);
		change(a, a->at.l4 - 7, 0, 1); /* longer than up to the sum */
		ask_assert_bad(a);
		a->frame[a->at.l4 - 7] = 0;
		change(a, a->at.l4 - 8, ORACLE_TCP, ORACLE_UDP);
		ask_assert_bad(a);
	}
}

static void tcp_header_has_to_be_whole(void **state)
{
	struct ask *a = ask_tso(false, 0);

	change(a, a->at.l4 + 12, 0x50, 0x40); /* shorter than TCP can be */
	ask_assert_bad(a);
	a->frame[a->at.l4 + 12] = 0xf0;
	ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4);
	assert_int_equal(a->o.hdr_len, a->at.l4 + 60);
	a->len = a->o.hdr_len;
	ask_assert_good(a, OFFLOAD_CSUM);
	a->len--;
	ask_assert_bad(a);
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
		ask_build(a);
		if (a->at.payload <= OFFLOAD_HEAD_MAX)
			ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO6);
		else
			ask_assert_bad(a);
	}
}

static void tcp_has_its_checksum_at_16(void **state)
{
	for (uint16_t off = 4; off < 40; off++) {
		struct ask *a = ask_tso(false, 0);

		a->hdr.csum_offset = off;
		assert_int_equal(ask_verdict(a), off == 16 ? FRAME_NO_DROP : RX_BAD_OFFLOAD);
	}
}

/* As in Linux: the frame's length counts, whatever IP says of it. */
static void lengths_of_ip_are_not_looked_at(void **state)
{
	struct ask *a = ask_tso(false, 0);

	a->frame[a->at.l3 + 2] ^= 0x5a;
	ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO4);
	a = ask_tso(true, 0);
	a->frame[a->at.l3 + 4] ^= 0x5a;
	ask_assert_good(a, OFFLOAD_CSUM | OFFLOAD_TSO6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(type_has_to_be_the_frames),
		cmocka_unit_test(headers_may_stand_behind_two_tags),
		cmocka_unit_test(sum_has_to_end_within_frame_and_snapshot),
		cmocka_unit_test(third_tag_is_refused),
		cmocka_unit_test(sum_begins_behind_the_tags),
		cmocka_unit_test(sum_goes_behind_what_is_decided_on),
		cmocka_unit_test(frame_shorter_than_its_tags_is_bad),
		cmocka_unit_test(ipv4_has_to_be_a_whole_packet_of_tcp),
		cmocka_unit_test(ipv6_has_to_be_tcp),
		cmocka_unit_test(ipv6_extensions_have_to_lead_to_tcp),
		cmocka_unit_test(tcp_header_has_to_be_whole),
		cmocka_unit_test(headers_have_to_fit_the_snapshot),
		cmocka_unit_test(tcp_has_its_checksum_at_16),
		cmocka_unit_test(lengths_of_ip_are_not_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
