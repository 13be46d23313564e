/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guard finds what it looks for behind tags, SNAP, extension headers and fragments, and what it has looked at
 * is what is delivered.
 */
#include <string.h>

#include "tests/unit/guard_frame.h"

/* ---- behind headers ---- */

/* A foreign source behind these; and the same frame with its own. */
static void assert_seen_behind(const uint8_t *headers, size_t n)
{
	for (unsigned own = 0; own < 2; own++) {
		struct bytes p = {.n = 0};

		ADD(&p, EVERYONE, MAC);
		bytes_add(&p, headers, n);
		ADD(&p, IPV4);
		bytes_ipv4(&p, 6, 0, own ? A4(V4) : A4(V4_OTHER), 0);
		assert_int_equal(frame_verdict(GUARD_IP, &p), own ? FRAME_NO_DROP : RX_GUARD_IP);
	}
}

#define SEEN_BEHIND(...)                                                                           \
	assert_seen_behind((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void tags_and_snap_hide_nothing(void **state)
{
	SEEN_BEHIND(TAG(10));
	SEEN_BEHIND(TAG(0));
	SEEN_BEHIND(TAG(10), TAG(20));
	SEEN_BEHIND(STAG, TAG(20));
	SEEN_BEHIND(0x91, 0, 0, 1, TAG(0), TAG(0), TAG(0));
	SEEN_BEHIND(SNAP);
	SEEN_BEHIND(TAG(0), SNAP);
	SEEN_BEHIND(SNAP, TAG(0));
	SEEN_BEHIND(SNAP, SNAP, TAG(1), SNAP);
	SEEN_BEHIND(TAG(1), TAG(2), TAG(3), TAG(4), TAG(5), TAG(6), TAG(7), TAG(8), TAG(9), TAG(10),
		    TAG(11), TAG(12), TAG(13), TAG(14), TAG(15), TAG(16));
}

static void what_ends_too_early_is_dropped(void **state)
{
	START(p, IPV4, 0x45, 0, 0);
	assert_int_equal(frame_verdict(GUARD_IP, &p), RX_GUARD_IP);
	assert_int_equal(frame_verdict(GUARD_MAC, &p), FRAME_NO_DROP);
	START(q, TAG(10), 0x81);
	assert_int_equal(frame_verdict(GUARD_RA, &q), RX_GUARD_RA);
	START(r, ARP, 0, 1, 8, 0, 6, 4);
	assert_int_equal(frame_verdict(GUARD_ARP, &r), RX_GUARD_ARP);
	START(s, IPV6, 0x60, 0, 0);
	assert_int_equal(frame_verdict(GUARD_DHCP, &s), RX_GUARD_DHCP);
}

static void tags_without_end_are_dropped(void **state)
{
	START(p, TAG(1));
	while (p.n < 400)
		ADD(&p, TAG(1));
	assert_int_equal(frame_verdict(GUARD_IP, &p), RX_GUARD_IP);
	assert_int_equal(frame_verdict(GUARD_MAC, &p), FRAME_NO_DROP);
}

static void llc_alone_passes(void **state)
{
	START(p, 0, 38, 0x42, 0x42, 3);
	bytes_zeros(&p, 35);
	assert_int_equal(frame_verdict(GUARD_ALL, &p), FRAME_NO_DROP);
}

/* Whether it is SNAP, nobody can tell. */
static void llc_that_cannot_be_read_is_dropped(void **state)
{
	START(p, TAG(0));
	while (p.n + 4 < OFFLOAD_HEAD_MAX)
		ADD(&p, TAG(0));
	ADD(&p, SNAP, IPV4);
	bytes_ipv4(&p, 6, 0, A4(V4_OTHER), 0);
	assert_int_equal(frame_verdict(GUARD_IP, &p), RX_GUARD_IP);
}

/* ---- ra ---- */

/* n headers of eight bytes in front of an advertisement (or what is not one). */
static uint8_t ra_behind(uint8_t kind, unsigned n, uint8_t type)
{
	START(p, IPV6);
	bytes_ipv6(&p, n ? kind : 58, A6(LOCAL));
	for (unsigned i = 0; i < n; i++)
		ADD(&p, i + 1 < n ? kind : 58, 0, 1, 4, 0, 0, 0, 0);
	ADD(&p, type, 0, 0, 0, 0, 0, 0, 0);
	return frame_verdict(GUARD_RA, &p);
}

static void extension_headers_hide_nothing(void **state)
{
	static const uint8_t kinds[] = {0, 43, 60, 135, 139, 140};

	for (unsigned k = 0; k < sizeof(kinds); k++)
		for (unsigned n = 1; n < 25; n++) {
			assert_int_equal(ra_behind(kinds[k], n, 134), RX_GUARD_RA);
			assert_int_equal(ra_behind(kinds[k], n, 128), FRAME_NO_DROP);
		}
	/* Behind what becomes local nobody can tell. */
	assert_int_equal(ra_behind(60, 26, 128), RX_GUARD_RA);
	assert_int_equal(ra_behind(60, 60, 134), RX_GUARD_RA);
}

static uint8_t fragment_of(unsigned offset, unsigned n_after, const uint8_t *after)
{
	START(p, IPV6);
	bytes_ipv6(&p, 44, A6(LOCAL));
	ADD(&p, n_after ? after[0] : 58, 0, (uint8_t)(offset >> 8), (uint8_t)(offset | 1), 0, 0, 0,
	    1);
	bytes_add(&p, after + 1, n_after ? n_after - 1 : 0);
	return frame_verdict(GUARD_RA, &p);
}

static void a_fragment_hides_nothing(void **state)
{
	static const uint8_t ra[] = {58, 134, 0, 0, 0, 0, 0, 0, 0},
			     ping[] = {58, 128, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t options[] = {60, 58, 1, 1, 12,
					  0,  0,  0, 0}; /* 16 bytes, of which 8 are here */

	assert_int_equal(fragment_of(0, sizeof(ra), ra), RX_GUARD_RA);
	assert_int_equal(fragment_of(0, sizeof(ping), ping), FRAME_NO_DROP);
	assert_int_equal(fragment_of(0, sizeof(options), options), RX_GUARD_RA);
	assert_int_equal(fragment_of(0, 0, ra), RX_GUARD_RA);
	/* What follows a first fragment that passed, or one that never comes. */
	assert_int_equal(fragment_of(8, sizeof(ra), ra), FRAME_NO_DROP);
}

/* The payload ends with the options: what stands behind it is not of the packet. */
static void padding_is_not_looked_at(void **state)
{
	static const uint8_t options_and_ping[] = {60, 58, 0, 1, 4, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0};

	START(p, IPV6);
	bytes_ipv6(&p, 44, A6(LOCAL));
	ADD(&p, options_and_ping[0], 0, 0, 1, 0, 0, 0, 1);
	bytes_add(&p, options_and_ping + 1, sizeof(options_and_ping) - 1);
	assert_int_equal(frame_verdict(GUARD_RA, &p), FRAME_NO_DROP);
	p.b[FRAME_MIN + 4] = 0;
	p.b[FRAME_MIN + 5] = 24;
	assert_int_equal(frame_verdict(GUARD_RA, &p), FRAME_NO_DROP);
	p.b[FRAME_MIN + 5] = 0; /* it says nothing of its length */
	assert_int_equal(frame_verdict(GUARD_RA, &p), FRAME_NO_DROP);
	p.b[FRAME_MIN + 5] = 16;
	assert_int_equal(frame_verdict(GUARD_RA, &p), RX_GUARD_RA);
}

/* ---- what was looked at is what is delivered ---- */

/* One frame whose sender left a checksum that goes to `field`. */
static uint8_t verdict_with_sum(uint8_t checks, const struct bytes *p, unsigned field)
{
	const struct guard g = guard_of(checks);

	frame_burst.n_segs = 0;
	frame_burst.n = 1;
	frame_put(0, p);
	frame_burst.frames[0].offload = (struct offload){
		.bits = OFFLOAD_CSUM, .l3_off = FRAME_MIN, .csum_start = (uint8_t)field};
	guard_burst(&g, &frame_burst);
	return frame_burst.frames[0].drop;
}

static void no_checksum_goes_where_a_guard_looks(void **state)
{
	START(ping, IPV6);
	bytes_ipv6(&ping, 58, A6(LOCAL));
	ADD(&ping, 128, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(verdict_with_sum(GUARD_RA, &ping, 54), RX_GUARD_RA);
	assert_int_equal(verdict_with_sum(GUARD_RA, &ping, 56), FRAME_NO_DROP); /* where it belongs */
	START(udp, IPV6);
	bytes_ipv6(&udp, 60, A6(LOCAL));
	ADD(&udp, 17, 0, 1, 4, 0, 0, 0, 0, 2, 34, 2, 35, 0, 8, 0, 0);
	assert_int_equal(verdict_with_sum(GUARD_DHCP, &udp, 54), RX_GUARD_DHCP);
	assert_int_equal(verdict_with_sum(GUARD_DHCP, &udp, 61), RX_GUARD_DHCP);
	assert_int_equal(verdict_with_sum(GUARD_DHCP, &udp, 68), FRAME_NO_DROP);
	START(snap, SNAP, IPV4);
	bytes_ipv4(&snap, 6, 0, A4(V4), 0);
	assert_int_equal(verdict_with_sum(GUARD_IP, &snap, 20), RX_GUARD_IP);
	assert_int_equal(verdict_with_sum(GUARD_IP, &snap, 14), RX_GUARD_IP);
	assert_int_equal(verdict_with_sum(GUARD_IP, &snap, 34), RX_GUARD_IP);
	assert_int_equal(verdict_with_sum(GUARD_IP, &snap, 42), FRAME_NO_DROP);
}

static void headers_behind_the_snapshot_are_delivered_as_they_were_read(void **state)
{
	const struct guard g = guard_of(GUARD_RA);
	uint8_t got[600];
	unsigned at;

	START(p, IPV6);
	bytes_ipv6(&p, 60, A6(LOCAL));
	ADD(&p, 58, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0);
	bytes_zeros(&p, 300);
	frame_burst.n_segs = 0;
	frame_burst.n = 1;
	frame_put(0, &p);
	guard_burst(&g, &frame_burst);
	assert_int_equal(frame_burst.frames[0].drop, FRAME_NO_DROP);
	/* The sender now makes it an advertisement. */
	memset(frame_memory, 134, sizeof(frame_memory));
	at = frame_burst.frames[0].head_len;
	for (unsigned k = 0; k < frame_burst.frames[0].n_segs; at += frame_burst.frames[0].segs[k++].len)
		memcpy(got + at, frame_burst.frames[0].segs[k].va, frame_burst.frames[0].segs[k].len);
	assert_int_equal(at, p.n);
	assert_memory_equal(got + FRAME_HEAD, p.b + FRAME_HEAD, OFFLOAD_HEAD_MAX - FRAME_HEAD);
	assert_int_equal(got[OFFLOAD_HEAD_MAX], 134); /* which nobody has looked at */
}

static void a_burst_without_room_for_pieces_drops_what_it_cannot_read(void **state)
{
	const struct guard g = guard_of(GUARD_RA);

	START(p, IPV6);
	bytes_ipv6(&p, 60, A6(LOCAL));
	ADD(&p, 58, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0);
	frame_burst.n_segs = BURST_SEGS - 3;
	frame_burst.n = 1;
	frame_put(0, &p);
	guard_burst(&g, &frame_burst);
	assert_int_equal(frame_burst.frames[0].drop, RX_GUARD_RA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_and_snap_hide_nothing),
		cmocka_unit_test(what_ends_too_early_is_dropped),
		cmocka_unit_test(tags_without_end_are_dropped),
		cmocka_unit_test(llc_alone_passes),
		cmocka_unit_test(llc_that_cannot_be_read_is_dropped),
		cmocka_unit_test(extension_headers_hide_nothing),
		cmocka_unit_test(a_fragment_hides_nothing),
		cmocka_unit_test(padding_is_not_looked_at),
		cmocka_unit_test(no_checksum_goes_where_a_guard_looks),
		cmocka_unit_test(headers_behind_the_snapshot_are_delivered_as_they_were_read),
		cmocka_unit_test(a_burst_without_room_for_pieces_drops_what_it_cannot_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
