/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame: memory borrowed for one burst.
 *
 * What     The first bytes of an Ethernet frame in local memory (the snapshot), where the rest
 *          lies, and its length. A delivery says how one frame leaves by one port.
 * How      The sender's memory is loaded once into head[]. Every decision reads head[], and the
 *          bytes that are delivered for that part of the frame are head[]'s, so a guest that
 *          rewrites its header meanwhile changes nothing that was decided on.
 * Threads  a burst belongs to one worker. Nothing here outlives rx_done() of its burst.
 * Trust    seg.va points into memory that a guest can write at any time: it is copied from,
 *          never looked at.
 */
#ifndef SWITCH_FRAME_H
#define SWITCH_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "switch/counters.h"
#include "switch/offload.h"

#define BURST_MAX   32	 /* frames: enough to hide a cache miss behind others, few enough for L1 */
#define FRAME_HEAD  64	 /* bytes in the snapshot: one cache line, all of Ethernet + tags + IPv6 + ports */
#define FRAME_MIN   14	 /* bytes: destination, source, type */
#define FRAME_MAX   65557 /* bytes, without FCS: an IP packet of 65,535, Ethernet, two tags */
#define VLAN_TAG    4	 /* bytes */
#define CHAIN_MAX   1024 /* segments of one frame: VIRTQUEUE_MAX_SIZE of QEMU */
#define BURST_SEGS  (2 * CHAIN_MAX)

#define FRAME_NO_DROP 0xff

/* A piece of somebody's memory. */
struct seg {
	uint8_t *va;
	uint32_t len; /* bytes */
};

struct frame {
	uint8_t head[FRAME_HEAD] __attribute__((aligned(64)));
	uint32_t len;		/* bytes of the whole frame */
	uint8_t head_len;	/* min(len, FRAME_HEAD) */
	uint8_t drop;		/* enum rx_drop found by the driver, or FRAME_NO_DROP */
	uint16_t n_segs;	/* pieces after the head; 0 when the head is all */
	const struct seg *segs; /* n_segs pieces, len - head_len bytes together */
	struct seg one;		/* what segs points to where there is one piece */
	uint32_t wire_len;	/* of the longest packet that it is on a wire; len, or a segment of TSO */
	uint32_t flow;		/* hash of the flow, the same both ways; valid with has_flow */
	bool has_flow;
	/* What its sender left. Where that is anything, the bytes up to OFFLOAD_HEAD_MAX are local: those
	 * behind the head are the first piece, in the burst's heads[]. */
	struct offload offload;
};

/* What a port gave in one go; frames 0..n-1. */
struct burst {
	struct frame frames[BURST_MAX];
	struct seg segs[BURST_SEGS]; /* backing store of frames[].segs */
	unsigned n, n_segs;
	unsigned n_unwanted; /* so many frames less than BURST_MAX are asked for; a driver may give more */
	uint8_t heads[BURST_MAX][OFFLOAD_HEAD_MAX]; /* of frames with offloads */
};

/*
 * One frame on its way out: head[0..11], a tag when `tagged`, head[off..] and the segments.
 * off is 12 for a frame that leaves as it came, or as it came with one tag more.
 */
struct delivery {
	uint8_t frame; /* index in burst.frames */
	uint8_t off;
	bool tagged;
	bool as_is; /* the bytes of the frame unchanged */
	uint16_t tci;
	uint16_t mirrored; /* 1: a copy that a mirror made; no mirror copies it again */
} __attribute__((aligned(8))); /* one load, one store */

/* Bytes by which all behind the addresses moves. */
static inline int delivery_shift(const struct delivery *d)
{
	return d->as_is ? 0 : 12 - d->off + (d->tagged ? VLAN_TAG : 0);
}

static inline uint32_t delivery_len(const struct frame *f, const struct delivery *d)
{
	return f->len + (uint32_t)delivery_shift(d);
}

/* Writes the changed start of the frame to out[FRAME_HEAD + VLAN_TAG]; returns its bytes. What
 * follows it are the frame's segments. */
static inline uint32_t delivery_head(const struct frame *f, const struct delivery *d, uint8_t *out)
{
	uint8_t *at = out + 12;

	memcpy(out, f->head, 12);
	if (d->tagged) {
		at[0] = 0x81;
		at[1] = 0x00;
		at[2] = (uint8_t)(d->tci >> 8);
		at[3] = (uint8_t)d->tci;
		at += VLAN_TAG;
	}
	memcpy(at, f->head + d->off, (size_t)(f->head_len - d->off));
	return (uint32_t)(at - out) + f->head_len - d->off;
}

/* The same of a delivery that may leave the frame as it is. */
static inline uint32_t delivery_start(const struct frame *f, const struct delivery *d, uint8_t *out)
{
	if (!d->as_is)
		return delivery_head(f, d, out);
	memcpy(out, f->head, f->head_len);
	return f->head_len;
}

#endif
