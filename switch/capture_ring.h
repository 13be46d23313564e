/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared memory of a capture: one ring of records for each worker.
 *
 * What     Memory is n_workers times (one page with struct capture_ring, then ring_size bytes).
 * How      Positions count bytes and never wrap; the place of position p is p modulo ring_size,
 *          a power of two. The worker writes records and then head; the reader reads them and
 *          then writes tail. A record never wraps: where one does not fit before the end, a
 *          filler goes there.
 *          Once `ended` is set no worker writes any more, into any of the rings.
 * Threads  one writer, one reader a ring.
 * Trust    the writer believes nothing but that tail is between its last value and head.
 */
#ifndef SWITCH_CAPTURE_RING_H
#define SWITCH_CAPTURE_RING_H

#include <stdatomic.h>
#include <stdint.h>

#define CAPTURE_PORTS_MAX 256
#define CAPTURE_PAGE	  4096

struct capture_ring {
	_Atomic uint64_t head;	   /* writer */
	_Atomic uint64_t n_frames; /* put so far */
	_Atomic uint32_t ended;	   /* control, in the first ring: no port of the capture is left */
	uint8_t pad[44];
	_Atomic uint64_t tail __attribute__((aligned(64))); /* reader */
	_Atomic uint64_t n_lost[CAPTURE_PORTS_MAX]
		__attribute__((aligned(64))); /* writer; by port */
};

_Static_assert(sizeof(struct capture_ring) <= CAPTURE_PAGE, "one page");

#define CAPTURE_FILLER UINT32_MAX /* as kept: size bytes that mean nothing */
#define CAPTURE_OUT    1	  /* of flags: delivered to the port, not received from it */
#define CAPTURE_DROP   2	  /* dropped, for `reason` */

struct capture_record {
	uint32_t size; /* of the record with what is behind it, a multiple of 8 */
	uint32_t kept; /* bytes of the frame that follow, or CAPTURE_FILLER */
	uint32_t len;  /* of the frame */
	uint16_t port; /* in the order in which the capture named them */
	uint8_t flags;
	uint8_t reason; /* enum rx_drop, or with CAPTURE_OUT enum tx_drop */
	uint64_t tsc;
};

#endif
