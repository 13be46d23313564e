/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH; see switch/hold.h.
 */
#include "switch/hold.h"

#include "base/hot.h"

unsigned hold_deliver(struct forward *fw, const struct view_port *vp, unsigned q,
		      const struct delivery *d, unsigned n)
{
	struct port_counters *c = &vp->port->counters[fw->worker];
	struct port *p = vp->port;
	unsigned settled;

	if (fw->lock_tx)
		while (atomic_flag_test_and_set_explicit(&p->tx_lock[q], memory_order_acquire))
			hot_pause();
	settled = vp->ops->tx_burst(p, q, fw->burst->frames, d, n, c);
	if (fw->lock_tx)
		atomic_flag_clear_explicit(&p->tx_lock[q], memory_order_release);
	if (likely(fw->rooms != NULL))
		fw->rooms[vp->id].taken += settled;
	return settled;
}

/* Whether the port has taken frames since it last had no room, or did so just now. */
static bool takes_frames(const struct forward *fw, const struct view_port *vp)
{
	struct hold_room *room = &fw->rooms[vp->id];

	if (room->taken != room->seen) {
		room->tsc = fw->tsc;
		room->seen = room->taken;
	}
	return fw->tsc - room->tsc < fw->hold_cycles;
}

bool hold_has(const struct forward *fw, const struct view_port *vp, unsigned q)
{
	for (unsigned i = 0; fw->hold && i < fw->hold->n; i++)
		if (fw->hold->runs[i].port == vp && fw->hold->runs[i].q == q)
			return true;
	return false;
}

void hold_or_drop(struct forward *fw, const struct view_port *vp, unsigned q, const struct delivery *d,
		  unsigned n)
{
	struct hold_run *run;

	if (!fw->hold || fw->hold->n == HOLD_RUNS || !takes_frames(fw, vp)) {
		vp->port->counters[fw->worker].tx_drops[TX_RING_FULL] += n;
		return;
	}
	run = &fw->hold->runs[fw->hold->n++];
	run->port = vp;
	run->q = q;
	run->n = n;
	memcpy(run->d, d, n * sizeof(*d));
}

void hold_retry(struct forward *fw)
{
	for (unsigned i = 0; i < fw->hold->n; i++) {
		const struct hold_run *run = &fw->hold->runs[i];
		unsigned settled = hold_deliver(fw, run->port, run->q, run->d, run->n);

		run->port->port->counters[fw->worker].tx_drops[TX_RING_FULL] += run->n - settled;
	}
	fw->hold->n = 0;
}
