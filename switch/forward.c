/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH; see switch/forward.h.
 */
#include "switch/forward.h"

#include "switch/classify.h"
#include "switch/fdb_hot.h"
#include "switch/flow.h"
#include "switch/internal.h"

/* Frames that follow each other in the burst and are decided alike. */
struct run {
	uint8_t first, n;
	uint8_t drop;	      /* FRAME_NO_DROP: goes on */
	uint32_t len_largest; /* bytes of the longest packet on a wire */
	uint64_t bytes;	      /* of all */
	struct shape shape;
	uint64_t src_key, src_hash, dst_key, dst_hash;
};

/* What a run, each frame of it, has used up on its way through linked bridges. */
struct journey {
	const struct run *run;
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
			hot_pause();
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
		for (unsigned i = 0; i < run->n; i++) {
			d.frame = (uint8_t)(run->first + i);
			out[i] = d;
		}
		g->n += run->n;
		return;
	}
	for (unsigned i = 0; i < run->n; i++) {
		d.frame = (uint8_t)(run->first + i);
		if (fw->burst.frames[d.frame].wire_len + (uint32_t)delivery_shift(&d) <= vp->len_max)
			g->d[g->n++] = d;
		else
			counters(fw, vp)->tx_drops[TX_TOO_LONG]++;
	}
}

static inline bool is_reserved(const uint8_t *dst, uint16_t forwarded)
{
	return dst[0] == 0x01 && dst[1] == 0x80 && dst[2] == 0xc2 && !dst[3] && !dst[4] &&
	       dst[5] < 16 && !(forwarded >> dst[5] & 1);
}

/* A run whose frames are not all short enough for a link crosses it one by one. */
static void link_cross_each(struct forward *fw, struct journey *j, const struct view_port *vp,
			    struct shape s, unsigned depth);

/* Counts the run out of one end of a link and into the other, and goes on in the bridge there. */
static void link_cross(struct forward *fw, struct journey *j, const struct view_port *vp,
		       struct shape s, unsigned depth)
{
	const struct run *run = j->run;
	const struct frame *f = &fw->burst.frames[run->first];
	const struct view_port *in = vp->peer;
	struct delivery d = shape_delivery(s, f, run->first);
	int shift = delivery_shift(&d);
	bool too_long = run->len_largest + (uint32_t)shift > vp->len_max;
	struct port_counters *out_c = counters(fw, vp), *in_c = counters(fw, in);
	uint64_t key, bytes = run->bytes + (uint64_t)((int64_t)shift * run->n);
	uint8_t drop;

	if (too_long && run->n > 1 && vp->n_txq) {
		link_cross_each(fw, j, vp, s, depth);
		return;
	}
	if (!vp->n_txq || too_long) {
		out_c->tx_drops[too_long ? TX_TOO_LONG : TX_NOT_UP] += run->n;
		return;
	}
	if (depth + 1 >= LINK_DEPTH_MAX) {
		out_c->tx_drops[TX_LINK_LOOP] += run->n;
		return;
	}
	out_c->tx_frames += run->n;
	out_c->tx_bytes += bytes;
	in_c->rx_frames += run->n;
	in_c->rx_bytes += bytes;
	drop = shape_enter(&s, f, in);
	if (drop == FRAME_NO_DROP && is_reserved(f->head, in->bridge->forward_reserved))
		drop = RX_RESERVED_ADDRESS;
	if (drop != FRAME_NO_DROP) {
		in_c->rx_drops[drop] += run->n;
		return;
	}
	key = fdb_key(f->head + 6, s.vid);
	fdb_learn(in->bridge->fdb, key, fdb_hash(key), in->id, fw->now_s);
	bridge_forward(fw, j, in, s, fdb_hash(fdb_key(f->head, s.vid)), depth + 1);
}

static void link_cross_each(struct forward *fw, struct journey *j, const struct view_port *vp,
			    struct shape s, unsigned depth)
{
	unsigned n_copies = j->n_copies;

	for (unsigned i = 0; i < j->run->n; i++) {
		uint8_t at = (uint8_t)(j->run->first + i);
		const struct frame *f = &fw->burst.frames[at];
		struct run one = {.first = at, .n = 1, .len_largest = f->wire_len, .bytes = f->len};
		struct journey of_one = {.run = &one, .n_copies = j->n_copies};

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
	const struct frame *f = &fw->burst.frames[j->run->first];

	j->n_copies++;
	s = shape_leave(s, f, vp);
	if (unlikely(vp->peer != NULL))
		link_cross(fw, j, vp, s, depth);
	else
		stage(fw, vp, j->run, shape_delivery(s, f, j->run->first));
}

static void flood(struct forward *fw, struct journey *j, const struct view_port *in,
		  struct shape s, unsigned depth)
{
	const struct view_bridge *br = in->bridge;
	struct port_counters *c = counters(fw, in);
	unsigned n = j->run->n;
	bool offered = false;

	for (unsigned i = 0; i < br->n_members; i++) {
		const struct view_port *vp = br->members[i];

		if (vp == in || !vlan_policy_carries(&vp->vlan, s.vid))
			continue;
		if (j->n_copies >= COPIES_MAX) {
			/* Once for all members that come after it: their number is not bounded. */
			counters(fw, vp)->tx_drops[TX_COPY_LIMIT] += offered ? n : 0;
			break;
		}
		offered = true;
		offer(fw, j, vp, s, depth);
	}
	if (offered)
		c->rx_forwarded += n;
	else
		c->rx_drops[j->n_copies >= COPIES_MAX ? RX_COPY_LIMIT : RX_NO_PORT] += n;
}

/* The run is in VLAN s.vid of in's bridge: sends it where it belongs and counts it for in. */
static void bridge_forward(struct forward *fw, struct journey *j, const struct view_port *in,
			   struct shape s, uint64_t dst_hash, unsigned depth)
{
	const struct frame *f = &fw->burst.frames[j->run->first];
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
		c->rx_drops[RX_SAME_PORT] += j->run->n;
		return;
	}
	/* A port that has left this bridge or VLAN since it was learned: as if unknown. */
	if (!vp || vp->bridge != in->bridge || !vlan_policy_carries(&vp->vlan, s.vid)) {
		flood(fw, j, in, s, depth);
		return;
	}
	if (j->n_copies >= COPIES_MAX) {
		c->rx_drops[RX_COPY_LIMIT] += j->run->n;
		return;
	}
	c->rx_forwarded += j->run->n;
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
	if (unlikely(f->wire_len > in->len_max))
		return RX_TOO_LONG;
	if (unlikely(source_invalid(f->head + 6)))
		return RX_SRC_INVALID;
	return FRAME_NO_DROP;
}

/* What makes two frames of one port alike: the bits of their first 16 bytes that a decision looks at, and
 * lengths that let them in. */
struct likeness {
	uint64_t a, b, b_mask;
	uint16_t inner_type; /* behind a tag, as in memory */
	uint32_t len_least, len_range;
};

hot_inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

hot_inline struct likeness likeness_of(const struct frame *f, const struct view_port *in)
{
	bool tagged = head_u16(f, 12) == VLAN_TPID;
	struct likeness l = {
		/* Without a tag the payload begins at byte 14, and no decision looks at it. */
		.a = load64(f->head), .b_mask = tagged ? ~0ull : 0x0000ffffffffffffull,
		.len_least = tagged ? FRAME_MIN + VLAN_TAG : FRAME_MIN,
	};

	l.b = load64(f->head + 8) & l.b_mask;
	l.len_range = in->len_max - l.len_least;
	memcpy(&l.inner_type, f->head + 16, 2);
	return l;
}

hot_inline bool is_alike(const struct likeness *l, const struct frame *f)
{
	uint16_t inner_type;

	if (((load64(f->head) ^ l->a) | ((load64(f->head + 8) & l->b_mask) ^ l->b)) ||
	    f->wire_len - l->len_least > l->len_range || f->drop != FRAME_NO_DROP)
		return false;
	if (likely(l->len_least == FRAME_MIN))
		return true;
	memcpy(&inner_type, f->head + 16, 2);
	return inner_type == l->inner_type;
}

/* Lets the first frame of a run in: its VLAN, and where in the table its addresses are. */
hot_inline uint8_t enter(const struct view_port *in, const struct frame *f, struct run *run)
{
	uint8_t drop = frame_check(f, in);

	run->shape = shape_of_frame();
	if (likely(drop == FRAME_NO_DROP))
		drop = shape_enter(&run->shape, f, in);
	if (unlikely(drop == FRAME_NO_DROP && f->head[0] & 1 &&
		     is_reserved(f->head, in->bridge->forward_reserved)))
		drop = RX_RESERVED_ADDRESS;
	if (unlikely(drop != FRAME_NO_DROP))
		return drop;
	run->src_key = fdb_key(f->head + 6, run->shape.vid);
	run->dst_key = fdb_key(f->head, run->shape.vid);
	run->src_hash = fdb_hash(run->src_key);
	run->dst_hash = fdb_hash(run->dst_key);
	fdb_prefetch(in->bridge->fdb, run->src_hash);
	fdb_prefetch(in->bridge->fdb, run->dst_hash);
	return drop;
}

static void flows_note(struct forward *fw, const struct view_port *in, unsigned q, const struct run *run)
{
	for (unsigned i = 0; i < run->n && run->drop == FRAME_NO_DROP; i++) {
		struct frame *f = &fw->burst.frames[run->first + i];

		f->flow = flow_hash(f, run->shape.off);
		f->has_flow = true;
		atomic_store_explicit(&in->port->flow_queue[f->flow % PORT_FLOW_SLOTS],
				      (uint8_t)(q + 1), memory_order_relaxed);
	}
}

/* Pass 1: cuts the burst into runs. Returns how many; *bytes are those of all frames. */
hot_inline unsigned pass_enter(const struct burst *b, const struct view_port *in, struct run *runs,
			       uint64_t *bytes)
{
	const unsigned n = b->n;
	unsigned n_runs = 0, i = 0;
	uint64_t sum = 0;

	while (i < n) {
		const struct frame *f = &b->frames[i];
		uint32_t largest = f->wire_len;
		struct run *run = &runs[n_runs++];

		run->first = (uint8_t)i++;
		run->bytes = f->len; /* a frame that is too long may have 4 GiB */
		run->drop = enter(in, f, run);
		if (likely(run->drop == FRAME_NO_DROP)) {
			const struct likeness l = likeness_of(f, in);
			uint64_t more = 0;

			for (f++; i < n && is_alike(&l, f); f++, i++) {
				more += f->len;
				largest = f->wire_len > largest ? f->wire_len : largest;
			}
			run->bytes += more;
		}
		run->n = (uint8_t)(i - run->first);
		run->len_largest = largest;
		sum += run->bytes;
	}
	*bytes = sum;
	return n_runs;
}

/*
 * Pass 2 for what most frames are: to one known port of this bridge. False when the run is another
 * case, which bridge_forward() looks at in full.
 */
hot_inline bool known_unicast(struct forward *fw, const struct view_port *in, const struct run *run)
{
	const struct frame *f = &fw->burst.frames[run->first];
	const struct view_port *vp;
	uint16_t id;

	if (unlikely(f->head[0] & 1))
		return false;
	id = fdb_lookup_inline(in->bridge->fdb, run->dst_key, run->dst_hash, fw->now_s);
	vp = likely(id != FDB_NO_PORT) ? fw->view->by_id[id] : NULL;
	if (unlikely(!vp || vp == in || vp->bridge != in->bridge || vp->peer ||
		     !vlan_policy_carries(&vp->vlan, run->shape.vid)))
		return false;
	stage(fw, vp, run, shape_delivery(shape_leave(run->shape, f, vp), f, run->first));
	return true;
}

void HOT_NAME(forward_burst)(struct forward *fw, const struct view_port *in, unsigned q)
{
	struct port_counters *c = counters(fw, in);
	struct fdb *fdb = in->bridge->fdb;
	struct run runs[BURST_MAX];
	uint64_t last_key = 0, bytes;
	unsigned n_runs = pass_enter(&fw->burst, in, runs, &bytes), n_forwarded = 0;

	c->rx_bytes += bytes;
	c->rx_frames += fw->burst.n;
	for (unsigned i = 0; i < n_runs; i++) {
		const struct run *run = &runs[i];
		struct journey j = {.run = run};

		if (unlikely(run->drop != FRAME_NO_DROP)) {
			c->rx_drops[run->drop] += run->n;
			continue;
		}
		if (unlikely(in->multi_queue))
			flows_note(fw, in, q, run);
		if (run->src_key != last_key)
			fdb_learn_inline(fdb, run->src_key, run->src_hash, in->id, fw->now_s);
		last_key = run->src_key;
		if (likely(known_unicast(fw, in, run)))
			n_forwarded += run->n;
		else
			bridge_forward(fw, &j, in, run->shape, run->dst_hash, 0);
	}
	c->rx_forwarded += n_forwarded;
	groups_flush(fw);
}
