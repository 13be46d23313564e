/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH; see switch/forward.h.
 *
 * Compiled twice for each version of the data path: once as it is, once with FORWARD_WATCHED for
 * bursts that somebody looks at (switch/watch.h). What stands in WATCH() is in the second alone.
 */
#include "switch/forward.h"

#include "switch/classify.h"
#include "switch/decided.h"
#include "switch/fdb_hot.h"
#include "switch/flow.h"
#include "switch/group.h"
#include "switch/guard.h"
#include "switch/internal.h"
#include "switch/owners.h"
#include "switch/run.h"
#include "switch/watched.h"

/* What a run, each frame of it, has used up on its way through linked bridges. */
struct journey {
	const struct run *run;
	unsigned n_copies; /* copies and hops so far */
	WATCH(struct delivery came;) /* as it was on the port that it last came from */
};

static void bridge_forward(struct forward *fw, struct journey *j, const struct view_port *in,
			   struct shape s, uint64_t dst_hash, unsigned depth);

/* What run_forward() does for most sources at once. Returns FRAME_NO_DROP or an enum rx_drop. */
static uint8_t learn(struct forward *fw, const struct view_port *in, uint64_t key, uint64_t hash,
		     bool *learned)
{
	uint8_t drop;
	bool done;

	WATCH(if (fw->trace) return traced_learn(fw, in, key);)
	done = fdb_refresh(in->bridge->fdb, key, hash, in->id, fw->now_s);
	if (!done) {
		drop = learn_refused(fw->view, in, key);
		if (drop != FRAME_NO_DROP)
			return drop;
		done = fdb_learn_slow(in->bridge->fdb, key, hash, in->id, fw->now_s);
	}
	if (learned)
		*learned = done;
	return FRAME_NO_DROP;
}

/* A run whose frames may not all be let in alike crosses a link one by one. */
static void link_cross_each(struct forward *fw, struct journey *j, const struct view_port *vp,
			    struct shape s, unsigned depth);

/* Counts the run out of one end of a link and into the other, and goes on in the bridge there. */
static void link_cross(struct forward *fw, struct journey *j, const struct view_port *vp,
		       struct shape s, unsigned depth)
{
	const struct run *run = j->run;
	const struct frame *f = &fw->burst->frames[run->first];
	const struct view_port *in = vp->peer;
	struct delivery d = shape_delivery(s, f, run->first);
	int shift = delivery_shift(&d);
	bool too_long = run->len_largest + (uint32_t)shift > vp->len_max;
	/* A second tag lies behind what makes frames alike, and guards look behind it anyway. */
	bool apart = too_long || in->guarded || (s.off > 12 && head_u16(f, s.off) == VLAN_TPID);
	struct port_counters *out_c = counters(fw, vp), *in_c = counters(fw, in);
	uint64_t key, bytes = run->bytes + (uint64_t)((int64_t)shift * run->n);
	uint8_t drop;

	if (apart && run->n > 1 && vp->n_txq) {
		link_cross_each(fw, j, vp, s, depth);
		return;
	}
	if (!vp->n_txq || too_long) {
		out_c->tx_drops[too_long ? TX_TOO_LONG : TX_NOT_UP] += run->n;
		WATCH(watched_drop_out(fw, vp, run->first, run->n, d, too_long ? TX_TOO_LONG : TX_NOT_UP);)
		return;
	}
	if (depth + 1 >= LINK_DEPTH_MAX) {
		out_c->tx_drops[TX_LINK_LOOP] += run->n;
		WATCH(watched_drop_out(fw, vp, run->first, run->n, d, TX_LINK_LOOP);)
		return;
	}
	out_c->tx_frames += run->n;
	out_c->tx_bytes += bytes;
	in_c->rx_frames += run->n;
	in_c->rx_bytes += bytes;
	WATCH(watched_cross(fw, vp, run->first, run->n, d);)
	drop = shape_enter(&s, f, in);
	if (drop == FRAME_NO_DROP && is_reserved(f->head, in->bridge->forward_reserved))
		drop = RX_RESERVED_ADDRESS;
	if (drop == FRAME_NO_DROP && in->guarded)
		drop = guard_frame(&in->guard, fw->burst, run->first, s.off);
	key = fdb_key(f->head + 6, s.vid);
	if (drop == FRAME_NO_DROP)
		drop = learn(fw, in, key, fdb_hash(key), NULL);
	if (drop != FRAME_NO_DROP) {
		in_c->rx_drops[drop] += run->n;
		WATCH(watched_drop_in(fw, in, run->first, run->n, d, drop);)
		return;
	}
	WATCH(struct delivery came = j->came;
	      j->came = d;)
	bridge_forward(fw, j, in, s, fdb_hash(fdb_key(f->head, s.vid)), depth + 1);
	WATCH(j->came = came;)
}

static void link_cross_each(struct forward *fw, struct journey *j, const struct view_port *vp,
			    struct shape s, unsigned depth)
{
	unsigned n_copies = j->n_copies;

	for (unsigned i = 0; i < j->run->n; i++) {
		uint8_t at = (uint8_t)(j->run->first + i);
		const struct frame *f = &fw->burst->frames[at];
		struct run one = {.first = at, .n = 1, .len_largest = f->wire_len, .bytes = f->len};
		struct journey of_one = {.run = &one, .n_copies = j->n_copies};

		WATCH(of_one.came = j->came;)
		link_cross(fw, &of_one, vp, s, depth);
		if (of_one.n_copies > n_copies)
			n_copies = of_one.n_copies;
	}
	/* What the one that went farthest has used up counts for all. */
	j->n_copies = n_copies;
}

/* Offers one copy of each frame to vp. */
static inline void offer(struct forward *fw, struct journey *j, const struct view_port *vp,
			 struct shape s, unsigned depth)
{
	const struct frame *f = &fw->burst->frames[j->run->first];

	j->n_copies++;
	s = shape_leave(s, f, vp);
	if (unlikely(vp->peer != NULL))
		link_cross(fw, j, vp, s, depth);
	else
		stage(fw, vp, j->run, shape_delivery(s, f, j->run->first));
}

WATCH(static struct delivery shape_left(const struct forward *fw, const struct journey *j, struct shape s,
					const struct view_port *vp) {
	const struct frame *f = &fw->burst->frames[j->run->first];

	return shape_delivery(shape_leave(s, f, vp), f, j->run->first);
})

/* The run comes no further than in. */
static void run_drop(struct forward *fw, const struct journey *j, const struct view_port *in, uint8_t drop)
{
	counters(fw, in)->rx_drops[drop] += j->run->n;
	WATCH(watched_drop_in(fw, in, j->run->first, j->run->n, j->came, drop);)
}

/* Why a flood reached nobody. */
static uint8_t flood_ended(const struct journey *j, const struct view_port *in, struct shape s)
{
	const struct view_bridge *br = in->bridge;

	if (j->n_copies >= COPIES_MAX)
		return RX_COPY_LIMIT;
	for (unsigned i = 0; in->isolated && i < br->n_members; i++)
		if (br->members[i] != in && br->members[i]->isolated &&
		    vlan_policy_carries(&br->members[i]->vlan, s.vid))
			return RX_ISOLATED;
	return RX_NO_PORT;
}

static void flood_all(struct forward *fw, struct journey *j, const struct view_port *in,
		      struct shape s, unsigned depth)
{
	const struct view_bridge *br = in->bridge;
	struct port_counters *c = counters(fw, in);
	const bool isolated = in->isolated;
	unsigned n = j->run->n;
	bool offered = false;

	for (unsigned i = 0; i < br->n_members; i++) {
		const struct view_port *vp = br->members[i];

		if (vp == in || !vlan_policy_carries(&vp->vlan, s.vid) ||
		    unlikely(isolated && vp->isolated))
			continue;
		if (j->n_copies >= COPIES_MAX) {
			/* Once for all members that come after it: their number is not bounded. */
			counters(fw, vp)->tx_drops[TX_COPY_LIMIT] += offered ? n : 0;
			WATCH(if (offered) watched_drop_out(fw, vp, j->run->first, n, shape_left(fw, j, s, vp),
							     TX_COPY_LIMIT);)
			break;
		}
		offered = true;
		offer(fw, j, vp, s, depth);
	}
	if (offered)
		c->rx_forwarded += n;
	else
		run_drop(fw, j, in, flood_ended(j, in, s));
}

/* As much of the run as the port's storm leaves. */
static void flood_limited(struct forward *fw, struct journey *j, const struct view_port *in,
			  struct shape s, unsigned depth)
{
	const struct run *all = j->run;
	unsigned n = meter_take(&in->port->storm, fw->tsc, in->storm_each, in->storm_depth, all->n);
	struct run passed = run_part(fw->burst, all, 0, n), rest = run_part(fw->burst, all, n, all->n - n);

	j->run = &passed;
	if (n)
		flood_all(fw, j, in, s, depth);
	j->run = &rest;
	if (rest.n)
		run_drop(fw, j, in, RX_STORM);
	j->run = all;
}

static void flood(struct forward *fw, struct journey *j, const struct view_port *in, struct shape s,
		  unsigned depth)
{
	if (unlikely(in->storm_each WATCH(&& !fw->trace)))
		flood_limited(fw, j, in, s, depth);
	else
		flood_all(fw, j, in, s, depth);
}

/* The run is in VLAN s.vid of in's bridge: sends it where it belongs and counts it for in. */
static void bridge_forward(struct forward *fw, struct journey *j, const struct view_port *in,
			   struct shape s, uint64_t dst_hash, unsigned depth)
{
	const struct frame *f = &fw->burst->frames[j->run->first];
	struct port_counters *c = counters(fw, in);
	const struct view_port *vp;
	uint16_t id;

	if (f->head[0] & 1) {
		WATCH(traced(fw, TRACE_GROUP, in, s.vid, NULL);)
		flood(fw, j, in, s, depth);
		return;
	}
	id = fdb_lookup(in->bridge->fdb, fdb_key(f->head, s.vid), dst_hash, fw->now_s);
	if (id == FDB_NO_PORT && in->bridge->owners) {
		vp = owner_of(fw->view, in->bridge, fdb_key(f->head, s.vid));
		id = vp ? vp->id : FDB_NO_PORT;
	}
	WATCH(id = traced_lookup(fw, in, f, s.vid, id);)
	if (id == FDB_NO_PORT) {
		WATCH(traced(fw, TRACE_UNKNOWN, in, s.vid, NULL);)
		flood(fw, j, in, s, depth);
		return;
	}
	vp = fw->view->by_id[id];
	if (vp == in) {
		run_drop(fw, j, in, RX_SAME_PORT);
		return;
	}
	/* A port that has left this bridge or VLAN since it was learned: as if unknown. */
	if (!vp || vp->bridge != in->bridge || !vlan_policy_carries(&vp->vlan, s.vid)) {
		WATCH(traced(fw, TRACE_STALE, in, s.vid, vp);)
		flood(fw, j, in, s, depth);
		return;
	}
	if (vp->isolated & in->isolated || j->n_copies >= COPIES_MAX) {
		run_drop(fw, j, in, (vp->isolated & in->isolated) ? RX_ISOLATED : RX_COPY_LIMIT);
		return;
	}
	WATCH(traced(fw, TRACE_KNOWN, in, s.vid, vp);)
	c->rx_forwarded += j->run->n;
	offer(fw, j, vp, s, depth);
}

/* What decisions count now: with the second, the view and the table's moves so far. */
static inline uint64_t epoch_now(struct forward *fw, uint32_t moves)
{
	if (unlikely(fw->epoch_view != fw->view->seq || fw->epoch_s != fw->now_s || !fw->epoch)) {
		fw->epoch_view = fw->view->seq;
		fw->epoch_s = fw->now_s;
		fw->epoch += DECIDED_EPOCH;
	}
	return fw->epoch + moves;
}

/* Pass 2: what was decided before, and who has to be looked up. */
hot_inline void runs_find(struct forward *fw, const struct view_port *in, struct run *runs, unsigned n,
			  uint64_t epoch)
{
	for (unsigned i = 0; i < n; i++) {
		struct run *run = &runs[i];
		const struct decided *e;

		run->known = NULL;
		e = decided_find(run->set, run->a, run->b, run->from, epoch);
		if (likely(e != NULL)) {
			run->known = fw->view->by_id[e->port & DECIDED_PORT];
			run->drop = FRAME_NO_DROP;
			run->d = decided_delivery(e);
			run->shape.off = run->d.off;
		} else {
			run->drop = run_enter(in, &fw->burst->frames[run->first], run);
		}
	}
}

static void flows_note(struct forward *fw, const struct view_port *in, unsigned q, const struct run *run)
{
	for (unsigned i = 0; i < run->n; i++) {
		struct frame *f = &fw->burst->frames[run->first + i];

		f->flow = flow_hash(f, run->shape.off);
		f->has_flow = true;
		atomic_store_explicit(&in->port->flow_queue[f->flow % PORT_FLOW_SLOTS],
				      (uint8_t)(q + 1), memory_order_relaxed);
	}
}

/*
 * Pass 3 for most of what was not decided before: to one known port of this bridge. False when the run is
 * another case, which bridge_forward() looks at in full.
 */
static bool known_unicast(struct forward *fw, const struct view_port *in, const struct run *run,
			  uint64_t epoch, bool keep)
{
	const struct frame *f = &fw->burst->frames[run->first];
	const struct view_port *vp;
	struct delivery d;
	uint16_t id;

	if (unlikely(f->head[0] & 1))
		return false;
	id = fdb_lookup(in->bridge->fdb, run->dst_key, run->dst_hash, fw->now_s);
	WATCH(id = traced_lookup(fw, in, f, run->shape.vid, id);)
	vp = likely(id != FDB_NO_PORT) ? fw->view->by_id[id] : NULL;
	if (unlikely(!vp || vp == in || vp->bridge != in->bridge || vp->peer ||
		     vp->isolated & in->isolated || !vlan_policy_carries(&vp->vlan, run->shape.vid)))
		return false;
	WATCH(traced(fw, TRACE_KNOWN, in, run->shape.vid, vp);)
	d = shape_delivery(shape_leave(run->shape, f, vp), f, run->first);
	if (likely(keep && run->from != FROM_ALONE))
		decided_put(run->set, run->a, run->b, run->from, epoch, id, &d);
	stage(fw, vp, run, d);
	return true;
}

/* Learns, looks up, and sends on its way. */
static void run_forward(struct forward *fw, const struct view_port *in, const struct run *run,
			uint64_t epoch)
{
	struct journey j = {.run = run};
	/* Who was not learned is to be learned with the next frame: nothing is kept that would stop that. */
	bool learned = false;
	uint8_t drop = learn(fw, in, run->src_key, run->src_hash, &learned);

	WATCH(j.came = frame_as_is();)
	if (unlikely(drop != FRAME_NO_DROP)) {
		run_drop(fw, &j, in, drop);
		return;
	}
	if (likely(known_unicast(fw, in, run, epoch, learned)))
		counters(fw, in)->rx_forwarded += run->n;
	else
		bridge_forward(fw, &j, in, run->shape, run->dst_hash, 0);
}

void HOT_NAME(forward_burst)(struct forward *fw, const struct view_port *in, unsigned q)
{
	const uint32_t moves = fdb_moves(in->bridge->fdb);
	const uint64_t epoch = epoch_now(fw, moves);
	struct port_counters *c = counters(fw, in);
	struct run runs[BURST_MAX];
	uint64_t bytes;
	unsigned n_runs;

	WATCH(watched_received(fw, in);)
	if (unlikely(in->guarded))
		guard_burst(&in->guard, fw->burst);
	n_runs = runs_cut(fw, in, runs, &bytes);
	c->rx_bytes += bytes;
	c->rx_frames += fw->burst->n;
	runs_find(fw, in, runs, n_runs, epoch);
	for (unsigned i = 0; i < n_runs; i++) {
		struct run *run = &runs[i];

		/* An earlier run of this burst, or another worker, has moved an address. */
		if (unlikely(run->known && fdb_moves(in->bridge->fdb) != moves)) {
			run->known = NULL;
			run->drop = run_enter(in, &fw->burst->frames[run->first], run);
		}
		if (unlikely(run->drop != FRAME_NO_DROP)) {
			c->rx_drops[run->drop] += run->n;
			WATCH(watched_drop_in(fw, in, run->first, run->n, frame_as_is(), run->drop);)
			continue;
		}
		WATCH(traced(fw, TRACE_ENTERED, in, run->shape.vid, NULL);)
		if (unlikely(in->multi_queue WATCH(&& !fw->trace)))
			flows_note(fw, in, q, run);
		if (likely(run->known != NULL)) {
			stage(fw, run->known, run, run->d);
			c->rx_forwarded += run->n;
		} else {
			run_forward(fw, in, run, epoch);
		}
	}
	groups_flush(fw);
}
