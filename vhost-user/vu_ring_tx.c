/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: frames into the guest's receive buffers; see vhost-user/vu_ring.h.
 */
#include "vhost-user/vu_chain.h"

/* The available entries of one vu_ring_tx(). */
struct supply {
	unsigned n; /* available */
	unsigned taken;
};

/* Entries that are one writable buffer each; room 0: something else, or nothing. */
struct places {
	uint8_t *va[BURST_MAX];
	uint32_t room[BURST_MAX]; /* bytes */
	uint32_t head[BURST_MAX];
};

/* Where the next n frames can go. Calls nothing, so that all it needs stays in registers. Returns how many
 * entries are sane; *n_others tells how many of them are something else. */
hot_inline unsigned places_load(struct vu_ring *r, struct places *p, unsigned n, unsigned *n_others)
{
	/* In locals: for all the compiler knows the arrays may be any of them. */
	const uint16_t *ring = r->avail->ring;
	const struct vring_desc *descs = r->desc;
	const struct vu_window w = vu_window_first(r->mem);
	const unsigned mask = r->size - 1u, first = r->last_avail;
	unsigned i, head = 0, others = 0;

	for (i = 0; i < n; i++) {
		uint64_t addr, rest;
		uint8_t *va;

		head = load_once(&ring[(first + i) & mask]);
		if (unlikely(head > mask))
			break;
		p->head[i] = head;
		addr = load_once(&descs[head].addr) - w.gpa;
		rest = load_once((const alias_u64 *)&descs[head].len);
		p->room[i] = (uint32_t)rest;
		if (unlikely((uint16_t)(rest >> 32) != VRING_DESC_WRITE ||
			     (uint32_t)rest > VU_WINDOW_NEAR || addr >= w.near)) {
			p->room[i] = 0;
			others++;
			continue;
		}
		va = w.va + addr;
		p->va[i] = va;
		prefetch_write(va);
		prefetch_write(va + 64);
	}
	if (unlikely(i < n))
		vu_ring_fault_set(r, VU_FAULT_HEAD_RANGE, head, 0);
	*n_others = others;
	return i;
}

/* One buffer, but not in the window. */
static void places_others(const struct vu_ring *r, struct places *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vring_desc d;

		if (p->room[i])
			continue;
		d = desc_load(&r->desc[p->head[i]]);
		if (d.flags != VRING_DESC_WRITE)
			continue;
		p->va[i] = vu_mem_span(r->mem, d.addr, d.len);
		p->room[i] = p->va[i] ? d.len : 0;
	}
}

/* The k-th available entry; false after a fault. */
static bool supply_get(struct vu_ring *r, unsigned k, uint16_t *head, struct vring_desc *d)
{
	*head = load_once(&r->avail->ring[(r->last_avail + k) & (r->size - 1)]);
	if (unlikely(*head >= r->size)) {
		vu_ring_fault_set(r, VU_FAULT_HEAD_RANGE, *head, 0);
		return false;
	}
	*d = desc_load(&r->desc[*head]);
	return true;
}

static inline void used_put(struct vu_ring *r, unsigned k, uint16_t head, uint32_t len)
{
	r->used->ring[(r->last_used + k) & (r->size - 1u)] = (struct vring_used_elem){head, len};
}

/* A cursor over receive buffers. */
struct sink {
	struct seg *segs;
	unsigned n, at;
};

static void sink_put(struct sink *k, const uint8_t *from, uint32_t len)
{
	while (len) {
		struct seg *s = &k->segs[k->at];
		uint32_t here = s->len < len ? s->len : len;

		memcpy(s->va, from, here);
		s->va += here;
		s->len -= here;
		from += here;
		len -= here;
		if (!s->len)
			k->at++;
	}
}

static void frame_put(struct sink *k, const struct vu_ring *r, const struct frame *f,
		      const struct delivery *d, uint16_t num_buffers)
{
	const struct vnet_hdr hdr = {.num_buffers = num_buffers};
	uint8_t changed[FRAME_HEAD + VLAN_TAG];

	sink_put(k, (const uint8_t *)&hdr, r->hdr_len);
	if (d->as_is)
		sink_put(k, f->head, f->head_len);
	else
		sink_put(k, changed, delivery_head(f, d, changed));
	for (unsigned i = 0; i < f->n_segs; i++)
		sink_put(k, f->segs[i].va, f->segs[i].len);
}

enum put { PUT_DONE, PUT_FULL, PUT_TOO_SMALL, PUT_FAULT };

/* Where put_gather() collects the pieces of one frame's buffers. */
static _Thread_local struct seg put_segs[BURST_SEGS];

/* A frame into chains of any layout, several of them with mergeable buffers. */
static enum put put_gather(struct vu_ring *r, struct supply *s, const struct frame *f,
			   const struct delivery *d, uint32_t need)
{
	struct gather g = {.segs = put_segs, .max = BURST_SEGS};
	unsigned n = 0;
	struct sink k;

	while (g.bytes < need) {
		uint64_t before = g.bytes, len;
		struct vring_desc desc;
		uint16_t head;

		if (n && !r->mergeable)
			return PUT_TOO_SMALL;
		if (s->taken + n >= s->n)
			return PUT_FULL;
		if (!supply_get(r, s->taken + n, &head, &desc))
			return PUT_FAULT;
		if (!vu_gather_chain(r, head, desc, VRING_DESC_WRITE, &g))
			return atomic_load_explicit(&r->fault, memory_order_relaxed) ? PUT_FAULT :
										       PUT_TOO_SMALL;
		if (g.bytes == before) {
			vu_ring_fault_set(r, VU_FAULT_CHAIN_EMPTY, head, 0);
			return PUT_FAULT;
		}
		len = (g.bytes < need ? g.bytes : need) - before;
		/* Beyond the published index: given up again if the frame does not fit. */
		used_put(r, n, head, (uint32_t)len);
		n++;
	}
	k = (struct sink){.segs = g.segs, .n = g.n};
	frame_put(&k, r, f, d, (uint16_t)n);
	s->taken += n;
	r->last_used = (uint16_t)(r->last_used + n);
	return PUT_DONE;
}

/* The header of a frame without offloads, and what of it is changed or short, to va. */
static void put_start(uint8_t *va, unsigned hdr_len, const struct frame *f, const struct delivery *d)
{
	/* Not straight into the guest: a short head would write beyond the frame. */
	uint8_t changed[FRAME_HEAD + VLAN_TAG];

	head_copy(va + hdr_len, changed, delivery_head(f, d, changed));
}

/* What one vu_ring_tx() has delivered. */
struct done {
	unsigned n;
	uint64_t bytes;
};

/* The pieces behind the head of frames, which are the first to places that fit them. */
hot_inline void put_rest(const struct places *p, unsigned hdr_len, const struct frame *frames,
			 const struct delivery *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = &frames[d[i].frame];
		uint8_t *to = p->va[i] + hdr_len + delivery_len(f, &d[i]) - (f->len - f->head_len);

		for (unsigned k = 0; k < f->n_segs; k++) {
			memcpy(to, f->segs[k].va, f->segs[k].len);
			to += f->segs[k].len;
		}
	}
}

/* The frames from the first on that fit one plain buffer each. Returns how many. */
hot_inline unsigned put_plain(struct vu_ring *r, const struct places *p, unsigned n_places,
			      const struct frame *frames, const struct delivery *d, struct done *done)
{
	/* flags to csum_offset are 0, num_buffers is 1. Where the header has none, the frame's first
	 * two bytes are written over it. */
	const uint32_t hdr_end = 1u << 16;
	struct vring_used_elem *const used = r->used->ring;
	const unsigned mask = r->size - 1u, first = r->last_used, hdr_len = r->hdr_len;
	unsigned i, n_segs = 0;
	uint64_t bytes = 0;

	for (i = 0; i < n_places; i++) {
		const struct frame *f = &frames[d[i].frame];
		const uint32_t len = delivery_len(f, &d[i]), n = f->head_len;
		uint8_t *va = p->va[i], *to = va + hdr_len;

		if (unlikely(p->room[i] < len + hdr_len))
			break;
		memset(va, 0, 8);
		memcpy(va + 8, &hdr_end, 4);
		if (likely(d[i].as_is && n >= 32)) {
			copy32(to, f->head);
			copy32(to + n - 32, f->head + n - 32);
		} else {
			put_start(va, hdr_len, f, &d[i]);
		}
		used[(first + i) & mask].id = p->head[i];
		used[(first + i) & mask].len = len + hdr_len;
		bytes += len;
		n_segs |= f->n_segs;
	}
	if (n_segs)
		put_rest(p, hdr_len, frames, d, i);
	r->last_used = (uint16_t)(first + i);
	*done = (struct done){i, bytes};
	return i;
}

/* The others, into buffers of any layout. */
static void put_others(struct vu_ring *r, struct supply *s, const struct frame *frames,
		       const struct delivery *d, unsigned n, struct done *done, struct port_counters *c)
{
	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = &frames[d[i].frame];
		const uint32_t len = delivery_len(f, &d[i]);
		enum put put = s->taken < s->n ? put_gather(r, s, f, &d[i], r->hdr_len + len) :
						 PUT_FULL;

		if (put == PUT_FAULT) {
			c->tx_drops[TX_NOT_UP] += n - i;
			break;
		}
		if (put == PUT_DONE) {
			done->n++;
			done->bytes += len;
		} else {
			c->tx_drops[put == PUT_FULL ? TX_RING_FULL : TX_BUFFER_TOO_SMALL]++;
		}
	}
}

void HOT_NAME(vu_ring_tx)(struct vu_ring *r, const struct frame *frames, const struct delivery *d,
			  unsigned n, struct port_counters *c)
{
	const uint16_t used_before = r->last_used;
	struct places places;
	unsigned n_places, n_others;
	struct done done;
	struct supply s;

	if (faulted(r)) {
		c->tx_drops[TX_NOT_UP] += n;
		return;
	}
	s.n = n_available(r);
	n_places = places_load(r, &places, s.n < n ? s.n : n, &n_others);
	if (unlikely(n_others))
		places_others(r, &places, n_places);
	s.taken = put_plain(r, &places, n_places, frames, d, &done);
	if (unlikely(s.taken < n))
		put_others(r, &s, frames, d + s.taken, n - s.taken, &done, c);
	r->last_avail = (uint16_t)(r->last_avail + s.taken);
	c->tx_frames += done.n;
	c->tx_bytes += done.bytes;
	if (r->last_used != used_before)
		vu_used_publish(r);
}
