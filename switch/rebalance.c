/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/rebalance.h"

#include <stdlib.h>

#include <rte_cycles.h>

#include "base/log.h"
#include "switch/balance.h"
#include "switch/internal.h"
#include "switch/worker.h"

/* Between two readings of the counters, for their difference to tell what is going on now. */
#define APART_MIN_MS 500
#define APART_MAX_MS 3000

static uint32_t share(uint64_t cycles, uint64_t elapsed)
{
	uint64_t permille = elapsed ? cycles * 1000 / elapsed : 0;

	return permille < 1000 ? (uint32_t)permille : 1000;
}

static void workers_count(struct switch_ *sw, struct balance_worker *w)
{
	struct port *p;

	for (unsigned i = 0; i < sw->opts.n_workers; i++)
		w[i] = (struct balance_worker){.load = worker_busy_permille(sw->workers[i])};
	TAILQ_FOREACH(p, &sw->ports, link)
		for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
			w[p->rx_worker[q]].n_rings += p->rx_mask >> q & 1;
}

unsigned rebalance_place(struct switch_ *sw)
{
	struct balance_worker *w;
	unsigned worker;

	if (sw->opts.n_workers == 1)
		return 0;
	w = calloc(sw->opts.n_workers, sizeof(*w));
	if (!w)
		return 0;
	workers_count(sw, w);
	worker = balance_place(w, sw->opts.n_workers);
	free(w);
	return worker;
}

struct ring_ref {
	struct port *port;
	unsigned q;
};

/* Reads every ring's counter; r and refs get what it took since the last reading. Returns how many. */
static unsigned rings_read(struct switch_ *sw, uint64_t elapsed, struct balance_ring *r,
			   struct ring_ref *refs)
{
	uint32_t now_s = switch_now_s(sw);
	unsigned n = 0;
	struct port *p;

	TAILQ_FOREACH(p, &sw->ports, link)
		for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
			struct ring_load *l = &p->load[q];
			uint64_t busy = atomic_load_explicit(&l->busy_cycles, memory_order_relaxed);

			if (!(p->rx_mask >> q & 1))
				continue;
			r[n] = (struct balance_ring){
				.worker = p->rx_worker[q],
				.load = share(busy - l->seen, elapsed),
				.rests = now_s < l->rests_until_s,
			};
			refs[n++] = (struct ring_ref){p, q};
			l->seen = busy;
		}
	return n;
}

static void pick_and_move(struct switch_ *sw, uint64_t elapsed, struct balance_worker *w,
			  struct balance_ring *r, struct ring_ref *refs)
{
	unsigned n = rings_read(sw, elapsed, r, refs);
	struct balance_move move;
	struct ring_ref *ref;

	workers_count(sw, w);
	if (elapsed > sw->tsc_hz / 1000 * APART_MAX_MS ||
	    !balance_pick(w, sw->opts.n_workers, r, n, &move))
		return;
	ref = &refs[move.ring];
	if (port_rx_move(ref->port, ref->q, move.to) < 0)
		return;
	ref->port->load[ref->q].rests_until_s = switch_now_s(sw) + BALANCE_REST_S;
	LOG_INFO_RL("port \"%s\": queue %u went from worker %u (%u %% busy) to worker %u (%u %%)",
		    ref->port->name, ref->q, r[move.ring].worker, w[r[move.ring].worker].load / 10,
		    move.to, w[move.to].load / 10);
}

void rebalance(struct switch_ *sw)
{
	uint64_t tsc = rte_rdtsc(), elapsed = tsc - sw->balance_tsc;
	struct balance_worker *w;
	struct balance_ring *r;
	struct ring_ref *refs;
	unsigned n = 0;
	struct port *p;

	if (elapsed < sw->tsc_hz / 1000 * APART_MIN_MS)
		return;
	sw->balance_tsc = tsc;
	TAILQ_FOREACH(p, &sw->ports, link)
		n += (unsigned)__builtin_popcount(p->rx_mask);
	w = calloc(sw->opts.n_workers, sizeof(*w));
	r = calloc(n + 1, sizeof(*r));
	refs = calloc(n + 1, sizeof(*refs));
	if (w && r && refs)
		pick_and_move(sw, elapsed, w, r, refs);
	free(w);
	free(r);
	free(refs);
}
