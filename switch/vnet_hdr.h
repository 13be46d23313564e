/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header before each frame of a virtio network device or of a tap with IFF_VNET_HDR.
 * virtio 1.1, 5.1.6. Fields are in the host's byte order, which VERSION_1 wants little-endian.
 */
#ifndef SWITCH_VNET_HDR_H
#define SWITCH_VNET_HDR_H

#include <stdbool.h>
#include <stdint.h>

/* Without num_buffers for legacy drivers without MRG_RXBUF. */
struct vnet_hdr {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
	uint16_t num_buffers;
};
#define VNET_HDR_LEGACY 10
#define VNET_HDR	12

#define VNET_HDR_NEEDS_CSUM 1
#define VNET_HDR_DATA_VALID 2

#define VNET_HDR_GSO_NONE  0
#define VNET_HDR_GSO_TCPV4 1
#define VNET_HDR_GSO_UDP   3
#define VNET_HDR_GSO_TCPV6 4
#define VNET_HDR_GSO_ECN   0x80

/* Whether the sender left work for others; flags that nobody knows are to be ignored. */
static inline bool vnet_hdr_asks(const struct vnet_hdr *h)
{
	return (h->flags & VNET_HDR_NEEDS_CSUM) || h->gso_type != VNET_HDR_GSO_NONE;
}

#endif
