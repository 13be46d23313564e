/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: runs, the frames of a burst that are decided alike: how a burst is cut into them, and how one
 * is let in.
 *
 * How      Frames that follow each other and have the same in all bits that a decision looks at make one
 *          run. What is decided for its first frame counts for all; only lengths are their own.
 * Threads  the worker that has the burst.
 */
#ifndef SWITCH_RUN_H
#define SWITCH_RUN_H

#include "base/hot.h"
#include "switch/classify.h"
#include "switch/decided.h"
#include "switch/fdb_hot.h"
#include "switch/forward.h"

/* Frames that follow each other in the burst and are decided alike. */
struct run {
	uint8_t first, n;
	uint8_t drop;	      /* FRAME_NO_DROP: goes on */
	uint32_t len_largest; /* bytes of the longest packet on a wire */
	uint64_t bytes;	      /* of all */
	/* What makes frames alike, as in struct decided. */
	uint64_t a, b;
	uint32_t from;
	struct decided_set *set;
	/* The way out that was decided before, or NULL and where in the table the addresses are. */
	const struct view_port *known;
	struct delivery d; /* with known */
	struct shape shape;
	uint64_t src_key, src_hash, dst_key, dst_hash;
};

static inline bool is_reserved(const uint8_t *dst, uint16_t forwarded)
{
	return dst[0] == 0x01 && dst[1] == 0x80 && dst[2] == 0xc2 && !dst[3] && !dst[4] &&
	       dst[5] < 16 && !(forwarded >> dst[5] & 1);
}

static inline bool source_invalid(const uint8_t *src)
{
	uint64_t k = fdb_key(src, 0) & 0xffffffffffffull;

	return src[0] & 1 || !k;
}

/* What a frame must pass before its VLAN is asked. */
static inline uint8_t frame_check(const struct frame *f, const struct view_port *in)
{
	if (unlikely(f->drop != FRAME_NO_DROP))
		return f->drop;
	if (unlikely(f->len < FRAME_MIN))
		return RX_TOO_SHORT;
	if (unlikely(f->wire_len > in->len_max))
		return RX_TOO_LONG;
	if (unlikely(source_invalid(f->head + 6)))
		return RX_SRC_INVALID;
	return FRAME_NO_DROP;
}

/* What makes two frames of one port alike: the bits of their first 16 bytes that a decision looks at, the
 * type behind a tag, and lengths that let them in. */
struct likeness {
	uint64_t a, b, b_mask;
	uint16_t inner_type; /* as in memory; 0 without a tag */
	uint32_t len_least, len_range;
};

hot_inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#define VLAN_TPID_LOADED __builtin_bswap16(VLAN_TPID) /* as a little-endian load has it */

hot_inline struct likeness likeness_of(const struct frame *f, const struct view_port *in)
{
	struct likeness l = {.a = load64(f->head), .b = load64(f->head + 8)};

	/* Without a tag the payload begins at byte 14, and no decision looks at it. */
	l.b_mask = 0x0000ffffffffffffull;
	l.len_least = FRAME_MIN;
	if (unlikely((l.b >> 32 & 0xffff) == VLAN_TPID_LOADED)) {
		l.b_mask = ~0ull;
		l.len_least = FRAME_MIN + VLAN_TAG;
		memcpy(&l.inner_type, f->head + 16, 2);
	}
	l.b &= l.b_mask;
	l.len_range = in->len_max - l.len_least;
	return l;
}

/* Whether it has a length that all frames like it may have; others make runs of their own. */
hot_inline bool is_common(const struct likeness *l, const struct frame *f)
{
	return f->wire_len - l->len_least <= l->len_range && f->drop == FRAME_NO_DROP;
}

hot_inline bool is_alike(const struct likeness *l, const struct frame *f)
{
	uint16_t inner_type;

	if (((load64(f->head) ^ l->a) | ((load64(f->head + 8) & l->b_mask) ^ l->b)) || !is_common(l, f))
		return false;
	if (likely(l->len_least == FRAME_MIN))
		return true;
	memcpy(&inner_type, f->head + 16, 2);
	return inner_type == l->inner_type;
}

/* Decided by itself: no port has this number. */
#define FROM_ALONE UINT32_MAX

/* Pass 1: cuts the burst into runs. Returns how many; *bytes are those of all frames. */
hot_inline unsigned runs_cut(const struct forward *fw, const struct view_port *in, struct run *runs,
			     uint64_t *bytes)
{
	const struct burst *b = fw->burst;
	const unsigned n = b->n;
	unsigned n_runs = 0, i = 0;
	uint64_t sum = 0;

	while (i < n) {
		const struct frame *f = &b->frames[i];
		const struct likeness l = likeness_of(f, in);
		uint32_t largest = f->wire_len;
		uint64_t run_bytes = f->len; /* a frame that is too long may have 4 GiB */
		struct run *run = &runs[n_runs++];

		run->first = (uint8_t)i++;
		run->a = l.a;
		run->b = l.b;
		run->from = (uint32_t)in->id << 16 | l.inner_type;
		run->set = decided_set(fw->decided, l.a, l.b);
		__builtin_prefetch(run->set);
		if (unlikely(!is_common(&l, f))) {
			run->from = FROM_ALONE;
		} else {
			for (f++; i < n && is_alike(&l, f); f++, i++) {
				run_bytes += f->len;
				largest = f->wire_len > largest ? f->wire_len : largest;
			}
		}
		run->n = (uint8_t)(i - run->first);
		run->len_largest = largest;
		run->bytes = run_bytes;
		sum += run_bytes;
	}
	*bytes = sum;
	return n_runs;
}

/* n frames of it from `at` on. */
static inline struct run run_part(const struct burst *b, const struct run *all, unsigned at, unsigned n)
{
	struct run part = *all;

	part.first = (uint8_t)(all->first + at);
	part.n = (uint8_t)n;
	part.len_largest = 0;
	part.bytes = 0;
	for (const struct frame *f = &b->frames[part.first], *end = f + n; f < end; f++) {
		part.bytes += f->len;
		part.len_largest = f->wire_len > part.len_largest ? f->wire_len : part.len_largest;
	}
	return part;
}

/* Lets a run in: its VLAN, and where in the table its addresses are. */
hot_inline uint8_t run_enter(const struct view_port *in, const struct frame *f, struct run *run)
{
	uint8_t drop = frame_check(f, in);

	run->shape = shape_of_frame();
	if (likely(drop == FRAME_NO_DROP))
		drop = shape_enter(&run->shape, f, in);
	if (unlikely(drop == FRAME_NO_DROP && f->head[0] & 1 &&
		     is_reserved(f->head, in->bridge->forward_reserved)))
		drop = RX_RESERVED_ADDRESS;
	if (unlikely(drop != FRAME_NO_DROP))
		return drop;
	run->src_key = fdb_key(f->head + 6, run->shape.vid);
	run->dst_key = fdb_key(f->head, run->shape.vid);
	run->src_hash = fdb_hash(run->src_key);
	run->dst_hash = fdb_hash(run->dst_key);
	fdb_prefetch(in->bridge->fdb, run->src_hash);
	fdb_prefetch(in->bridge->fdb, run->dst_hash);
	return drop;
}

#endif
