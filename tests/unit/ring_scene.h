/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One ring in memory of our own, and bursts through it that are compared with a naive walk
 * (tests/unit/ring_naive.h), all memory included.
 *
 * What     ring_scene_rx() and ring_scene_tx() do what a worker does, and return what was
 *          wrong: a frame, a count, a used entry, a byte anywhere in guest memory that is not as it
 *          must be. NULL: nothing.
 * Limits   where receive buffers overlap each other or the ring, what comes of it is the guest's
 *          affair: then only sums, and memory that was no buffer, are looked at.
 */
#ifndef TESTS_UNIT_RING_SCENE_H
#define TESTS_UNIT_RING_SCENE_H

#include "switch/frame.h"
#include "vhost-user/vu_ring.h"

struct ring_scene {
	struct vu_mem mem;
	uint8_t *shadow[VU_MEM_SLOTS]; /* what each region is known to hold */
	size_t compared; /* only so many bytes of each region are looked at; 0: all */
	struct vu_ring ring;
	struct burst burst;
	struct port_counters c;
};

/* Adds a region of size bytes at guest address gpa, whose front-end address is the same; red zones of
 * the address sanitizer are around it. */
void ring_scene_region(struct ring_scene *s, uint64_t gpa, size_t size);
void ring_scene_free(struct ring_scene *s);

/* Where gpa is, or NULL. */
void *ring_scene_at(struct ring_scene *s, uint64_t gpa);

/* The guest has written to its memory: that is what it holds now. */
void ring_scene_sync(struct ring_scene *s);

/* One burst from a transmit ring; *n: frames taken. */
const char *ring_scene_rx(struct ring_scene *s, unsigned *n);

/* Offers deliveries d[0..n-1] of frames[] to a receive ring; *settled: what vu_ring_tx() said. */
const char *ring_scene_tx(struct ring_scene *s, const struct frame *frames,
			  const struct delivery *d, unsigned n, unsigned *settled);

#endif
