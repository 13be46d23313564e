/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load's frames: addresses, an optional tag, and what the load writes about a frame into it.
 *
 * How      Plain frames have EtherType 0x88b5 (for experiments) and struct mark behind it, so that
 *          with the virtio header all that changes is in the first cache line. TCP frames are
 *          numbered by TCP's sequence number, so that segments can be checked too; the flow is
 *          in the low three bytes of the source's address 10.x.y.z.
 *          Addresses are 02:00:PORT and an index whose bits are mixed, so that neighbours do not
 *          lie side by side in a switch's table.
 */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/options.h"

#define ADDRESSES    12 /* bytes: destination and source */
#define TCP_HEADERS  54 /* Ethernet, IPv4, TCP, all without options */
#define TCP_MSS	     1460
#define FRAME_FLOOD  0x7f /* "port" of an address that nobody has */
#define FLOW_NONE    UINT32_MAX /* of frames that are not counted */

#define NET_F_CSUM	 VU_BIT(0)
#define NET_F_GUEST_CSUM VU_BIT(1)
#define NET_F_GUEST_TSO4 VU_BIT(7)
#define NET_F_HOST_TSO4	 VU_BIT(11)

struct mark {
	uint32_t flow, seq;
	uint64_t sent; /* TSC */
} __attribute__((packed));

/* port 0xff: broadcast. */
void frame_address(uint8_t mac[6], unsigned port, uint32_t index);

/* Sizes of the frames of n slots: one size, or IMIX as evenly as it divides. */
void frame_sizes(const struct options *o, uint32_t *sizes, unsigned n);

/* All of a frame, virtio header included; addresses and marks are zero. What the options leave to
 * the device is made here where its features do not have it. */
void frame_init(const struct options *o, uint8_t *buf, const struct fe *fe, uint32_t size);

/* Numbers of one TCP frame and, when its sender makes them, its checksums. */
void frame_tcp_number(uint8_t *f, uint32_t size, uint32_t flow, uint32_t seq, bool checksum);

static inline bool frame_is_tagged(const uint8_t *f)
{
	return f[12] == 0x81;
}

static inline struct mark *frame_mark(uint8_t *f, bool tagged)
{
	return (struct mark *)(f + (tagged ? 18 : 14));
}

#endif
