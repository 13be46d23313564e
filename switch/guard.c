/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH; see switch/guard.h.
 */
#include "switch/guard.h"

#include "base/hot.h"
#include "switch/pieces.h"

#define TYPE_IPV4 0x0800u
#define TYPE_ARP  0x0806u
#define TYPE_RARP 0x8035u
#define TYPE_IPV6 0x86ddu
#define TYPE_MIN  0x0600u /* below: a length, and LLC behind it (802.3) */
#define TYPE_QINQ 0x9100u /* tags of before 802.1ad */

#define UDP	      17
#define ICMPV6	      58
#define DHCP_SERVER   67
#define DHCP_CLIENT   68
#define DHCPV6_SERVER 547
#define DHCPV6_CLIENT 546

#define NO_SUM UINT16_MAX

/* Walks the start of one frame. */
struct look {
	const struct guard *g;
	struct burst *b;
	unsigned i;
	const uint8_t *p; /* local bytes of the frame from its beginning … */
	unsigned have;	  /* … and how many */
	uint32_t end;	  /* where the packet ends: its receiver cuts off what is behind that */
	unsigned sum;	  /* where the checksum goes that its sender left to others, or NO_SUM */
};

/* Makes as much of the frame local as there can be. */
static void deepen(struct look *l)
{
	struct frame *f = &l->b->frames[l->i];
	uint32_t n = f->len < OFFLOAD_HEAD_MAX ? f->len : OFFLOAD_HEAD_MAX;
	struct cursor from = {.seg = f->segs};
	uint8_t *head = l->b->heads[l->i];
	struct seg *segs = &l->b->segs[l->b->n_segs];
	uint32_t left = f->len - n;
	unsigned n_segs = 1;

	if (n <= FRAME_HEAD || !f->n_segs)
		return;
	/* So it is after offload_accept(). */
	if (f->segs[0].va != head + FRAME_HEAD) {
		if (l->b->n_segs + f->n_segs + 1u > BURST_SEGS)
			return;
		memcpy(head, f->head, FRAME_HEAD);
		for (uint32_t at = FRAME_HEAD, here; at < n; at += here) {
			uint8_t *va;

			here = cursor_next(&from, n - at, &va);
			memcpy(head + at, va, here);
		}
		segs[0] = (struct seg){head + FRAME_HEAD, n - FRAME_HEAD};
		for (; left; left -= segs[n_segs++].len)
			segs[n_segs].len = cursor_next(&from, left, &segs[n_segs].va);
		l->b->n_segs += n_segs;
		f->segs = segs;
		f->n_segs = (uint16_t)n_segs;
	}
	l->p = head;
	l->have = n;
}

/* n bytes at `at`, or NULL where they are not to be had: a checksum would replace what was read. */
static inline const uint8_t *bytes(struct look *l, unsigned at, unsigned n)
{
	if (unlikely(at + n > l->end || (at < l->sum + 2 && l->sum < at + n)))
		return NULL;
	if (unlikely(at + n > l->have)) {
		if (l->have == FRAME_HEAD)
			deepen(l);
		if (at + n > l->have)
			return NULL;
	}
	return l->p + at;
}

static inline unsigned u16_of(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* For what cannot be read: the first of these checks that would have read it. */
static uint8_t unreadable(const struct guard *g, unsigned checks)
{
	checks &= g->checks;
	if (checks & GUARD_IP)
		return RX_GUARD_IP;
	if (checks & GUARD_ARP)
		return RX_GUARD_ARP;
	if (checks & GUARD_DHCP)
		return RX_GUARD_DHCP;
	return checks & GUARD_RA ? RX_GUARD_RA : FRAME_NO_DROP;
}

static bool is_tag(unsigned type)
{
	return type == VLAN_TPID || type == VLAN_TPID_STAG || type == TYPE_QINQ;
}

/* Behind all tags and SNAP headers from `at` on: the type, and through *at what follows it. 0: a frame
 * of LLC alone; -1: it ends before that. */
static int type_find(struct look *l, unsigned *at)
{
	for (;;) {
		const uint8_t *p = bytes(l, *at, 2);
		unsigned type;

		if (!p)
			return -1;
		type = u16_of(p);
		*at += 2;
		if (is_tag(type)) {
			*at += 2;
		} else if (type >= TYPE_MIN) {
			return (int)type;
		} else {
			p = bytes(l, *at, 3);
			if (!p)
				return -1;
			if ((p[0] & 0xfe) != 0xaa || (p[1] & 0xfe) != 0xaa)
				return 0;
			*at += 6;
		}
	}
}

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_own(const struct guard *g, const uint8_t *address)
{
	for (unsigned i = 0; i < g->n_addresses; i++)
		if (!memcmp(g->addresses[i], address, 16))
			return true;
	return false;
}

static bool is_none(const uint8_t *address, size_t size)
{
	static const uint8_t none[16];

	return !memcmp(address, none, size);
}

/* Or none yet: who asks for one, or whether it is taken. */
static bool is_own_v4(const struct guard *g, const uint8_t *address)
{
	uint8_t mapped[16];

	memcpy(mapped, v4_mapped, 12);
	memcpy(mapped + 12, address, 4);
	return is_none(address, 4) || is_own(g, mapped);
}

/* The link-local address that follows from the MAC: RFC 4291, appendix A. */
static bool is_link_local(const struct guard *g, const uint8_t *a)
{
	const uint8_t *m = g->mac;
	const uint8_t own[16] = {0xfe,	   0x80, 0,    0,    0,	   0,	 0,    0,
				 m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};

	return !memcmp(a, own, sizeof(own)) && !is_none(m, 6);
}

static bool is_own_v6(const struct guard *g, const uint8_t *address)
{
	return is_none(address, 16) || is_link_local(g, address) || is_own(g, address);
}

static uint8_t arp_check(struct look *l, unsigned at)
{
	static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};
	const uint8_t *p = bytes(l, at, 28);

	if (!p || memcmp(p, ethernet_ipv4, sizeof(ethernet_ipv4)) != 0 ||
	    memcmp(p + 8, l->g->mac, 6) != 0)
		return RX_GUARD_ARP;
	/* Who has none yet is about to take what it asks for: its owner would give it up (RFC 5227). */
	return is_own_v4(l->g, p + (is_none(p + 14, 4) ? 24 : 14)) ? FRAME_NO_DROP : RX_GUARD_ARP;
}

/* The ports of UDP at `at`: clients take an answer wherever it comes from. */
static uint8_t udp_check(struct look *l, unsigned at, unsigned server, unsigned client)
{
	const uint8_t *p = bytes(l, at, 4);

	return !p || u16_of(p) == server || u16_of(p + 2) == client ? RX_GUARD_DHCP : FRAME_NO_DROP;
}

static uint8_t ipv4_check(struct look *l, unsigned at)
{
	const uint8_t *p = bytes(l, at, 20);
	unsigned header;

	if (!p || p[0] >> 4 != 4 || (p[0] & 15) < 5)
		return unreadable(l->g, GUARD_IP | GUARD_DHCP);
	if (l->g->checks & GUARD_IP && !is_own_v4(l->g, p + 12))
		return RX_GUARD_IP;
	header = (p[0] & 15u) * 4;
	/* Only a datagram's first fragment has ports, and always. */
	if (!(l->g->checks & GUARD_DHCP) || p[9] != UDP || u16_of(p + 6) & 0x1fff)
		return FRAME_NO_DROP;
	return udp_check(l, at + header, DHCP_SERVER, DHCP_CLIENT);
}

/* What may not come from here (RA, redirects), and what others would learn an address from. */
static uint8_t icmpv6_check(struct look *l, unsigned at, const uint8_t *source)
{
	enum { ROUTER_SOLICIT = 133, ROUTER_ADVERT, NEIGHBOUR_SOLICIT, NEIGHBOUR_ADVERT, REDIRECT };
	const uint8_t checks = l->g->checks, *p = bytes(l, at, 1), *claimed = source;

	if (!p)
		return unreadable(l->g, GUARD_ARP | GUARD_RA);
	if (checks & GUARD_RA && (*p == ROUTER_ADVERT || *p == REDIRECT))
		return RX_GUARD_RA;
	if (!(checks & GUARD_ARP) || *p < ROUTER_SOLICIT || *p > REDIRECT)
		return FRAME_NO_DROP;
	/* Who has none yet is about to take what it asks for: its owner would give it up (RFC 4862). */
	if (*p == NEIGHBOUR_ADVERT || *p == REDIRECT || (*p == NEIGHBOUR_SOLICIT && is_none(source, 16)))
		claimed = bytes(l, at + 8, 16);
	return claimed && is_own_v6(l->g, claimed) ? FRAME_NO_DROP : RX_GUARD_ARP;
}

/* How many bytes the extension header `next` at p has; 0: it is none. */
static unsigned extension_len(unsigned next, const uint8_t *p)
{
	switch (next) {
	case 0:	  /* hop-by-hop options */
	case 43:  /* routing */
	case 60:  /* destination options */
	case 135: /* mobility */
	case 139: /* HIP */
	case 140: /* Shim6 */
		return (p[1] + 1u) * 8;
	case 51: /* authentication */
		return (p[1] + 2u) * 4;
	case 44: /* fragment */
		return 8;
	default:
		return 0;
	}
}

/* Along the chain of headers (RFC 7113): a first fragment must have all of it. */
static uint8_t chain_check(struct look *l, unsigned at, unsigned next, const uint8_t *source)
{
	for (;;) {
		const uint8_t *p;
		unsigned len;

		if (next == ICMPV6)
			return icmpv6_check(l, at, source);
		if (next == UDP)
			return l->g->checks & GUARD_DHCP
				       ? udp_check(l, at, DHCPV6_SERVER, DHCPV6_CLIENT)
				       : FRAME_NO_DROP;
		if (!extension_len(next, (const uint8_t[2]){0}))
			return FRAME_NO_DROP;
		p = bytes(l, at, 8);
		if (!p)
			return unreadable(l->g, GUARD_ARP | GUARD_DHCP | GUARD_RA);
		/* Of another fragment than the first: what it belongs to was looked at, or never comes. */
		if (next == 44 && u16_of(p + 2) & 0xfff8)
			return FRAME_NO_DROP;
		len = extension_len(next, p);
		next = p[0];
		at += len;
	}
}

static uint8_t ipv6_check(struct look *l, unsigned at)
{
	const uint8_t *p = bytes(l, at, 40);
	unsigned payload;

	if (!p || p[0] >> 4 != 6)
		return unreadable(l->g, GUARD_IP | GUARD_ARP | GUARD_DHCP | GUARD_RA);
	if (l->g->checks & GUARD_IP && !is_own_v6(l->g, p + 8))
		return RX_GUARD_IP;
	if (!(l->g->checks & (GUARD_ARP | GUARD_DHCP | GUARD_RA)))
		return FRAME_NO_DROP;
	/* 0: a jumbogram, or to be cut into segments. */
	payload = u16_of(p + 4);
	if (payload && at + 40 + payload < l->end)
		l->end = at + 40 + payload;
	return chain_check(l, at + 40, p[6], p + 8);
}

/* Everything but the Ethernet source. */
static uint8_t payload_check(const struct guard *g, struct burst *b, unsigned i, unsigned at)
{
	const struct frame *f = &b->frames[i];
	struct look l = {.g = g, .b = b, .i = i, .p = f->head, .have = f->head_len, .end = f->len};

	l.sum = f->offload.bits ? f->offload.csum_start + f->offload.csum_offset : NO_SUM;

	switch (type_find(&l, &at)) {
	case -1:
		return unreadable(g, GUARD_IP | GUARD_ARP | GUARD_DHCP | GUARD_RA);
	case TYPE_IPV4:
		return g->checks & (GUARD_IP | GUARD_DHCP) ? ipv4_check(&l, at) : FRAME_NO_DROP;
	case TYPE_IPV6:
		return ipv6_check(&l, at);
	case TYPE_ARP:
	case TYPE_RARP:
		return g->checks & GUARD_ARP ? arp_check(&l, at) : FRAME_NO_DROP;
	default:
		return FRAME_NO_DROP;
	}
}

static inline uint64_t mac_loaded(const uint8_t *before)
{
	uint64_t v;

	memcpy(&v, before, sizeof(v));
	return v >> 16;
}

/* The NIC's address as mac_loaded() has it. */
static inline uint64_t mac_wanted(const struct guard *g)
{
	uint8_t padded[8] = {0};

	memcpy(padded + 2, g->mac, sizeof(g->mac));
	return mac_loaded(padded);
}

uint8_t guard_frame(const struct guard *g, struct burst *b, unsigned i, unsigned off)
{
	if (g->checks & GUARD_MAC && mac_loaded(b->frames[i].head + 4) != mac_wanted(g))
		return RX_GUARD_MAC;
	return g->checks & ~GUARD_MAC ? payload_check(g, b, i, off) : FRAME_NO_DROP;
}

static inline void mark(struct frame *f, uint8_t reason)
{
	/* What its driver found, or what is too short to have a source, has its reason. */
	if (f->drop == FRAME_NO_DROP && f->len >= FRAME_MIN)
		f->drop = reason;
}

void guard_burst(const struct guard *g, struct burst *b)
{
	const uint64_t wanted = mac_wanted(g);

	if (g->checks & GUARD_MAC)
		for (struct frame *f = b->frames, *end = f + b->n; f < end; f++)
			if (unlikely(mac_loaded(f->head + 4) != wanted))
				mark(f, RX_GUARD_MAC);
	if (!(g->checks & ~GUARD_MAC))
		return;
	for (unsigned i = 0; i < b->n; i++) {
		struct frame *f = &b->frames[i];

		if (f->drop == FRAME_NO_DROP && f->len >= FRAME_MIN)
			f->drop = payload_check(g, b, i, 12);
	}
}
