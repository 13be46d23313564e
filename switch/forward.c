/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH; see switch/forward.h.
 */
#include "switch/forward.h"

#include <rte_pause.h>

#include "base/hot.h"
#include "switch/classify.h"
#include "switch/fdb_hot.h"
#include "switch/flow.h"
#include "switch/internal.h"

/* What one frame has used up on its way through linked bridges. */
struct journey {
	unsigned frame;	   /* index in the burst */
	unsigned n_copies; /* copies and hops so far */
};

static void bridge_forward(struct forward *fw, struct journey *j, const struct view_port *in,
			   struct shape s, uint64_t dst_hash, unsigned depth);

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
	struct port *p = vp->port;

	if (fw->lock_tx)
		while (atomic_flag_test_and_set_explicit(&p->tx_lock[q], memory_order_acquire))
			rte_pause();
	vp->ops->tx_burst(p, q, fw->burst.frames, d, n, counters(fw, vp));
	if (fw->lock_tx)
		atomic_flag_clear_explicit(&p->tx_lock[q], memory_order_release);
}

/* Spreads a group over the receive queues of a multi-queue guest, each queue's frames in order. */
static void tx_by_flow(struct forward *fw, const struct view_port *vp, const struct delivery *d,
		       unsigned n)
{
	struct delivery run[BURST_MAX];
	uint8_t queue[BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &fw->burst.frames[d[i].frame];

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

static inline void stage(struct forward *fw, const struct view_port *vp, struct delivery d)
{
	unsigned i = fw->group_of[vp->id];
	struct group *g;

	if (unlikely(delivery_len(&fw->burst.frames[d.frame], &d) > vp->len_max)) {
		counters(fw, vp)->tx_drops[TX_TOO_LONG]++;
		return;
	}
	if (!i) {
		if (fw->n_groups == GROUPS_MAX)
			groups_flush(fw);
		g = &fw->groups[fw->n_groups++];
		g->port = vp;
		g->n = 0;
		fw->group_of[vp->id] = (uint8_t)fw->n_groups;
	} else {
		g = &fw->groups[i - 1];
		/* Through parallel links one frame may come to one port twice. */
		if (g->n == BURST_MAX)
			group_deliver(fw, g);
	}
	g->d[g->n++] = d;
}

static inline bool is_reserved(const uint8_t *dst, uint16_t forwarded)
{
	return dst[0] == 0x01 && dst[1] == 0x80 && dst[2] == 0xc2 && !dst[3] && !dst[4] &&
	       dst[5] < 16 && !(forwarded >> dst[5] & 1);
}

/* Counts the frame out of one end of a link and into the other, and goes on in the bridge there. */
static void link_cross(struct forward *fw, struct journey *j, const struct view_port *vp,
		       struct shape s, unsigned depth)
{
	const struct frame *f = &fw->burst.frames[j->frame];
	const struct view_port *in = vp->peer;
	struct delivery d = shape_delivery(s, f, j->frame);
	uint32_t len = delivery_len(f, &d);
	struct port_counters *out_c = counters(fw, vp), *in_c = counters(fw, in);
	uint8_t drop;
	uint64_t key;

	if (!vp->n_txq || len > vp->len_max) {
		out_c->tx_drops[len > vp->len_max ? TX_TOO_LONG : TX_NOT_UP]++;
		return;
	}
	if (depth + 1 >= LINK_DEPTH_MAX) {
		out_c->tx_drops[TX_LINK_LOOP]++;
		return;
	}
	out_c->tx_frames++;
	out_c->tx_bytes += len;
	in_c->rx_frames++;
	in_c->rx_bytes += len;
	drop = shape_enter(&s, f, in);
	if (drop == FRAME_NO_DROP && is_reserved(f->head, in->bridge->forward_reserved))
		drop = RX_RESERVED_ADDRESS;
	if (drop != FRAME_NO_DROP) {
		in_c->rx_drops[drop]++;
		return;
	}
	key = fdb_key(f->head + 6, s.vid);
	fdb_learn(in->bridge->fdb, key, fdb_hash(key), in->id, fw->now_s);
	bridge_forward(fw, j, in, s, fdb_hash(fdb_key(f->head, s.vid)), depth + 1);
}

/* Offers one copy to vp. */
static inline void offer(struct forward *fw, struct journey *j, const struct view_port *vp,
			 struct shape s, unsigned depth)
{
	const struct frame *f = &fw->burst.frames[j->frame];

	j->n_copies++;
	s = shape_leave(s, f, vp);
	if (unlikely(vp->peer != NULL))
		link_cross(fw, j, vp, s, depth);
	else
		stage(fw, vp, shape_delivery(s, f, j->frame));
}

static void flood(struct forward *fw, struct journey *j, const struct view_port *in,
		  struct shape s, unsigned depth)
{
	const struct view_bridge *br = in->bridge;
	struct port_counters *c = counters(fw, in);
	bool offered = false;

	for (unsigned i = 0; i < br->n_members; i++) {
		const struct view_port *vp = br->members[i];

		if (vp == in || !vlan_policy_carries(&vp->vlan, s.vid))
			continue;
		if (j->n_copies >= COPIES_MAX) {
			/* Once for all members that come after it: their number is not bounded. */
			counters(fw, vp)->tx_drops[TX_COPY_LIMIT] += offered;
			break;
		}
		offered = true;
		offer(fw, j, vp, s, depth);
	}
	if (offered)
		c->rx_forwarded++;
	else
		c->rx_drops[j->n_copies >= COPIES_MAX ? RX_COPY_LIMIT : RX_NO_PORT]++;
}

/* The frame is in VLAN s.vid of in's bridge: sends it where it belongs and counts it for in. */
static void bridge_forward(struct forward *fw, struct journey *j, const struct view_port *in,
			   struct shape s, uint64_t dst_hash, unsigned depth)
{
	const struct frame *f = &fw->burst.frames[j->frame];
	struct port_counters *c = counters(fw, in);
	const struct view_port *vp;
	uint16_t id;

	if (f->head[0] & 1) {
		flood(fw, j, in, s, depth);
		return;
	}
	id = fdb_lookup_inline(in->bridge->fdb, fdb_key(f->head, s.vid), dst_hash, fw->now_s);
	if (id == FDB_NO_PORT) {
		flood(fw, j, in, s, depth);
		return;
	}
	vp = fw->view->by_id[id];
	if (vp == in) {
		c->rx_drops[RX_SAME_PORT]++;
		return;
	}
	/* A port that has left this bridge or VLAN since it was learned: as if unknown. */
	if (!vp || vp->bridge != in->bridge || !vlan_policy_carries(&vp->vlan, s.vid)) {
		flood(fw, j, in, s, depth);
		return;
	}
	if (j->n_copies >= COPIES_MAX) {
		c->rx_drops[RX_COPY_LIMIT]++;
		return;
	}
	c->rx_forwarded++;
	offer(fw, j, vp, s, depth);
}

static inline bool source_invalid(const uint8_t *src)
{
	uint64_t k = fdb_key(src, 0) & 0xffffffffffffull;

	return src[0] & 1 || !k;
}

/* What a frame must pass before its VLAN is asked. */
static inline uint8_t frame_check(const struct frame *f, const struct view_port *in)
{
	if (unlikely(f->drop != FRAME_NO_DROP))
		return f->drop;
	if (unlikely(f->len < FRAME_MIN))
		return RX_TOO_SHORT;
	if (unlikely(f->len > in->len_max))
		return RX_TOO_LONG;
	if (unlikely(source_invalid(f->head + 6)))
		return RX_SRC_INVALID;
	return FRAME_NO_DROP;
}

/* One frame of a burst between the passes. */
struct pending {
	struct shape shape;
	uint8_t drop; /* FRAME_NO_DROP: goes on */
	bool again;   /* decided as the frame before it */
	uint64_t src_key, src_hash, dst_key, dst_hash;
};

/*
 * True when everything that a decision looks at is the same in both frames: addresses, type, and the
 * tag with what follows it where there is one. a has been let in; b's length is checked here against
 * the way in, and for the way out where it is staged.
 */
static inline bool decides_alike(const struct frame *a, const struct frame *b,
				 const struct view_port *in)
{
	uint64_t a0, a1, b0, b1, mask;

	memcpy(&a0, a->head, 8);
	memcpy(&a1, a->head + 8, 8);
	memcpy(&b0, b->head, 8);
	memcpy(&b1, b->head + 8, 8);
	/* Without a tag the payload begins at byte 14, and no decision looks at it. */
	mask = a->head[12] == (VLAN_TPID >> 8) && a->head[13] == (VLAN_TPID & 0xff) ?
		       ~0ull : 0x0000ffffffffffffull;
	return !((a0 ^ b0) | ((a1 ^ b1) & mask)) && b->drop == FRAME_NO_DROP &&
	       b->len >= FRAME_MIN && b->len <= in->len_max &&
	       (mask != ~0ull || (b->len >= FRAME_MIN + VLAN_TAG &&
				  !memcmp(a->head + 16, b->head + 16, 2)));
}

/* Pass 1 for one frame: its VLAN, where in the table its addresses are. */
static inline void enter(const struct view_port *in, const struct frame *f, struct pending *p)
{
	p->shape = shape_of_frame();
	p->again = false;
	p->drop = frame_check(f, in);
	if (likely(p->drop == FRAME_NO_DROP))
		p->drop = shape_enter(&p->shape, f, in);
	if (unlikely(p->drop == FRAME_NO_DROP && f->head[0] & 1 &&
		     is_reserved(f->head, in->bridge->forward_reserved)))
		p->drop = RX_RESERVED_ADDRESS;
	if (unlikely(p->drop != FRAME_NO_DROP))
		return;
	p->src_key = fdb_key(f->head + 6, p->shape.vid);
	p->dst_key = fdb_key(f->head, p->shape.vid);
	p->src_hash = fdb_hash(p->src_key);
	p->dst_hash = fdb_hash(p->dst_key);
	fdb_prefetch(in->bridge->fdb, p->src_hash);
	fdb_prefetch(in->bridge->fdb, p->dst_hash);
}

static void flow_note(struct frame *f, const struct view_port *in, unsigned q, const struct shape *s)
{
	f->flow = flow_hash(f, s->off);
	f->has_flow = true;
	atomic_store_explicit(&in->port->flow_queue[f->flow % PORT_FLOW_SLOTS], (uint8_t)(q + 1),
			      memory_order_relaxed);
}

/* Pass 1. Returns the bytes of all frames. */
static uint64_t pass_enter(struct forward *fw, const struct view_port *in, unsigned q,
			   struct pending *p)
{
	struct burst *b = &fw->burst;
	uint64_t bytes = 0; /* a frame that is too long may have 4 GiB */

	for (unsigned i = 0; i < b->n; i++) {
		struct frame *f = &b->frames[i];

		bytes += f->len;
		f->has_flow = false;
		if (i && p[i - 1].drop == FRAME_NO_DROP && decides_alike(&f[-1], f, in)) {
			p[i].shape = p[i - 1].shape;
			p[i].drop = FRAME_NO_DROP;
			p[i].again = true;
		} else {
			enter(in, f, &p[i]);
		}
		if (unlikely(in->multi_queue && p[i].drop == FRAME_NO_DROP))
			flow_note(f, in, q, &p[i].shape);
	}
	return bytes;
}

/*
 * Pass 2 for what most frames are: to one known port of this bridge. False when frame i is another
 * case, which bridge_forward() looks at in full.
 */
static inline bool known_unicast(struct forward *fw, const struct view_port *in,
				 const struct pending *p, unsigned i)
{
	const struct frame *f = &fw->burst.frames[i];
	const struct view_port *vp;
	uint16_t id;

	if (unlikely(f->head[0] & 1))
		return false;
	id = fdb_lookup_inline(in->bridge->fdb, p->dst_key, p->dst_hash, fw->now_s);
	vp = likely(id != FDB_NO_PORT) ? fw->view->by_id[id] : NULL;
	if (unlikely(!vp || vp == in || vp->bridge != in->bridge || vp->peer ||
		     !vlan_policy_carries(&vp->vlan, p->shape.vid)))
		return false;
	fw->last.port = vp;
	fw->last.d = shape_delivery(shape_leave(p->shape, f, vp), f, i);
	stage(fw, vp, fw->last.d);
	return true;
}

HOT_CLONES void forward_burst(struct forward *fw, const struct view_port *in, unsigned q)
{
	struct burst *b = &fw->burst;
	struct port_counters *c = counters(fw, in);
	struct fdb *fdb = in->bridge->fdb;
	struct pending p[BURST_MAX];
	uint64_t last_key = 0;

	c->rx_bytes += pass_enter(fw, in, q, p);
	c->rx_frames += b->n;
	for (unsigned i = 0, first = 0; i < b->n; i++) {
		struct journey j = {.frame = i};

		if (unlikely(p[i].drop != FRAME_NO_DROP)) {
			c->rx_drops[p[i].drop]++;
			continue;
		}
		if (likely(p[i].again)) {
			if (likely(fw->last.port != NULL)) {
				struct delivery d = fw->last.d;

				d.frame = (uint8_t)i;
				c->rx_forwarded++;
				stage(fw, fw->last.port, d);
				continue;
			}
			/* Decided to flood, drop or cross a link: each frame on its own. */
			p[i].dst_hash = p[first].dst_hash;
		} else {
			first = i;
			if (p[i].src_key != last_key)
				fdb_learn_inline(fdb, p[i].src_key, p[i].src_hash, in->id,
						 fw->now_s);
			last_key = p[i].src_key;
			if (likely(known_unicast(fw, in, &p[i], i))) {
				c->rx_forwarded++;
				continue;
			}
		}
		fw->last.port = NULL;
		bridge_forward(fw, &j, in, p[i].shape, p[i].dst_hash, 0);
	}
	groups_flush(fw);
}
