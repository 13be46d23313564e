/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwarding of one burst: classify, learn, look up, copy.
 *
 * How      Passes over the burst, so that cache misses of one frame hide behind the others: enter
 *          (VLAN, hash, prefetch), decide (learn, look up, stage for each destination), deliver
 *          (one call of the driver a destination). A link is no queue: the decision goes on
 *          in the next bridge with the same snapshot, at most LINK_DEPTH_MAX bridges deep and
 *          COPIES_MAX copies and hops a frame.
 * Threads  one struct forward a worker; the view is read only.
 */
#ifndef SWITCH_FORWARD_H
#define SWITCH_FORWARD_H

#include "base/hot.h"
#include "switch/frame.h"
#include "switch/view.h"

#define LINK_DEPTH_MAX 8
#define COPIES_MAX     4096 /* a bridge of SWITCH_PORTS_MAX ports may flood once */
#define GROUPS_MAX     64   /* destinations staged at a time */

struct decided_set;
struct hold;
struct trace;
struct watch_room;

struct group {
	const struct view_port *port;
	unsigned n;
	struct delivery d[BURST_MAX];
};

struct forward {
	unsigned worker;  /* whose counters to use */
	bool lock_tx;	  /* other workers may deliver to the same ring */
	uint32_t now_s;	  /* switch_now_s(), refreshed by the worker */
	const struct view *view;
	struct decided_set *decided;  /* DECIDED_SETS, zeroed at first */
	uint64_t epoch;		      /* of decided; 0 before the first burst */
	uint64_t epoch_view;	      /* the view and … */
	uint32_t epoch_s;	      /* … the second that it belongs to */
	struct burst *burst;
	struct hold *hold;	      /* what of it is to be tried again; NULL: nothing may be */
	struct hold_room *rooms;      /* by port id; NULL: hold is, too */
	uint64_t tsc;		      /* when the round began */
	uint64_t hold_cycles;	      /* a receiver that took nothing for so long gets no second try */
	unsigned n_groups;
	struct group groups[GROUPS_MAX];
	uint8_t group_of[SWITCH_PORTS_MAX]; /* 1 + index in groups; 0: none */
	/* For the watched version alone. */
	unsigned slot;		 /* of burst in room */
	struct watch_room *room; /* there before a view with watches is */
	struct trace *trace;	 /* decide and tell, but deliver and learn nothing; NULL: forward */
};

/* Forwards fw->burst, which came from queue q of in. When it returns everything is delivered, counted as
 * dropped, or in fw->hold. The caller ends the burst with rx_done(), after hold_retry() if need be. */
void forward_burst(struct forward *fw, const struct view_port *in, unsigned q);
HOT_DECLARE(void, forward_burst, struct forward *fw, const struct view_port *in, unsigned q);

/* The same for a burst that somebody may look at (SOURCE_WATCHED), or a trace. */
void forward_burst_watched(struct forward *fw, const struct view_port *in, unsigned q);
HOT_DECLARE(void, forward_burst_watched, struct forward *fw, const struct view_port *in, unsigned q);

#endif
