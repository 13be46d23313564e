/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split ring walked one descriptor at a time, as virtio 1.1, 2.6 has it: what switch and fuzzers are
 * compared with.
 *
 * What     naive_rx() says what one available entry of a transmit ring is: a frame with these
 *          bytes, or this fault. naive_chain() says where the bytes of a receive buffer are.
 * How      No window, no burst, no prefetch, no layout that is treated apart; a look-up for each piece.
 * Threads  any. Nothing may write the memory meanwhile.
 */
#ifndef TESTS_UNIT_RING_NAIVE_H
#define TESTS_UNIT_RING_NAIVE_H

#include "vhost-user/vu_ring.h"

#define NAIVE_PIECES (4 * CHAIN_MAX)

struct naive_chain {
	enum vu_ring_fault fault; /* VU_FAULT_NONE: the rest is valid */
	unsigned n;		  /* pieces */
	uint64_t bytes;
	struct seg segs[NAIVE_PIECES];
};

/* The chain of descriptor head; flag: VRING_DESC_WRITE or 0, which all of it must have. */
void naive_chain(const struct vu_ring *r, uint16_t head, uint16_t flag, struct naive_chain *out);

/* Copies up to n bytes from byte `from` of the chain on; returns how many there were. */
uint32_t naive_read(const struct naive_chain *c, uint64_t from, void *out, uint32_t n);

#define NAIVE_BYTES 65557 /* the longest frame; see FRAME_MAX */

struct naive_frame {
	enum vu_ring_fault fault;
	unsigned n_pieces; /* of memory, the header's too */
	uint64_t len;	   /* without header; may be beyond NAIVE_BYTES */
	struct vnet_hdr hdr;
	uint8_t bytes[NAIVE_BYTES];
};

/* What the available entry that names `head` is. */
void naive_rx(const struct vu_ring *r, uint16_t head, struct naive_frame *out);

/* Entry k beyond r->last_avail. */
uint16_t naive_avail(const struct vu_ring *r, unsigned k);

#endif
