/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that found a receive ring full: one more try, after the rest of the poll round.
 *
 * What     hold_or_drop() keeps deliveries of the burst, which so stays on its sender's ring until
 *          hold_retry(); then what still finds no room is counted as TX_RING_FULL.
 * How      Only for a receiver that took frames within the last millisecond, so that a guest which
 *          sleeps holds up nobody, and for at most HOLDS_MAX bursts in a round. The sender's ring
 *          is not polled again meanwhile: the order of its frames stays.
 * Threads  the worker that has the burst.
 * Trust    A receiver may make room for one frame at a time, on purpose: that costs each of its senders
 *          one more try in a round.
 */
#ifndef SWITCH_HOLD_H
#define SWITCH_HOLD_H

#include "switch/forward.h"

#define HOLDS_MAX 4 /* bursts a round; one more is being worked on */
#define HOLD_RUNS 8 /* receivers of one burst that had no room */

/* Of a port, as this worker knows it: when it was last seen to take frames after it had no room. Not by
 * its counters: where a helper thread counts, these do not tell. */
struct hold_room {
	uint64_t tsc;
	uint32_t taken, seen; /* deliveries settled: now, and then */
};

struct hold_run {
	const struct view_port *port;
	unsigned q, n;
	struct delivery d[BURST_MAX];
};

struct hold {
	unsigned n;
	struct hold_run runs[HOLD_RUNS];
};

/* Delivers to ring q of vp: how many of d[0..n-1] are settled. */
unsigned hold_deliver(struct forward *fw, const struct view_port *vp, unsigned q,
		      const struct delivery *d, unsigned n);

/* Whether some of the burst waits for ring q of vp: then what comes after it has to wait too. */
bool hold_has(const struct forward *fw, const struct view_port *vp, unsigned q);

/* d[0..n-1] found no room in ring q of vp. */
void hold_or_drop(struct forward *fw, const struct view_port *vp, unsigned q, const struct delivery *d,
		  unsigned n);

/* The second try of what fw->hold has of fw->burst, which is empty afterwards. */
void hold_retry(struct forward *fw);

#endif
