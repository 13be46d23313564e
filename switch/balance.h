/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which worker a ring belongs to: the decisions alone, without state.
 *
 * What     balance_place() finds a worker for a ring that starts; balance_pick() looks at what workers
 *          and rings took of their CPUs of late, and names at most one ring to move.
 * How      A ring moves from a worker above BALANCE_HIGH to the least busy one, if that is below
 *          BALANCE_LOW: the ring that leaves the busier of the two least busy. That must become
 *          better by BALANCE_GAIN, so the only busy ring of a worker stays where it is, and no
 *          move is undone by the next one. A ring that has just moved rests.
 * Threads  any.
 */
#ifndef SWITCH_BALANCE_H
#define SWITCH_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

/* In 1/1000 of a CPU. */
#define BALANCE_HIGH 850
#define BALANCE_LOW  600
#define BALANCE_GAIN 100

#define BALANCE_REST_S 5 /* a ring that has moved stays so long: a burst must not chase it about */

struct balance_worker {
	uint32_t load; /* 1/1000 of a CPU */
	unsigned n_rings;
};

struct balance_ring {
	unsigned worker;
	uint32_t load; /* 1/1000 of a CPU */
	bool rests;
};

struct balance_move {
	unsigned ring, to;
};

/* The worker with the least load, of those alike the one with the fewest rings; n_workers is 1 or more. */
unsigned balance_place(const struct balance_worker *w, unsigned n_workers);

/* False: all may stay as it is. */
bool balance_pick(const struct balance_worker *w, unsigned n_workers, const struct balance_ring *r,
		  unsigned n_rings, struct balance_move *out);

#endif
