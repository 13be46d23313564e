/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: ports with a rate: what exceeds it stays on the sender's ring.
 *
 * How      A ring is not polled while its port has a debt. Otherwise it is asked for as many frames as there
 *          are tokens for, if they are as long as its last ones; what it gave is then paid for, byte by
 *          byte, which may make a debt. A port that sends nothing saves up tokens for LIMIT_DEPTH_US and no
 *          longer. A worker with nothing else to do sleeps until the debt is paid, and does not ask the guest
 *          for kicks meanwhile.
 * Threads  any workers at once: the meter is the port's.
 */
#ifndef SWITCH_LIMIT_H
#define SWITCH_LIMIT_H

#include "switch/port.h"
#include "switch/view.h"

#define LIMIT_DEPTH_US                                                                             \
	20000 /* what a sender that paused may send at once, in time; a late worker makes it up */
#define LIMIT_LEAST_US 500 /* the least of a burst, in time: few bursts, each of which costs */

/* How many frames this ring may give now; 0: its port has a debt, until *due. */
static inline unsigned limit_frames(const struct view_source *s, uint64_t now, uint64_t us_cycles,
				    uint64_t *due)
{
	const struct meter *m = &s->port->port->rate;

	if (!meter_open(m, now, due))
		return 0;
	return meter_frames(m, now, LIMIT_LEAST_US * us_cycles, LIMIT_DEPTH_US * us_cycles,
			    BURST_MAX);
}

/* Pays for a burst. */
static inline void limit_pay(const struct view_source *s, const struct burst *b, uint64_t now,
			     uint64_t us_cycles)
{
	unsigned __int128 cost;
	uint64_t bytes = 0;

	/* What is longer than any frame is dropped, and costs no more than the longest. */
	for (unsigned i = 0; i < b->n; i++)
		bytes += b->frames[i].len < FRAME_MAX ? b->frames[i].len : FRAME_MAX;
	cost = (unsigned __int128)bytes * s->rate_cost >> 16;
	meter_pay(&s->port->port->rate, now, (uint64_t)cost, LIMIT_DEPTH_US * us_cycles, b->n);
}

#endif
