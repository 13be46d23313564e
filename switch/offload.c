/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: what senders ask for, checked; see switch/offload.h.
 */
#include "switch/offload.h"

#include <assert.h>

#include "base/hot.h"
#include "switch/frame.h"

#define TYPE_VLAN  0x8100
#define TYPE_SVLAN 0x88a8
#define TYPE_IPV4  0x0800
#define TYPE_ARP   0x0806
#define TYPE_IPV6  0x86dd

#define PROTO_HOP_BY_HOP  0
#define PROTO_TCP	  6
#define PROTO_UDP	  17
#define PROTO_ROUTING	  43
#define PROTO_DESTINATION 60

#define IP_MAX	  65535 /* bytes of a packet */
#define IPV4_MIN  20
#define IPV6	  40
#define ARP	  28
#define PORTS	  4
#define TCP_MIN	  20
#define TCP_CHECK 16 /* where TCP has its checksum */

/* The snapshot with what offload_accept() was told. */
struct look {
	const uint8_t *head;
	uint32_t n;  /* bytes of head */
	uint32_t l3; /* where the network header begins */
	uint16_t type;
};

static inline uint16_t get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Finds the network header behind at most two tags; false when they are cut off, or more. */
static bool look_init(struct look *k, const uint8_t *head, uint32_t n)
{
	*k = (struct look){.head = head, .n = n, .l3 = FRAME_MIN};
	if (n < FRAME_MIN)
		return false;
	k->type = get_u16(head + FRAME_MIN - 2);
	for (unsigned i = 0; i < 2 && (k->type == TYPE_VLAN || k->type == TYPE_SVLAN); i++) {
		k->l3 += VLAN_TAG;
		if (n < k->l3)
			return false;
		k->type = get_u16(head + k->l3 - 2);
	}
	/* Links may take off more tags than are looked behind here: nothing may be left before them. */
	return k->type != TYPE_VLAN && k->type != TYPE_SVLAN;
}

/* The first byte that the switch decides nothing on: no checksum goes before it. */
static uint32_t decided_end(const struct look *k)
{
	const uint8_t *l3 = k->head + k->l3;
	uint32_t end = k->l3;
	uint8_t proto;

	if (k->type == TYPE_ARP)
		return end + ARP;
	if (k->type == TYPE_IPV4 && k->n >= k->l3 + IPV4_MIN) {
		uint32_t ihl = (l3[0] & 15) * 4u;

		end += ihl > IPV4_MIN ? ihl : IPV4_MIN;
		proto = l3[9];
	} else if (k->type == TYPE_IPV6 && k->n >= k->l3 + IPV6) {
		end += IPV6;
		proto = l3[6];
	} else {
		/* Another protocol, or IP so short that no checksum can follow it. */
		return k->type == TYPE_IPV4 || k->type == TYPE_IPV6 ? end + IPV6 : end;
	}
	return proto == PROTO_TCP || proto == PROTO_UDP ? end + PORTS : end;
}

/* Whether the TCP header of an unfragmented IPv4 packet begins at l4. */
static bool ipv4_tcp_at(const struct look *k, uint32_t l4)
{
	const uint8_t *ip = k->head + k->l3;

	if (k->type != TYPE_IPV4 || l4 < k->l3 + IPV4_MIN)
		return false;
	return ip[0] >> 4 == 4 && l4 == k->l3 + (ip[0] & 15) * 4u && ip[9] == PROTO_TCP &&
	       !(get_u16(ip + 6) & 0x3fff); /* more fragments, offset */
}

/* Of IPv6, and may be repeated before every segment: a fragment header and AH may not. */
static bool is_extension(uint8_t proto)
{
	return proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_DESTINATION;
}

/* Whether the TCP header of an IPv6 packet begins at l4, behind extension headers or none. */
static bool ipv6_tcp_at(const struct look *k, uint32_t l4)
{
	const uint8_t *ip = k->head + k->l3;
	uint32_t at = k->l3 + IPV6;
	uint8_t proto;

	if (k->type != TYPE_IPV6 || ip[0] >> 4 != 6)
		return false;
	/* The sum's field stands behind l4 in the snapshot: two bytes can be read at each. */
	for (proto = ip[6]; at < l4; at += (k->head[at + 1] + 1u) * 8) {
		if (!is_extension(proto))
			return false;
		proto = k->head[at];
	}
	return at == l4 && proto == PROTO_TCP;
}

static uint8_t tso_bit(unsigned gso_type)
{
	switch (gso_type) {
	case VNET_HDR_GSO_TCPV4:
		return OFFLOAD_TSO4;
	case VNET_HDR_GSO_TCPV6:
		return OFFLOAD_TSO6;
	default:
		return 0; /* UDP, or a type that was not negotiated */
	}
}

/* Adds what a gso_type asks to o, which has the checksum; false when that cannot be. */
static bool accept_tso(const struct vnet_hdr *h, const struct look *k, uint32_t len,
		       uint32_t allowed, struct offload *o)
{
	const uint8_t bit = tso_bit(h->gso_type & ~VNET_HDR_GSO_ECN);
	const uint8_t ecn = h->gso_type & VNET_HDR_GSO_ECN ? OFFLOAD_ECN : 0;
	const uint32_t l4 = o->csum_start;
	uint32_t doff, hdr_len;

	if (!bit || (allowed & (bit | ecn)) != (uint32_t)(bit | ecn))
		return false;
	if (!(bit == OFFLOAD_TSO4 ? ipv4_tcp_at(k, l4) : ipv6_tcp_at(k, l4)))
		return false;
	if (o->csum_offset != TCP_CHECK || h->gso_size < OFFLOAD_GSO_MIN)
		return false;
	doff = (k->head[l4 + 12] >> 4) * 4u;
	hdr_len = l4 + doff;
	if (doff < TCP_MIN || hdr_len > k->n)
		return false;
	if (len - hdr_len <= h->gso_size)
		return true;
	if (hdr_len - k->l3 + h->gso_size > IP_MAX)
		return false;
	o->bits |= bit | ecn;
	o->gso_size = h->gso_size;
	o->hdr_len = (uint16_t)hdr_len;
	return true;
}

uint8_t offload_accept(const struct vnet_hdr *h, const uint8_t *head, uint32_t head_len,
		       uint32_t len, uint32_t allowed, struct offload *o)
{
	const uint32_t field = (uint32_t)h->csum_start + h->csum_offset;
	struct look k;

	assert(head_len <= OFFLOAD_HEAD_MAX && head_len <= len);
	*o = (struct offload){0};
	if (likely(!vnet_hdr_asks(h)))
		return FRAME_NO_DROP;
	if (!(h->flags & VNET_HDR_NEEDS_CSUM) || !(allowed & OFFLOAD_CSUM))
		return RX_BAD_OFFLOAD;
	if (!look_init(&k, head, head_len) || field + 2 > head_len || h->csum_start < k.l3 ||
	    field < decided_end(&k))
		return RX_BAD_OFFLOAD;
	*o = (struct offload){
		.bits = OFFLOAD_CSUM,
		.l3_off = (uint8_t)k.l3,
		.csum_start = (uint8_t)h->csum_start,
		.csum_offset = (uint8_t)h->csum_offset,
	};
	if (h->gso_type != VNET_HDR_GSO_NONE && !accept_tso(h, &k, len, allowed, o)) {
		*o = (struct offload){0};
		return RX_BAD_OFFLOAD;
	}
	return FRAME_NO_DROP;
}

void offload_header(const struct offload *o, int shift, struct vnet_hdr *out)
{
	*out = (struct vnet_hdr){0};
	if (!o->bits)
		return;
	out->flags = VNET_HDR_NEEDS_CSUM;
	out->csum_start = (uint16_t)(o->csum_start + shift);
	out->csum_offset = o->csum_offset;
	if (!(o->bits & OFFLOAD_TSO))
		return;
	out->gso_type = o->bits & OFFLOAD_TSO4 ? VNET_HDR_GSO_TCPV4 : VNET_HDR_GSO_TCPV6;
	if (o->bits & OFFLOAD_ECN)
		out->gso_type |= VNET_HDR_GSO_ECN;
	out->gso_size = o->gso_size;
	out->hdr_len = (uint16_t)(o->hdr_len + shift);
}
