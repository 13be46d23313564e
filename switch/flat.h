/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames from and to local memory, where they lie as a tap, a socket or an mbuf has them.
 *
 * What     flat_frame() makes a frame of a burst; flat_whole() writes a delivery for a receiver
 *          that takes what the sender left, struct flat the packets for one that does not.
 * How      Memory is one piece or a few (an mbuf chain). The virtio header, if there is one, is
 *          apart:
 *
 *              flat_begin(&w, f, d, peer);
 *              while ((len = flat_next(&w))) {
 *                      ... find room for len bytes ...
 *                      flat_write(&w, room, &hdr);
 *              }
 *
 *          The caller may stop at any packet. What is shorter than Ethernet wants is the
 *          caller's to pad: flat_pad().
 * Threads  the worker that has the burst.
 * Trust    Bytes and header are hostile; the memory is ours: nobody else writes it before
 *          rx_done(). What memory shared with a peer (memif) holds is read once for the
 *          snapshot, as everywhere.
 */
#ifndef SWITCH_FLAT_H
#define SWITCH_FLAT_H

#include "switch/frame.h"
#include "switch/packets.h"
#include "switch/pieces.h"

#define FLAT_MIN 60 /* bytes of the shortest frame on an Ethernet, without FCS */

/*
 * Frame i of b. hdr: what the sender asks for, of `allowed` (OFFLOAD_*); NULL: nothing. The pieces
 * stay where they are until rx_done(). False when b has no room for so many pieces: end the burst
 * before i.
 */
bool flat_frame(struct burst *b, unsigned i, const struct vnet_hdr *hdr, uint32_t allowed,
		const struct seg *pieces, unsigned n_pieces);

/* Writes all delivery_len() bytes and the header of a delivery to a receiver that takes all. */
void flat_whole(const struct frame *f, const struct delivery *d, uint8_t *to, struct vnet_hdr *hdr);

/* A delivery on its way to a receiver that takes less. */
struct flat {
	struct packets ps;
	struct packet packet;
	struct seg rest;
	struct cursor from;
	uint8_t head[OFFLOAD_HEAD_MAX + VLAN_TAG];
};

/* peer: OFFLOAD_* that the receiver takes. */
void flat_begin(struct flat *w, const struct frame *f, const struct delivery *d, uint32_t peer);

/* The bytes of the next packet, 0 when there are no more. */
uint32_t flat_next(struct flat *w);

/* Writes it to pieces that have room for it, and what its receiver is told (num_buffers is 0). */
void flat_write(struct flat *w, const struct seg *to, struct vnet_hdr *hdr);

/* Zeros behind a frame of len bytes up to FLAT_MIN; returns its bytes now. */
static inline uint32_t flat_pad(uint8_t *frame, uint32_t len)
{
	if (len >= FLAT_MIN)
		return len;
	memset(frame + len, 0, FLAT_MIN - len);
	return FLAT_MIN;
}

#endif
