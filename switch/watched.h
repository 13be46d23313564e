/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: where the watched version of switch/forward.c looks at frames for captures, mirrors and
 * traces. See switch/watch.h and switch/trace.h.
 *
 * How      WATCH(...) is its text in the version compiled with FORWARD_WATCHED and nothing in the
 *          other, which so has not one instruction more for all this.
 *          A frame that is looked at is copied once into the worker's own memory and delivered from
 *          there: what is seen is what is decided on and what is delivered.
 * Threads  the worker that has the burst, with a room of its own; control for a trace, without one.
 */
#ifndef SWITCH_WATCHED_H
#define SWITCH_WATCHED_H

#include "base/hot.h"
#include "switch/forward.h"
#include "switch/trace.h"
#include "switch/watch.h"

#ifdef FORWARD_WATCHED
#define WATCH(...) __VA_ARGS__
#else
#define WATCH(...)
#endif

/* For watched_emit(): a frame that was not dropped. */
#define WATCH_NO_DROP 0xff

static inline struct delivery frame_as_is(void)
{
	return (struct delivery){.off = 12, .as_is = true};
}

/* Shows frames first .. first + n - 1, as d says that they are on vp, to those of mask. */
void watched_emit(struct forward *fw, const struct view_port *vp, uint32_t mask, unsigned first,
		  unsigned n, struct delivery d, enum watch_way way, uint8_t reason);

/* A step of a trace about one frame. */
void trace_tell(struct forward *fw, enum trace_kind kind, const struct view_port *vp, uint16_t vid,
		const struct view_port *other, const struct delivery *d, uint8_t reason);

/* tx() of switch/forward.c for a port whose deliveries are looked at: one frame at a time. */
void watch_tx(struct forward *fw, const struct view_port *vp, unsigned q, const struct delivery *d,
	      unsigned n);

/* hold_retry() for a burst that the watched version has forwarded. */
void watch_hold_retry(struct forward *fw);

/* Control: what a worker needs for this. Freed when no view has watches any more. */
int watch_room_create(struct watch_room **out);
void watch_room_destroy(struct watch_room *room); /* accepts NULL */

static inline bool watched_out(const struct view_port *vp)
{
	return vp->watch.out | vp->watch.out_drops;
}

static inline void watched_drop_in(struct forward *fw, const struct view_port *in, unsigned first,
				   unsigned n, struct delivery d, uint8_t reason)
{
	if (unlikely(fw->trace != NULL))
		trace_tell(fw, TRACE_DROPPED_IN, in, 0, NULL, &d, reason);
	else if (unlikely(in->watch.in_drops))
		watched_emit(fw, in, in->watch.in_drops, first, n, d, WATCH_IN, reason);
}

static inline void watched_drop_out(struct forward *fw, const struct view_port *vp, unsigned first,
				    unsigned n, struct delivery d, uint8_t reason)
{
	if (unlikely(fw->trace != NULL))
		trace_tell(fw, TRACE_DROPPED_OUT, vp, 0, NULL, &d, reason);
	else if (unlikely(vp->watch.out_drops))
		watched_emit(fw, vp, vp->watch.out_drops, first, n, d, WATCH_OUT, reason);
}

/* The whole burst, before anything is decided. */
void watched_burst(struct forward *fw, const struct view_port *in);

static inline void watched_received(struct forward *fw, const struct view_port *in)
{
	if (likely(!fw->trace))
		watched_burst(fw, in);
}

/* Over a link: out of vp, into its peer. */
static inline void watched_cross(struct forward *fw, const struct view_port *vp, unsigned first,
				 unsigned n, struct delivery d)
{
	const struct view_port *in = vp->peer;

	if (unlikely(fw->trace != NULL)) {
		trace_tell(fw, TRACE_CROSSED, vp, 0, in, &d, 0);
		return;
	}
	if (unlikely(vp->watch.out))
		watched_emit(fw, vp, vp->watch.out, first, n, d, WATCH_OUT, WATCH_NO_DROP);
	if (unlikely(in->watch.in))
		watched_emit(fw, in, in->watch.in, first, n, d, WATCH_IN, WATCH_NO_DROP);
}

/* True when this was a trace: nothing of it is delivered. */
static inline bool watched_group(struct forward *fw, const struct group *g)
{
	bool up = g->port->n_txq;

	if (likely(!fw->trace && (up || !g->port->watch.out_drops)))
		return false;
	for (unsigned i = 0; i < g->n; i++) {
		if (!up)
			watched_drop_out(fw, g->port, g->d[i].frame, 1, g->d[i], TX_NOT_UP);
		else
			trace_tell(fw, TRACE_DELIVERED, g->port, 0, NULL, &g->d[i], 0);
	}
	return fw->trace;
}

static inline void traced(struct forward *fw, enum trace_kind kind, const struct view_port *in,
			  uint16_t vid, const struct view_port *to)
{
	if (unlikely(fw->trace != NULL))
		trace_tell(fw, kind, in, vid, to, NULL, 0);
}

/* Of a trace: what was looked up, had the frame's source been learned before. */
uint16_t trace_looked_up(struct forward *fw, const struct view_port *in, uint16_t vid, uint16_t id);

static inline uint16_t traced_lookup(struct forward *fw, const struct view_port *in,
				     const struct frame *f, uint16_t vid, uint16_t id)
{
	if (likely(!fw->trace || memcmp(f->head, f->head + 6, 6)))
		return id;
	return trace_looked_up(fw, in, vid, id);
}

/* Of a trace: nothing is learned. key is the sender's; FRAME_NO_DROP, or why it would be dropped. */
uint8_t traced_learn(struct forward *fw, const struct view_port *in, uint64_t key);

#endif
