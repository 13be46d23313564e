/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of docs/guards.md, frame by frame: switch/guard.h on bursts made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/guard.h"

#define MAC	 0x02, 0x00, 0x00, 0x00, 0x00, 0x01
#define OTHER	 0x02, 0x00, 0x00, 0x00, 0x00, 0x02
#define EVERYONE 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define V4	 10, 0, 0, 1
#define V4_OTHER 10, 0, 0, 2
#define ZERO4	 0, 0, 0, 0
#define V6	 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
#define V6_OTHER 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2
#define LOCAL	 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1
#define ZERO6	 ZERO4, ZERO4, ZERO4, ZERO4
#define TAG(vid) 0x81, 0x00, (vid) >> 8, (vid)&255
#define STAG	 0x88, 0xa8, 0, 5
#define SNAP	 0, 60, 0xaa, 0xaa, 3, 0, 0, 0
#define IPV4	 0x08, 0x00
#define IPV6	 0x86, 0xdd
#define ARP	 0x08, 0x06

/* A frame under construction. */
struct bytes {
	uint8_t b[600];
	unsigned n;
};

#define ADD(p, ...) add(p, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void add(struct bytes *p, const uint8_t *bytes, size_t n)
{
	assert_true(p->n + n <= sizeof(p->b));
	memcpy(p->b + p->n, bytes, n);
	p->n += (unsigned)n;
}

static void add_zeros(struct bytes *p, unsigned n)
{
	p->n += n;
}

static void add_ipv4(struct bytes *p, uint8_t protocol, unsigned fragment, const uint8_t source[4],
		     unsigned n_options)
{
	ADD(p, (uint8_t)(0x45 + n_options), 0, 0, 100, 0, 0, (uint8_t)(fragment >> 8),
	    (uint8_t)fragment, 64, protocol, 0, 0);
	add(p, source, 4);
	ADD(p, 255, 255, 255, 255);
	add_zeros(p, 4 * n_options);
}

static void add_ipv6(struct bytes *p, uint8_t next, const uint8_t source[16])
{
	ADD(p, 0x60, 0, 0, 0, 2, 88, next, 255);
	add(p, source, 16);
	ADD(p, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
}

static struct guard guard_of(uint8_t checks)
{
	struct guard g = {.checks = checks, .mac = {MAC}, .n_addresses = 2};

	memcpy(g.addresses[0], (const uint8_t[]){ZERO4, ZERO4, 0, 0, 0xff, 0xff, V4}, 16);
	memcpy(g.addresses[1], (const uint8_t[]){V6}, 16);
	return g;
}

/* The burst lies as a driver has it: the head, and the rest in two pieces of the sender's memory. */
static struct burst burst;
static uint8_t memory[2][1000];

static void frame_put(unsigned i, const struct bytes *p)
{
	struct frame *f = &burst.frames[i];
	unsigned rest = p->n > FRAME_HEAD ? p->n - FRAME_HEAD : 0, first = rest > 10 ? 10 : rest;

	memset(f->head, 0xee, FRAME_HEAD);
	f->len = f->wire_len = p->n;
	f->head_len = (uint8_t)(p->n - rest);
	memcpy(f->head, p->b, f->head_len);
	f->drop = FRAME_NO_DROP;
	f->offload = (struct offload){0};
	f->segs = &burst.segs[burst.n_segs];
	f->n_segs = (uint16_t)((first > 0) + (rest > first));
	memcpy(memory[0], p->b + f->head_len, first);
	memcpy(memory[1], p->b + f->head_len + first, rest - first);
	burst.segs[burst.n_segs++] = (struct seg){memory[0], first};
	burst.segs[burst.n_segs++] = (struct seg){memory[1], rest - first};
}

static void assert_whole(const struct frame *f, const struct bytes *p)
{
	uint8_t got[sizeof(p->b)];
	unsigned at = f->head_len;

	memcpy(got, f->head, at);
	for (unsigned k = 0; k < f->n_segs; at += f->segs[k++].len)
		memcpy(got + at, f->segs[k].va, f->segs[k].len);
	assert_int_equal(at, p->n);
	assert_memory_equal(got, p->b, at);
}

/* What becomes of one frame, which is delivered as it was whatever is found. */
static uint8_t verdict(uint8_t checks, const struct bytes *p)
{
	const struct guard g = guard_of(checks);

	burst.n_segs = 0;
	burst.n = 1;
	frame_put(0, p);
	guard_burst(&g, &burst);
	assert_whole(&burst.frames[0], p);
	return burst.frames[0].drop;
}

#define START(p, ...)                                                                              \
	struct bytes p = {.n = 0};                                                                 \
	ADD(&p, EVERYONE, MAC, __VA_ARGS__)

#define A4(...) ((const uint8_t[4]){__VA_ARGS__})
#define A6(...) ((const uint8_t[16]){__VA_ARGS__})

/* ---- ip ---- */

static uint8_t ipv4_from(const uint8_t source[4])
{
	START(p, IPV4);
	add_ipv4(&p, 6, 0, source, 0);
	return verdict(GUARD_IP, &p);
}

static uint8_t ipv6_from(const uint8_t source[16])
{
	START(p, IPV6);
	add_ipv6(&p, 6, source);
	return verdict(GUARD_IP, &p);
}

static void ip_lets_own_addresses_pass(void **state)
{
	assert_int_equal(ipv4_from(A4(V4)), FRAME_NO_DROP);
	assert_int_equal(ipv4_from(A4(ZERO4)), FRAME_NO_DROP);
	assert_int_equal(ipv6_from(A6(V6)), FRAME_NO_DROP);
	assert_int_equal(ipv6_from(A6(LOCAL)), FRAME_NO_DROP);
	assert_int_equal(ipv6_from(A6(ZERO6)), FRAME_NO_DROP);
}

static void ip_drops_others(void **state)
{
	assert_int_equal(ipv4_from(A4(V4_OTHER)), RX_GUARD_IP);
	assert_int_equal(ipv6_from(A6(V6_OTHER)), RX_GUARD_IP);
	assert_int_equal(ipv6_from(A6(0xfe, 0x80, ZERO4, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 2)),
			 RX_GUARD_IP);
}

static void ip_looks_at_each_fragment(void **state)
{
	START(p, IPV4);
	add_ipv4(&p, 17, 0x2005, A4(V4_OTHER), 0);
	assert_int_equal(verdict(GUARD_IP, &p), RX_GUARD_IP);
}

static void other_types_pass(void **state)
{
	START(p, 0x88, 0xb5);
	add_zeros(&p, 46);
	assert_int_equal(verdict(GUARD_ALL, &p), FRAME_NO_DROP);
}

/* ---- behind headers ---- */

/* A foreign source behind these; and the same frame with its own. */
static void assert_seen_behind(const uint8_t *headers, size_t n)
{
	for (unsigned own = 0; own < 2; own++) {
		struct bytes p = {.n = 0};

		ADD(&p, EVERYONE, MAC);
		add(&p, headers, n);
		ADD(&p, IPV4);
		add_ipv4(&p, 6, 0, own ? A4(V4) : A4(V4_OTHER), 0);
		assert_int_equal(verdict(GUARD_IP, &p), own ? FRAME_NO_DROP : RX_GUARD_IP);
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
	assert_int_equal(verdict(GUARD_IP, &p), RX_GUARD_IP);
	assert_int_equal(verdict(GUARD_MAC, &p), FRAME_NO_DROP);
	START(q, TAG(10), 0x81);
	assert_int_equal(verdict(GUARD_RA, &q), RX_GUARD_RA);
	START(r, ARP, 0, 1, 8, 0, 6, 4);
	assert_int_equal(verdict(GUARD_ARP, &r), RX_GUARD_ARP);
	START(s, IPV6, 0x60, 0, 0);
	assert_int_equal(verdict(GUARD_DHCP, &s), RX_GUARD_DHCP);
}

static void tags_without_end_are_dropped(void **state)
{
	START(p, TAG(1));
	while (p.n < 400)
		ADD(&p, TAG(1));
	assert_int_equal(verdict(GUARD_IP, &p), RX_GUARD_IP);
	assert_int_equal(verdict(GUARD_MAC, &p), FRAME_NO_DROP);
}

static void llc_alone_passes(void **state)
{
	START(p, 0, 38, 0x42, 0x42, 3);
	add_zeros(&p, 35);
	assert_int_equal(verdict(GUARD_ALL, &p), FRAME_NO_DROP);
}

/* Whether it is SNAP, nobody can tell. */
static void llc_that_cannot_be_read_is_dropped(void **state)
{
	START(p, TAG(0));
	while (p.n + 4 < OFFLOAD_HEAD_MAX)
		ADD(&p, TAG(0));
	ADD(&p, SNAP, IPV4);
	add_ipv4(&p, 6, 0, A4(V4_OTHER), 0);
	assert_int_equal(verdict(GUARD_IP, &p), RX_GUARD_IP);
}

/* ---- arp ---- */

static uint8_t arp_of(const uint8_t *sender, const uint8_t address[4])
{
	START(p, TAG(7), ARP, 0, 1, 8, 0, 6, 4, 0, 2);
	add(&p, sender, 6);
	add(&p, address, 4);
	add_zeros(&p, 28);
	return verdict(GUARD_ARP, &p);
}

static void arp_names_the_nic(void **state)
{
	static const uint8_t mac[6] = {MAC}, other[6] = {OTHER};

	assert_int_equal(arp_of(mac, A4(V4)), FRAME_NO_DROP);
	assert_int_equal(arp_of(mac, A4(ZERO4)), FRAME_NO_DROP);
	assert_int_equal(arp_of(mac, A4(V4_OTHER)), RX_GUARD_ARP);
	assert_int_equal(arp_of(other, A4(V4)), RX_GUARD_ARP);
}

/* Neighbour discovery; target: of an advertisement, 24 bytes into ICMPv6, behind the snapshot. */
static uint8_t nd_of(uint8_t type, const uint8_t source[16], const uint8_t target[16],
		     uint8_t checks)
{
	START(p, IPV6);
	add_ipv6(&p, 58, source);
	ADD(&p, type, 0, 0, 0, 0x20, 0, 0, 0);
	add(&p, target, 16);
	ADD(&p, 2, 1, MAC);
	return verdict(checks, &p);
}

static void neighbour_discovery_names_the_nic(void **state)
{
	assert_int_equal(nd_of(136, A6(V6), A6(V6), GUARD_ARP), FRAME_NO_DROP);
	assert_int_equal(nd_of(136, A6(V6), A6(LOCAL), GUARD_ARP), FRAME_NO_DROP);
	assert_int_equal(nd_of(136, A6(V6), A6(V6_OTHER), GUARD_ARP), RX_GUARD_ARP);
	assert_int_equal(nd_of(135, A6(V6), A6(V6_OTHER), GUARD_ARP), FRAME_NO_DROP);
	assert_int_equal(nd_of(135, A6(ZERO6), A6(V6), GUARD_ARP), FRAME_NO_DROP);
	assert_int_equal(nd_of(135, A6(V6_OTHER), A6(V6), GUARD_ARP), RX_GUARD_ARP);
	assert_int_equal(nd_of(136, A6(V6_OTHER), A6(V6_OTHER), GUARD_RA), FRAME_NO_DROP);
}

/* Who is asked by nobody whether an address is taken believes that it is. */
static void probes_are_for_own_addresses(void **state)
{
	for (unsigned own = 0; own < 2; own++) {
		START(p, ARP, 0, 1, 8, 0, 6, 4, 0, 1, MAC, ZERO4, 0, 0, 0, 0, 0, 0);
		add(&p, own ? A4(V4) : A4(V4_OTHER), 4);
		assert_int_equal(verdict(GUARD_ARP, &p), own ? FRAME_NO_DROP : RX_GUARD_ARP);
	}
	assert_int_equal(nd_of(135, A6(ZERO6), A6(V6_OTHER), GUARD_ARP), RX_GUARD_ARP);
}

static void routers_claim_no_others_address(void **state)
{
	assert_int_equal(nd_of(134, A6(LOCAL), A6(ZERO6), GUARD_ARP), FRAME_NO_DROP);
	assert_int_equal(nd_of(134, A6(V6_OTHER), A6(ZERO6), GUARD_ARP), RX_GUARD_ARP);
	assert_int_equal(nd_of(137, A6(LOCAL), A6(V6_OTHER), GUARD_ARP), RX_GUARD_ARP);
}

/* ---- dhcp ---- */

static uint8_t udp4_from(uint8_t port, unsigned fragment, unsigned n_options)
{
	START(p, IPV4);
	add_ipv4(&p, 17, fragment, A4(V4), n_options);
	ADD(&p, 0, port, 0, 67, 0, 8, 0, 0);
	return verdict(GUARD_DHCP, &p);
}

static void dhcp_servers_are_dropped(void **state)
{
	assert_int_equal(udp4_from(68, 0, 0), FRAME_NO_DROP);
	assert_int_equal(udp4_from(67, 0, 0), RX_GUARD_DHCP);
	assert_int_equal(udp4_from(67, 0, 10), RX_GUARD_DHCP); /* behind 40 bytes of options */
	assert_int_equal(udp4_from(68, 0, 10), FRAME_NO_DROP);
	assert_int_equal(udp4_from(67, 0x2000, 0), RX_GUARD_DHCP);
	assert_int_equal(udp4_from(67, 185, 0), FRAME_NO_DROP); /* no port there */
}

static uint8_t udp6_from(unsigned port, unsigned n_options)
{
	START(p, IPV6);
	add_ipv6(&p, n_options ? 60 : 17, A6(LOCAL));
	for (unsigned i = 0; i < n_options; i++)
		ADD(&p, i + 1 < n_options ? 60 : 17, 0, 1, 4, 0, 0, 0, 0);
	ADD(&p, (uint8_t)(port >> 8), (uint8_t)port, 2, 35, 0, 8, 0, 0);
	return verdict(GUARD_DHCP, &p);
}

static void dhcpv6_servers_are_dropped(void **state)
{
	assert_int_equal(udp6_from(546, 0), FRAME_NO_DROP);
	assert_int_equal(udp6_from(547, 0), RX_GUARD_DHCP);
	assert_int_equal(udp6_from(547, 5), RX_GUARD_DHCP);
	assert_int_equal(udp6_from(546, 5), FRAME_NO_DROP);
}

/* Clients listen on a port and do not ask where it came from. */
static void dhcp_answers_are_dropped_wherever_they_are_from(void **state)
{
	START(p, IPV4);
	add_ipv4(&p, 17, 0, A4(V4), 0);
	ADD(&p, 4, 43, 0, 68, 0, 8, 0, 0);
	assert_int_equal(verdict(GUARD_DHCP, &p), RX_GUARD_DHCP);
	START(q, IPV6);
	add_ipv6(&q, 17, A6(LOCAL));
	ADD(&q, 2, 34, 2, 34, 0, 8, 0, 0);
	assert_int_equal(verdict(GUARD_DHCP, &q), RX_GUARD_DHCP);
}

/* ---- ra ---- */

static void advertisements_and_redirects_are_dropped(void **state)
{
	assert_int_equal(nd_of(133, A6(LOCAL), A6(ZERO6), GUARD_RA), FRAME_NO_DROP);
	assert_int_equal(nd_of(134, A6(LOCAL), A6(ZERO6), GUARD_RA), RX_GUARD_RA);
	assert_int_equal(nd_of(137, A6(LOCAL), A6(ZERO6), GUARD_RA), RX_GUARD_RA);
	assert_int_equal(nd_of(134, A6(LOCAL), A6(ZERO6), GUARD_DHCP), FRAME_NO_DROP);
}

/* n headers of eight bytes in front of an advertisement (or what is not one). */
static uint8_t ra_behind(uint8_t kind, unsigned n, uint8_t type)
{
	START(p, IPV6);
	add_ipv6(&p, n ? kind : 58, A6(LOCAL));
	for (unsigned i = 0; i < n; i++)
		ADD(&p, i + 1 < n ? kind : 58, 0, 1, 4, 0, 0, 0, 0);
	ADD(&p, type, 0, 0, 0, 0, 0, 0, 0);
	return verdict(GUARD_RA, &p);
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
	add_ipv6(&p, 44, A6(LOCAL));
	ADD(&p, n_after ? after[0] : 58, 0, (uint8_t)(offset >> 8), (uint8_t)(offset | 1), 0, 0, 0,
	    1);
	add(&p, after + 1, n_after ? n_after - 1 : 0);
	return verdict(GUARD_RA, &p);
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
	add_ipv6(&p, 44, A6(LOCAL));
	ADD(&p, options_and_ping[0], 0, 0, 1, 0, 0, 0, 1);
	add(&p, options_and_ping + 1, sizeof(options_and_ping) - 1);
	assert_int_equal(verdict(GUARD_RA, &p), FRAME_NO_DROP);
	p.b[FRAME_MIN + 4] = 0;
	p.b[FRAME_MIN + 5] = 24;
	assert_int_equal(verdict(GUARD_RA, &p), FRAME_NO_DROP);
	p.b[FRAME_MIN + 5] = 0; /* it says nothing of its length */
	assert_int_equal(verdict(GUARD_RA, &p), FRAME_NO_DROP);
	p.b[FRAME_MIN + 5] = 16;
	assert_int_equal(verdict(GUARD_RA, &p), RX_GUARD_RA);
}

/* ---- what was looked at is what is delivered ---- */

/* One frame whose sender left a checksum that goes to `field`. */
static uint8_t verdict_with_sum(uint8_t checks, const struct bytes *p, unsigned field)
{
	const struct guard g = guard_of(checks);

	burst.n_segs = 0;
	burst.n = 1;
	frame_put(0, p);
	burst.frames[0].offload = (struct offload){
		.bits = OFFLOAD_CSUM, .l3_off = FRAME_MIN, .csum_start = (uint8_t)field};
	guard_burst(&g, &burst);
	return burst.frames[0].drop;
}

static void no_checksum_goes_where_a_guard_looks(void **state)
{
	START(ping, IPV6);
	add_ipv6(&ping, 58, A6(LOCAL));
	ADD(&ping, 128, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(verdict_with_sum(GUARD_RA, &ping, 54), RX_GUARD_RA);
	assert_int_equal(verdict_with_sum(GUARD_RA, &ping, 56), FRAME_NO_DROP); /* where it belongs */
	START(udp, IPV6);
	add_ipv6(&udp, 60, A6(LOCAL));
	ADD(&udp, 17, 0, 1, 4, 0, 0, 0, 0, 2, 34, 2, 35, 0, 8, 0, 0);
	assert_int_equal(verdict_with_sum(GUARD_DHCP, &udp, 54), RX_GUARD_DHCP);
	assert_int_equal(verdict_with_sum(GUARD_DHCP, &udp, 61), RX_GUARD_DHCP);
	assert_int_equal(verdict_with_sum(GUARD_DHCP, &udp, 68), FRAME_NO_DROP);
	START(snap, SNAP, IPV4);
	add_ipv4(&snap, 6, 0, A4(V4), 0);
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
	add_ipv6(&p, 60, A6(LOCAL));
	ADD(&p, 58, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0);
	add_zeros(&p, 300);
	burst.n_segs = 0;
	burst.n = 1;
	frame_put(0, &p);
	guard_burst(&g, &burst);
	assert_int_equal(burst.frames[0].drop, FRAME_NO_DROP);
	/* The sender now makes it an advertisement. */
	memset(memory, 134, sizeof(memory));
	at = burst.frames[0].head_len;
	for (unsigned k = 0; k < burst.frames[0].n_segs; at += burst.frames[0].segs[k++].len)
		memcpy(got + at, burst.frames[0].segs[k].va, burst.frames[0].segs[k].len);
	assert_int_equal(at, p.n);
	assert_memory_equal(got + FRAME_HEAD, p.b + FRAME_HEAD, OFFLOAD_HEAD_MAX - FRAME_HEAD);
	assert_int_equal(got[OFFLOAD_HEAD_MAX], 134); /* which nobody has looked at */
}

static void a_burst_without_room_for_pieces_drops_what_it_cannot_read(void **state)
{
	const struct guard g = guard_of(GUARD_RA);

	START(p, IPV6);
	add_ipv6(&p, 60, A6(LOCAL));
	ADD(&p, 58, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0);
	burst.n_segs = BURST_SEGS - 3;
	burst.n = 1;
	frame_put(0, &p);
	guard_burst(&g, &burst);
	assert_int_equal(burst.frames[0].drop, RX_GUARD_RA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip_lets_own_addresses_pass),
		cmocka_unit_test(ip_drops_others),
		cmocka_unit_test(ip_looks_at_each_fragment),
		cmocka_unit_test(other_types_pass),
		cmocka_unit_test(tags_and_snap_hide_nothing),
		cmocka_unit_test(what_ends_too_early_is_dropped),
		cmocka_unit_test(tags_without_end_are_dropped),
		cmocka_unit_test(llc_alone_passes),
		cmocka_unit_test(llc_that_cannot_be_read_is_dropped),
		cmocka_unit_test(arp_names_the_nic),
		cmocka_unit_test(neighbour_discovery_names_the_nic),
		cmocka_unit_test(probes_are_for_own_addresses),
		cmocka_unit_test(routers_claim_no_others_address),
		cmocka_unit_test(dhcp_servers_are_dropped),
		cmocka_unit_test(dhcpv6_servers_are_dropped),
		cmocka_unit_test(dhcp_answers_are_dropped_wherever_they_are_from),
		cmocka_unit_test(advertisements_and_redirects_are_dropped),
		cmocka_unit_test(extension_headers_hide_nothing),
		cmocka_unit_test(a_fragment_hides_nothing),
		cmocka_unit_test(padding_is_not_looked_at),
		cmocka_unit_test(no_checksum_goes_where_a_guard_looks),
		cmocka_unit_test(headers_behind_the_snapshot_are_delivered_as_they_were_read),
		cmocka_unit_test(a_burst_without_room_for_pieces_drops_what_it_cannot_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
