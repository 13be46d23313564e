/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: hash of a frame's flow, the same for both directions.
 *
 * What     Addresses and ports of IPv4 and IPv6 where the snapshot has them, else MAC addresses.
 *          Fragments go by addresses alone, so that all of one datagram take one queue.
 * Threads  any.
 */
#ifndef SWITCH_FLOW_H
#define SWITCH_FLOW_H

#include <stdint.h>

#include "switch/frame.h"

/* off: of the payload's type in the snapshot. */
static inline uint32_t flow_hash(const struct frame *f, unsigned off)
{
	const uint8_t *h = f->head, *ip = h + off + 2;
	uint64_t a = 0, b = 0, c = 0, d = 0;
	unsigned type = (unsigned)h[off] << 8 | h[off + 1], l4 = 0;
	uint64_t x, y;
	uint8_t proto = 0;

	if (type == 0x0800 && f->head_len >= off + 2 + 20) {
		memcpy(&a, ip + 12, 4);
		memcpy(&b, ip + 16, 4);
		proto = ip[9];
		if (!(ip[6] & 0x3f) && !ip[7]) /* neither more fragments nor an offset */
			l4 = off + 2 + (ip[0] & 0xfu) * 4;
	} else if (type == 0x86dd && f->head_len >= off + 2 + 40) {
		memcpy(&a, ip + 8, 8);
		memcpy(&c, ip + 16, 8);
		memcpy(&b, ip + 24, 8);
		memcpy(&d, ip + 32, 8);
		a ^= c * 3;
		b ^= d * 3;
		proto = ip[6];
		l4 = off + 2 + 40;
	} else {
		memcpy(&a, h, 6);
		memcpy(&b, h + 6, 6);
	}
	x = a ^ b;
	y = a + b;
	if (l4 && (proto == 6 || proto == 17) && l4 + 4 <= f->head_len) {
		uint16_t sport, dport;

		memcpy(&sport, h + l4, 2);
		memcpy(&dport, h + l4 + 2, 2);
		x ^= (uint64_t)(sport ^ dport) << 32;
		y += (uint64_t)(sport + dport) << 32;
	}
	x = (x + 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
	y = (y ^ x >> 29) * 0x94d049bb133111ebull;
	return (uint32_t)(y >> 32) ^ (uint32_t)y;
}

#endif
