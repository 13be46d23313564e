/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Traces: what would happen to a frame, and why.
 *
 * How      The watched version of switch/forward.c (switch/watched.h) runs on control's own
 *          struct forward with one frame that nobody sent: it decides as it always does, tells
 *          each step, and delivers, learns and counts nothing (counters go to the scratch
 *          block).
 * Threads  control only: it builds the views, so the one it reads stays.
 */
#ifndef SWITCH_TRACE_H
#define SWITCH_TRACE_H

#include "switch/switch.h"

/* port is where the frame is, unless said otherwise; vid the VLAN it is in there. */
enum trace_kind {
	TRACE_ENTERED,	  /* port lets it in, into vid */
	TRACE_DROPPED_IN, /* port counts it with reason (enum rx_drop) */
	TRACE_LEARN,	  /* port is looked at as its source's: see src */
	TRACE_KNOWN,	  /* its destination is on `to`: see dst; not found there: `to` owns it */
	TRACE_GROUP,	  /* its destination is a group: to all others of the VLAN */
	TRACE_UNKNOWN,	  /* its destination is not known: to all others of the VLAN */
	TRACE_STALE, /* its destination was learned on `to` (may be NULL), which has left the VLAN
		      */
	TRACE_DELIVERED,   /* port would send it */
	TRACE_DROPPED_OUT, /* port counts it with reason (enum tx_drop) instead of sending it */
	TRACE_CROSSED,	   /* it leaves by port, a link, and comes out of `to`, its other end */
};

/* What a table has of an address. */
struct trace_entry {
	bool found, is_static;
	struct port *port; /* NULL where it is being deleted */
	uint32_t age_s;
};

struct trace_step {
	enum trace_kind kind;
	struct port *port, *to;
	uint16_t vid;
	uint8_t reason;
	struct trace_entry src, dst; /* of TRACE_LEARN; of TRACE_KNOWN and TRACE_STALE */
	uint32_t len;		     /* bytes, where it is delivered, crosses or is dropped */
	bool tagged;		     /* … and whether a tag is in front there, which */
	uint16_t tci;
};

typedef void (*trace_fn)(void *arg, const struct trace_step *step);

/* Calls fn for each step of a frame of len bytes (at most FRAME_MAX) that comes from `in`. */
int trace_run(struct switch_ *sw, struct port *in, const uint8_t *frame, uint32_t len, trace_fn fn,
	      void *arg, struct err *err);

#endif
