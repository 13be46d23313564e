/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/balance.h"

#define LOAD_STEP 250 /* workers that differ by less count as equally loaded */

unsigned balance_place(const struct balance_worker *w, unsigned n_workers)
{
	unsigned best = 0;

	for (unsigned i = 1; i < n_workers; i++) {
		uint32_t a = w[i].load / LOAD_STEP, b = w[best].load / LOAD_STEP;

		if (a < b || (a == b && w[i].n_rings < w[best].n_rings))
			best = i;
	}
	return best;
}

bool balance_pick(const struct balance_worker *w, unsigned n_workers, const struct balance_ring *r,
		  unsigned n_rings, struct balance_move *out)
{
	uint32_t best = BALANCE_GAIN;
	bool found = false;
	unsigned to = 0;

	for (unsigned i = 1; i < n_workers; i++)
		if (w[i].load < w[to].load)
			to = i;
	if (w[to].load >= BALANCE_LOW)
		return false;
	for (unsigned i = 0; i < n_rings; i++) {
		uint32_t from = w[r[i].worker].load, left, after;

		if (r[i].rests || from <= BALANCE_HIGH)
			continue;
		left = from - (r[i].load < from ? r[i].load : from);
		after = w[to].load + r[i].load;
		after = after > left ? after : left;
		if (after < from && from - after >= best + found) {
			best = from - after;
			found = true;
			*out = (struct balance_move){i, to};
		}
	}
	return found;
}
