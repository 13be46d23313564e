/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Split virtqueues of a virtio-net device, seen from the device. virtio 1.1, section 2.6 and 5.1.6.
 *
 * What     vu_ring_rx() takes frames that the guest transmits; vu_ring_tx() delivers frames
 *          into the guest's receive buffers. Legacy and VERSION_1 headers, mergeable receive
 *          buffers, indirect descriptors, header and data in any layout, EVENT_IDX.
 * How      Passes over a burst (available entries, descriptors, memory), so that the misses of one
 *          frame hide behind the others. Nothing is kept over a burst: what vu_ring_rx() took,
 *          vu_ring_rx_done() gives back in the same burst.
 * Threads  a transmit ring belongs to one worker, a receive ring to whoever holds the port's
 *          tx_lock. start, stop, fault_text: control, while no worker is in the ring.
 * Trust    Every field in guest memory is loaded once and checked before use. A violation sets
 *          `fault` with its facts, and the ring is not touched again until it is started anew.
 * Limits   chains of CHAIN_MAX descriptors, frames of FRAME_MAX bytes.
 */
#ifndef VHOST_USER_VU_RING_H
#define VHOST_USER_VU_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hot.h"
#include "switch/frame.h"
#include "switch/vnet_hdr.h"
#include "vhost-user/vu_mem.h"

/* virtio 1.1, 2.6.5 to 2.6.8. */
struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
#define VRING_DESC_NEXT	    1
#define VRING_DESC_WRITE    2
#define VRING_DESC_INDIRECT 4

struct vring_avail {
	uint16_t flags, idx;
	uint16_t ring[]; /* then used_event */
};
#define VRING_AVAIL_NO_INTERRUPT 1

struct vring_used_elem {
	uint32_t id, len;
};
struct vring_used {
	uint16_t flags, idx;
	struct vring_used_elem ring[]; /* then uint16_t avail_event */
};
#define VRING_USED_NO_NOTIFY 1

/* What a guest did wrong; vu_ring_fault_text() says it in words. */
enum vu_ring_fault {
	VU_FAULT_NONE,
	VU_FAULT_AVAIL_JUMP,	 /* a: from, b: to */
	VU_FAULT_HEAD_RANGE,	 /* a: descriptor */
	VU_FAULT_NEXT_RANGE,	 /* a: descriptor */
	VU_FAULT_CHAIN_LONG,	 /* a: head */
	VU_FAULT_ADDRESS,	 /* a: guest address, b: bytes */
	VU_FAULT_DIRECTION,	 /* a: head */
	VU_FAULT_INDIRECT,	 /* a: head, b: bytes of its table */
	VU_FAULT_INDIRECT_NESTED, /* a: head */
	VU_FAULT_INDIRECT_FEATURE, /* a: head */
	VU_FAULT_INDIRECT_PLACE,   /* a: guest address */
	VU_FAULT_HEADER_SHORT,	 /* a: head, b: bytes */
	VU_FAULT_CHAIN_EMPTY,	 /* a: head */
	VU_FAULT_MEMORY_LOST,
};

struct vu_ring {
	/* Set by start, read by the worker. */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	const struct vu_mem *mem;
	uint16_t size; /* entries, a power of two */
	uint8_t hdr_len;
	bool mergeable, indirect, event_idx;
	uint8_t offloads_sent;	/* OFFLOAD_* that the driver may leave to us … */
	uint8_t offloads_taken; /* … and that it takes */
	bool running; /* control: workers may be in it */
	_Atomic int call_fd; /* -1: the guest polls; control: rw at any time, worker: ro */

	/* The worker's. */
	uint16_t last_avail; /* next available entry to take */
	uint16_t last_used;  /* next used entry to publish */
	uint16_t published;  /* last_used when it was published last */
	bool published_valid;
	unsigned n_taken; /* frames between rx and rx_done */
	unsigned n_most;  /* available entries of a receive ring that were ever seen at once */
	uint16_t heads[BURST_MAX];
	bool fault_told;	 /* the driver has raised it */

	/* Worker to control; fault is stored last. */
	uint64_t fault_a, fault_b;
	_Atomic uint8_t fault;
};

/* Looks up the ring's parts and goes on at its used index, whatever state->base says: virtio-user says 0
 * also where it takes up a ring again after a reconnect. -EINVAL with a sentence; the ring is then
 * left stopped. */
int vu_ring_start(struct vu_ring *r, const struct vu_ring_state *state, uint64_t features,
		  const struct vu_mem *mem, struct err *err);
void vu_ring_stop(struct vu_ring *r);

/* Fills b->frames from 0 on; returns how many. 0 also after a fault. */
unsigned vu_ring_rx(struct vu_ring *r, struct burst *b);
HOT_DECLARE(unsigned, vu_ring_rx, struct vu_ring *r, struct burst *b);

/* Gives back what vu_ring_rx() took, and calls the guest if it wants that. */
void vu_ring_rx_done(struct vu_ring *r);
HOT_DECLARE(void, vu_ring_rx_done, struct vu_ring *r);

/* Delivers in order until the ring is full; returns how many frames are counted in c, as delivered or
 * with their reason. */
unsigned vu_ring_tx(struct vu_ring *r, const struct frame *frames, const struct delivery *d, unsigned n,
		struct port_counters *c);
HOT_DECLARE(unsigned, vu_ring_tx, struct vu_ring *r, const struct frame *frames, const struct delivery *d,
	    unsigned n, struct port_counters *c);

/* Asks for a kick when the guest makes frames available; true when there are some already. */
bool vu_ring_arm(struct vu_ring *r);
void vu_ring_disarm(struct vu_ring *r);

/* Calls the guest whatever it asked for: after a restart it may have missed one. */
void vu_ring_call(struct vu_ring *r);

/* A sentence about the fault, without object. */
void vu_ring_fault_text(const struct vu_ring *r, char *text, size_t size);

#endif
