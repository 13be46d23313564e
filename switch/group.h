/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: groups, the frames of a burst that leave by the same port: gathered by stage(), delivered by
 * groups_flush() with one call of the port's driver a queue.
 *
 * What     Every frame that is staged is delivered, held for a second try or counted in tx_drops.
 * How      fw->group_of says which group a port has, so a frame finds it without a search. When all
 *          GROUPS_MAX are taken, all are delivered at once: the order of a port's frames stays.
 * Threads  the worker that has the burst; control for a trace (switch/watched.h).
 * Limits   For switch/forward.c alone, which is compiled once for each version of the data path.
 */
#ifndef SWITCH_GROUP_H
#define SWITCH_GROUP_H

#include "switch/flow.h"
#include "switch/forward.h"
#include "switch/hold.h"
#include "switch/internal.h"
#include "switch/run.h"
#include "switch/watched.h"

static inline struct port_counters *counters(const struct forward *fw, const struct view_port *vp)
{
	return &vp->port->counters[fw->worker];
}

/* The receive queue that this guest expects the flow on: where it last sent the reverse flow from,
 * else by hash. */
static unsigned flow_txq(const struct view_port *vp, uint32_t flow)
{
	unsigned q = atomic_load_explicit(&vp->port->flow_queue[flow % PORT_FLOW_SLOTS],
					  memory_order_relaxed);

	for (unsigned i = 0; q && i < vp->n_txq; i++)
		if (vp->txq[i] == q - 1)
			return q - 1;
	return vp->txq[(flow >> 16) % vp->n_txq];
}

static void tx(struct forward *fw, const struct view_port *vp, unsigned q,
	       const struct delivery *d, unsigned n)
{
	unsigned settled = 0;

	WATCH(if (unlikely(watched_out(vp))) {
		watch_tx(fw, vp, q, d, n);
		return;
	})
	if (likely(!fw->hold || !fw->hold->n || !hold_has(fw, vp, q)))
		settled = hold_deliver(fw, vp, q, d, n);
	if (unlikely(settled < n))
		hold_or_drop(fw, vp, q, d + settled, n - settled);
}

/* Spreads a group over the receive queues of a multi-queue guest, each queue's frames in order. */
static void tx_by_flow(struct forward *fw, const struct view_port *vp, const struct delivery *d,
		       unsigned n)
{
	struct delivery run[BURST_MAX];
	uint8_t queue[BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &fw->burst->frames[d[i].frame];

		if (!f->has_flow) {
			f->flow = flow_hash(f, d[i].off);
			f->has_flow = true;
		}
		queue[i] = (uint8_t)flow_txq(vp, f->flow);
	}
	for (unsigned k = 0; k < vp->n_txq; k++) {
		unsigned n_run = 0;

		for (unsigned i = 0; i < n; i++)
			if (queue[i] == vp->txq[k])
				run[n_run++] = d[i];
		if (n_run)
			tx(fw, vp, vp->txq[k], run, n_run);
	}
}

static void group_deliver(struct forward *fw, struct group *g)
{
	WATCH(if (watched_group(fw, g)) {
		g->n = 0;
		return;
	})
	if (!g->port->n_txq)
		counters(fw, g->port)->tx_drops[TX_NOT_UP] += g->n;
	else if (g->port->multi_queue)
		tx_by_flow(fw, g->port, g->d, g->n);
	else
		tx(fw, g->port, g->port->txq[0], g->d, g->n);
	g->n = 0;
}

static void groups_flush(struct forward *fw)
{
	for (unsigned i = 0; i < fw->n_groups; i++) {
		struct group *g = &fw->groups[i];

		if (g->n)
			group_deliver(fw, g);
		fw->group_of[g->port->id] = 0;
	}
	fw->n_groups = 0;
}

static inline struct group *group_get(struct forward *fw, const struct view_port *vp, unsigned room)
{
	unsigned i = fw->group_of[vp->id];
	struct group *g;

	if (likely(i)) {
		g = &fw->groups[i - 1];
		/* Through parallel links one frame may come to one port twice. */
		if (unlikely(g->n + room > BURST_MAX))
			group_deliver(fw, g);
		return g;
	}
	if (unlikely(fw->n_groups == GROUPS_MAX))
		groups_flush(fw);
	g = &fw->groups[fw->n_groups++];
	g->port = vp;
	g->n = 0;
	fw->group_of[vp->id] = (uint8_t)fw->n_groups;
	return g;
}

/* The run leaves by vp, each frame as d; those that are too long for it are counted. */
static inline void stage(struct forward *fw, const struct view_port *vp, const struct run *run,
			 struct delivery d)
{
	struct group *g = group_get(fw, vp, run->n);
	struct delivery *out = &g->d[g->n];

	if (likely(run->len_largest + (uint32_t)delivery_shift(&d) <= vp->len_max)) {
		d.frame = run->first;
		out[0] = d;
		if (run->n == 1) {
			g->n++;
			return;
		}
		for (unsigned i = 0; i < run->n; i++) {
			d.frame = (uint8_t)(run->first + i);
			out[i] = d;
		}
		g->n += run->n;
		return;
	}
	for (unsigned i = 0; i < run->n; i++) {
		d.frame = (uint8_t)(run->first + i);
		if (fw->burst->frames[d.frame].wire_len + (uint32_t)delivery_shift(&d) <= vp->len_max) {
			g->d[g->n++] = d;
		} else {
			counters(fw, vp)->tx_drops[TX_TOO_LONG]++;
			WATCH(watched_drop_out(fw, vp, d.frame, 1, d, TX_TOO_LONG);)
		}
	}
}

#endif
