/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile guest's memory with one ring, written by the fuzzer's bytes: for tests/fuzz/ring.c and
 * tests/fuzz/ring-race.c.
 *
 * How      Four regions: two that touch, one that ends at the last address but one, and one with the ring
 *          and a table of descriptors; red zones of the address sanitizer between them in memory.
 */
#ifndef TESTS_FUZZ_RING_WORLD_H
#define TESTS_FUZZ_RING_WORLD_H

#include "tests/fuzz/input.h"
#include "tests/unit/ring_scene.h"

#define WORLD_GPA      0x100000ull
#define WORLD_SIZE     (132u << 10) /* a window of 4 KiB is near, see VU_WINDOW_NEAR */
#define WORLD_TOP      0xffffffffffffe000ull
#define WORLD_TOP_SIZE 0x1fffu
#define WORLD_RING     0x40000000ull
#define WORLD_TABLE    (WORLD_RING + 0x1000)
#define WORLD_CHAIN    (WORLD_GPA + 0x10000) /* 4,096 descriptors, each leading to the next */

struct world {
	struct ring_scene scene;
	struct vu_ring_state state;
	uint64_t features;
	bool sends; /* the guest: a transmit ring */
};

/* Makes the memory once, and everything in it anew. */
void world_begin(struct world *w, struct input *in);

/* Starts the ring, or starts it again after a fault. */
void world_start(struct world *w);

/* One thing that a guest can do to its memory. */
void world_guest(struct world *w, struct input *in);

/* What a switch may have for the guest: fills frames and deliveries; returns how many, 1 to 8. */
unsigned world_frames(struct input *in, struct burst *b, struct delivery *d);

#endif
