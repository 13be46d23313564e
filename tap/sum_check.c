/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH; see tap/sum_check.h.
 */
#include "tap/sum_check.h"

#include "switch/csum.h"

#define TYPE_VLAN  0x8100
#define TYPE_SVLAN 0x88a8
#define TYPE_IPV4  0x0800
#define TYPE_IPV6  0x86dd
#define PROTO_TCP  6
#define PROTO_UDP  17
#define IPV4_MIN   20
#define IPV6	   40
#define TCP_MIN	   20
#define TCP_CHECK  16
#define UDP	   8
#define UDP_CHECK  6

/* Where the transport header is, by what IP says. */
struct l4 {
	uint32_t at, len; /* bytes; len with its payload */
	uint8_t proto;
	struct csum pseudo;
};

static inline uint16_t get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void pseudo_sum(struct l4 *l4, const uint8_t *addresses, unsigned n)
{
	/* Proto and length as 32-bit words, as IPv6 has them: in IPv4's 16 bits the sum is the
	 * same. */
	const uint8_t tail[8] = {0,
				 (uint8_t)(l4->len >> 16),
				 (uint8_t)(l4->len >> 8),
				 (uint8_t)l4->len,
				 0,
				 0,
				 0,
				 l4->proto};

	csum_add(&l4->pseudo, addresses, n);
	csum_add(&l4->pseudo, tail, sizeof(tail));
}

/* head: n bytes from the frame's start, n_l3 of them before the IP header. */
static bool ipv4_find(const uint8_t *head, uint32_t n, uint32_t l3, struct l4 *l4)
{
	const uint8_t *ip = head + l3;
	uint32_t ihl, total;

	if (n < l3 + IPV4_MIN)
		return false;
	ihl = (ip[0] & 15) * 4u;
	total = get_u16(ip + 2);
	if (ip[0] >> 4 != 4 || ihl < IPV4_MIN || total < ihl || get_u16(ip + 6) & 0x3fff)
		return false;
	l4->at = l3 + ihl;
	l4->len = total - ihl;
	l4->proto = ip[9];
	pseudo_sum(l4, ip + 12, 8);
	return true;
}

static bool ipv6_find(const uint8_t *head, uint32_t n, uint32_t l3, struct l4 *l4)
{
	const uint8_t *ip = head + l3;

	if (n < l3 + IPV6 || ip[0] >> 4 != 6 || !get_u16(ip + 4))
		return false;
	l4->at = l3 + IPV6;
	l4->len = get_u16(ip + 4);
	l4->proto = ip[6];
	pseudo_sum(l4, ip + 8, 32);
	return true;
}

static bool l4_find(const uint8_t *head, uint32_t n, struct l4 *l4)
{
	uint32_t l3 = FRAME_MIN;
	uint16_t type;

	if (n < l3)
		return false;
	type = get_u16(head + l3 - 2);
	for (unsigned i = 0; i < 2 && (type == TYPE_VLAN || type == TYPE_SVLAN); i++) {
		l3 += VLAN_TAG;
		if (n < l3)
			return false;
		type = get_u16(head + l3 - 2);
	}
	if (type == TYPE_IPV4)
		return ipv4_find(head, n, l3, l4);
	return type == TYPE_IPV6 && ipv6_find(head, n, l3, l4);
}

/* Whether the checksum's field holds the pseudo header's sum and no more. */
static bool holds_pseudo(const uint8_t *head, uint32_t n, const struct l4 *l4)
{
	uint32_t field = l4->at;
	uint16_t value;

	if (l4->proto == PROTO_TCP && l4->len >= TCP_MIN)
		field += TCP_CHECK;
	else if (l4->proto == PROTO_UDP && l4->len >= UDP && n >= l4->at + UDP &&
		 get_u16(head + l4->at + 4) == l4->len)
		field += UDP_CHECK;
	else
		return false;
	if (n < field + sizeof(value))
		return false;
	memcpy(&value, head + field, sizeof(value));
	/* A UDP checksum of 0 says that there is none. */
	return value == csum_fold(&l4->pseudo) && (value || l4->proto == PROTO_TCP);
}

/* Whether the transport part, which is all there, sums up as a correct one does. */
static bool sums_up(const struct seg *pieces, const struct l4 *l4)
{
	uint32_t skip = l4->at, left = l4->len;
	struct csum sum = l4->pseudo;

	for (const struct seg *s = pieces; left; s++) {
		uint32_t from = skip < s->len ? skip : s->len, here = s->len - from;

		skip -= from;
		here = here < left ? here : left;
		csum_add(&sum, s->va + from, here);
		left -= here;
	}
	return csum_fold(&sum) == 0xffff;
}

uint8_t sum_check(const struct seg *pieces, unsigned n, uint32_t len, bool cut)
{
	struct l4 l4 = {0};

	if (!n || !l4_find(pieces[0].va, pieces[0].len, &l4))
		return FRAME_NO_DROP;
	/* First, as what the host merged has lost its end and has an unfilled checksum too. */
	if (cut && l4.at + l4.len > len)
		return RX_TOO_LONG;
	if (unlikely(holds_pseudo(pieces[0].va, pieces[0].len, &l4)) &&
	    (l4.at + l4.len > len || !sums_up(pieces, &l4)))
		return RX_BAD_CSUM;
	return FRAME_NO_DROP;
}
