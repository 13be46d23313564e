/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: how much of its worker a ring gets while others want it too.
 *
 * What     Rings that all have frames get equal shares of the worker's cycles, whatever a frame of each costs:
 *          a burst of large ones to be cut takes a thousand times what 32 short ones take. A ring that wants
 *          less than its share gets what it wants, and the others have the rest: no cycle is kept for anybody.
 * How      Start-time fair queueing. Each ring has a sum of the cycles spent on it. A ring that comes back from
 *          a pause starts with the sum that the others have. `floor` is the least sum of those rings that
 *          gave many frames in the last round; a ring whose sum is more than a slack above it is passed
 *          over for a round. A ring that gave few frames is empty now and has got all it wanted, so nobody
 *          waits for it. When no ring has frames, all debts are forgotten. A ring whose bursts take long is
 *          asked for fewer frames while others are active, so that these do not wait for long and no ring
 *          of 256 entries fills up meanwhile.
 * Threads  a worker's own.
 * Limits   a single frame is not divided: what it takes is a debt, of SHARE_DEBT_US at most.
 */
#ifndef SWITCH_SHARE_H
#define SWITCH_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hot.h"
#include "switch/frame.h"

#define SHARE_SLACK_US 20 /* small differences are evened out over some rounds, and cost none */
#define SHARE_BURST_US 20 /* a burst that takes longer shall have fewer frames */
#define SHARE_DEBT_US                                                                              \
	5000	     /* of a poll; more must have been the host's doing: the worker lost its CPU */
#define SHARE_MUCH 4 /* a quarter of what a ring is asked for is much to give */

struct share {
	uint64_t used;	    /* TSC cycles */
	uint8_t n_unwanted; /* frames of a burst that would take too long */
};

struct shares {
	struct share *of;     /* by place among the worker's rings */
	uint64_t floor, most; /* most: floor and the slack */
	uint64_t next,
		waits; /* of this round: the least that had frames, the least that was passed over */
	uint64_t highest; /* of all rings */
	uint64_t us_cycles;
};

/* `of` has zeros. */
static inline void shares_init(struct shares *s, struct share *of, uint64_t us_cycles)
{
	*s = (struct shares){.of = of, .us_cycles = us_cycles, .most = SHARE_SLACK_US * us_cycles};
	s->next = s->waits = UINT64_MAX;
}

/* Other rings have other places now: all begin alike. */
static inline void shares_restart(struct shares *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		s->of[i] = (struct share){.used = s->floor};
}

/* Whether it is this ring's turn. */
static inline bool share_may(struct shares *s, unsigned place)
{
	const uint64_t used = s->of[place].used;

	if (likely(used <= s->most))
		return true;
	if (used < s->waits)
		s->waits = used;
	return false;
}

/* n frames of the ring (0: what was left over of frames of before) took so many cycles; others: some are
 * active beside it. */
static inline void share_charge(struct shares *s, unsigned place, uint64_t cycles, unsigned n,
				bool others)
{
	const uint64_t longest = SHARE_BURST_US * s->us_cycles, debt = SHARE_DEBT_US * s->us_cycles;
	struct share *r = &s->of[place];

	r->used = (r->used > s->floor ? r->used : s->floor) + (cycles < debt ? cycles : debt);
	if (n * SHARE_MUCH >= BURST_MAX - (unsigned)r->n_unwanted && r->used < s->next)
		s->next = r->used;
	if (r->used > s->highest)
		s->highest = r->used;
	if (unlikely(cycles > longest && others && n > 1))
		r->n_unwanted =
			(uint8_t)(BURST_MAX - (n * longest > cycles ? n * longest / cycles : 1));
	else if (unlikely(r->n_unwanted && (!others || cycles < longest / 2)))
		r->n_unwanted /= 2;
}

/* After each round. */
static inline void shares_round(struct shares *s)
{
	uint64_t least = s->next < s->waits ? s->next : s->waits;

	if (least == UINT64_MAX)
		least = s->highest;
	s->floor = least > s->floor ? least : s->floor;
	s->most = s->floor + SHARE_SLACK_US * s->us_cycles;
	s->next = s->waits = UINT64_MAX;
}

#endif
