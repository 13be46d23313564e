/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Work that the sender of a frame left to others: a checksum, cutting TCP into segments.
 *
 * What     offload_accept() makes a struct offload of a virtio-net header; offload_missing() says
 *          what of it a receiver does not take; offload_header() writes the header for one that
 *          takes all. switch/packets.h does the work for the others.
 * How      The sender's header is a claim. Each field is checked against the frame's own headers in
 *          the snapshot, and the receiver's header is built from what was checked: nothing of the
 *          sender's is copied. Its hdr_len is not read at all, so that a lie there is harmless.
 * Lengths  Those of IPv4 and IPv6 may disagree with the frame's and are not looked at here. As in
 *          Linux's tap and its segmentation, the frame's length counts: segments get lengths
 *          from it, and a frame that passes through keeps what it came with.
 * Threads  any: nothing is kept.
 * Trust    The header and the snapshot are hostile, but local: they do not change meanwhile.
 *          The checksum's field lies behind every byte that the switch decides on (tags, addresses,
 *          protocol, ports): else summing, here or in the receiver, would be a way to send a frame
 *          of another VLAN or address than the one that was looked at.
 * Limits   headers of OFFLOAD_HEAD_MAX bytes. Only TCP is cut, not inside tunnels; UDP (UFO, USO)
 *          is not offered.
 */
#ifndef SWITCH_OFFLOAD_H
#define SWITCH_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/vnet_hdr.h"

#define OFFLOAD_HEAD_MAX 256 /* bytes of snapshot; IPv6 with 160 bytes of extensions fits */

#define OFFLOAD_CSUM 0x01
#define OFFLOAD_TSO4 0x02
#define OFFLOAD_TSO6 0x04
#define OFFLOAD_ECN  0x08 /* with TSO: CWR is for the first segment only */
#define OFFLOAD_TSO  (OFFLOAD_TSO4 | OFFLOAD_TSO6)

/*
 * The least gso_size. Linux sends no less than TCP_MIN_SND_MSS, 48, with the TCP options counted
 * in: to a peer that says so and takes timestamps it sends 36, and 8 with 40 bytes of options (its
 * TCP_MIN_GSO_SIZE). Below that a frame only costs: it would be cut into up to 65,481 packets,
 * while now 8,186 is the most.
 */
#define OFFLOAD_GSO_MIN 8

/* What the sender left; all zero: nothing. Offsets are from the frame's first byte as sent. */
struct offload {
	uint8_t bits;	     /* OFFLOAD_*; TSO never without CSUM */
	uint8_t l3_off;	     /* where the IP header begins: behind 0 to 2 tags */
	uint8_t csum_start;  /* the sum is over what is from here to the end … */
	uint8_t csum_offset; /* … and goes here, counted from csum_start */
	uint16_t gso_size;   /* with TSO: payload of a segment */
	uint16_t hdr_len;    /* with TSO: Ethernet to the end of TCP */
};

/*
 * Checks what h asks for a frame of len bytes, head_len = min(len, OFFLOAD_HEAD_MAX) of them in
 * head, against the frame and `allowed` (OFFLOAD_*, negotiated). RX_BAD_OFFLOAD, with *o zero, or
 * FRAME_NO_DROP. A TSO frame whose payload is one segment comes out as CSUM, as in Linux.
 */
uint8_t offload_accept(const struct vnet_hdr *h, const uint8_t *head, uint32_t head_len,
		       uint32_t len, uint32_t allowed, struct offload *o);

/* The longest frame on a wire that a frame of len bytes becomes: what an MTU is compared with. */
static inline uint32_t offload_wire_len(const struct offload *o, uint32_t len)
{
	return o->bits & OFFLOAD_TSO ? (uint32_t)o->hdr_len + o->gso_size : len;
}

/* What software has to do for a receiver that takes `peer`: 0, or the bits that are left. */
static inline uint32_t offload_missing(const struct offload *o, uint32_t peer)
{
	uint32_t missing;

	if (!(peer & OFFLOAD_CSUM))
		return o->bits; /* TSO for it would still leave it the checksum */
	missing = o->bits & ~peer;
	return missing & OFFLOAD_ECN ? o->bits & ~(uint32_t)OFFLOAD_CSUM : missing;
}

/*
 * The header for a receiver that takes it all. shift: bytes by which the headers behind the MAC
 * addresses have moved since offload_accept(), as tags were pushed or popped. num_buffers is the
 * driver's.
 */
void offload_header(const struct offload *o, int shift, struct vnet_hdr *out);

#endif
