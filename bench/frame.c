/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/frame.h"

#include <arpa/inet.h>
#include <string.h>

#define IP  14 /* offsets in a TCP frame */
#define TCP 34

void frame_address(uint8_t mac[6], unsigned port, uint32_t index)
{
	uint32_t mixed = (index * 0x9e3779u) & 0xffffff; /* an odd factor: no two alike */

	if (port == 0xff) {
		memset(mac, 0xff, 6);
		return;
	}
	mac[0] = 2;
	mac[1] = 0;
	mac[2] = (uint8_t)port;
	mac[3] = (uint8_t)(mixed >> 16);
	mac[4] = (uint8_t)(mixed >> 8);
	mac[5] = (uint8_t)mixed;
}

void frame_sizes(const struct options *o, uint32_t *sizes, unsigned n)
{
	unsigned large = 0, medium = 0;

	for (unsigned i = 0; i < n; i++) {
		sizes[i] = o->size;
		if (o->size)
			continue;
		if ((i * 2 + 1) * 1 / 24 > large || (i == n - 1 && !large)) {
			sizes[i] = 1514;
			large++;
		} else if ((i * 2 + 1) * 4 / 24 > medium) {
			sizes[i] = 590;
			medium++;
		} else {
			sizes[i] = 60;
		}
	}
}

static uint32_t sum_add(uint32_t sum, const uint8_t *at, uint32_t n)
{
	for (uint32_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	return n & 1 ? sum + ((uint32_t)at[n - 1] << 8) : sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static void tcp_init(uint8_t *buf, const struct fe *fe, uint32_t size)
{
	static const uint8_t headers[TCP_HEADERS - 12] = {
		0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 0, 11, 0, 0,
		1,    0x04, 0,	  0x08, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0,
	};
	struct vnet_hdr h = {0};
	uint8_t *f = buf + fe->hdr_len;

	memcpy(f + 12, headers, sizeof(headers));
	put16(f + IP + 2, (uint16_t)(size - IP));
	if (fe->features & NET_F_CSUM) {
		h.flags = 1; /* NEEDS_CSUM */
		h.csum_start = TCP;
		h.csum_offset = 16;
	}
	if (fe->features & NET_F_HOST_TSO4 && size > TCP_HEADERS + TCP_MSS) {
		h.gso_type = 1; /* TCPv4 */
		h.hdr_len = TCP_HEADERS;
		h.gso_size = TCP_MSS;
	}
	memcpy(buf, &h, fe->hdr_len);
}

void frame_init(const struct options *o, uint8_t *buf, const struct fe *fe, uint32_t size)
{
	uint8_t *f = buf + fe->hdr_len;

	memset(buf, 0, fe->hdr_len);
	memset(f, 0xa5, size);
	memset(f, 0, ADDRESSES + 4 + 2 + sizeof(struct mark));
	if (o->send != KIND_OFF) {
		tcp_init(buf, fe, size);
		return;
	}
	put16(f + 12, 0x88b5);
	if (o->vlan >= 0) {
		put16(f + 12, 0x8100);
		put16(f + 14, (uint16_t)o->vlan);
		put16(f + 16, 0x88b5);
	}
}

void frame_tcp_number(uint8_t *f, uint32_t size, uint32_t flow, uint32_t seq, bool checksum)
{
	uint32_t sum;

	put32(f + IP + 12, 10u << 24 | (flow & 0xffffff));
	put32(f + TCP + 4, seq);
	put16(f + IP + 10, 0);
	put16(f + IP + 10, (uint16_t)~sum_fold(sum_add(0, f + IP, 20)));
	/* The pseudo header: addresses, protocol, length. It is all that a partial checksum has. */
	sum = sum_add(6 + size - TCP, f + IP + 12, 8);
	put16(f + TCP + 16, 0);
	if (checksum)
		sum = sum_add(sum, f + TCP, size - TCP);
	put16(f + TCP + 16, checksum ? (uint16_t)~sum_fold(sum) : sum_fold(sum));
}
