/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: frames into the guest's receive buffers; see vhost-user/vu_ring.h.
 */
#include "switch/packets.h"
#include "switch/pieces.h"
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

/* PUT_PARTLY: some packets of a frame that is cut have been delivered, for the others there is no room. */
enum put { PUT_DONE, PUT_FULL, PUT_PARTLY, PUT_TOO_SMALL, PUT_FAULT };

/* Where buffers_take() collects the pieces of one packet's buffers. */
static _Thread_local struct seg put_segs[BURST_SEGS];

/*
 * Buffers for need bytes, in chains of any layout, several of them when they are mergeable: into
 * put_segs. Their used entries are written, beyond the published index; *n of them count once
 * buffers_commit() is called.
 */
static enum put buffers_take(struct vu_ring *r, const struct supply *s, uint32_t need, unsigned *n)
{
	struct gather g = {.segs = put_segs, .max = BURST_SEGS};

	for (*n = 0; g.bytes < need; (*n)++) {
		uint64_t before = g.bytes, len;
		struct vring_desc desc;
		uint16_t head;

		if (*n && !r->mergeable)
			return PUT_TOO_SMALL;
		if (s->taken + *n >= s->n)
			return PUT_FULL;
		if (!supply_get(r, s->taken + *n, &head, &desc))
			return PUT_FAULT;
		if (!vu_gather_chain(r, head, desc, VRING_DESC_WRITE, &g))
			return atomic_load_explicit(&r->fault, memory_order_relaxed) ? PUT_FAULT :
										       PUT_TOO_SMALL;
		if (g.bytes == before) {
			vu_ring_fault_set(r, VU_FAULT_CHAIN_EMPTY, head, 0);
			return PUT_FAULT;
		}
		len = (g.bytes < need ? g.bytes : need) - before;
		used_put(r, *n, head, (uint32_t)len);
	}
	return PUT_DONE;
}

static void buffers_commit(struct vu_ring *r, struct supply *s, unsigned n)
{
	s->taken += n;
	r->last_used = (uint16_t)(r->last_used + n);
}

/* A frame into chains of any layout, to a driver that takes what its sender left. */
static enum put put_gather(struct vu_ring *r, struct supply *s, const struct frame *f,
			   const struct delivery *d)
{
	const uint32_t len = delivery_len(f, d);
	struct cursor to = {.seg = put_segs}, from = {.seg = f->segs};
	uint8_t start[FRAME_HEAD + VLAN_TAG];
	struct vnet_hdr hdr;
	enum put put;
	unsigned n;

	put = buffers_take(r, s, r->hdr_len + len, &n);
	if (put != PUT_DONE)
		return put;
	offload_header(&f->offload, delivery_shift(d), &hdr);
	hdr.num_buffers = (uint16_t)n;
	cursor_put(&to, (const uint8_t *)&hdr, r->hdr_len);
	cursor_put(&to, start, delivery_start(f, d, start));
	cursor_copy(&to, &from, f->len - f->head_len, NULL);
	buffers_commit(r, s, n);
	return PUT_DONE;
}

/*
 * A frame whose sender left more than this driver takes: as the packets that it should be, cut and
 * summed while they are copied. Where there is no room for all, at least half of the ring is waited for.
 */
static enum put put_packets(struct vu_ring *r, struct supply *s, const struct frame *f,
			    const struct delivery *d)
{
	uint8_t head[OFFLOAD_HEAD_MAX + VLAN_TAG];
	uint32_t head_len = delivery_start(f, d, head);
	struct cursor from = {.seg = f->segs};
	struct packets ps;
	struct packet p;
	bool any = false;
	struct seg rest;

	/* The first piece is the rest of the snapshot. */
	if (f->n_segs) {
		memcpy(head + head_len, f->segs[0].va, f->segs[0].len);
		head_len += f->segs[0].len;
		from.seg++;
	}
	packets_begin(&ps, &f->offload, head, head_len, delivery_len(f, d), delivery_shift(d),
		      r->offloads_taken);
	/* How many entries this driver ever has is up to it. */
	if (ps.n > s->n - s->taken && s->n - s->taken < r->n_most / 2)
		return PUT_FULL;
	rest = (struct seg){head + ps.head_len, head_len - ps.head_len};
	while (packets_next(&ps, &p)) {
		struct cursor start = {.seg = put_segs}, to;
		struct csum sum = {0};
		enum put put;
		unsigned n;

		put = buffers_take(r, s, r->hdr_len + p.head_len + p.payload_len, &n);
		if (put == PUT_FULL && any)
			return PUT_PARTLY;
		if (put != PUT_DONE)
			return put;
		any = true;
		to = start;
		cursor_skip(&to, r->hdr_len + p.head_len);
		payload_copy(&to, &rest, &from, p.payload_len, p.sum ? &sum : NULL);
		packet_finish(&p, &sum);
		p.hdr.num_buffers = (uint16_t)n;
		cursor_put(&start, (const uint8_t *)&p.hdr, r->hdr_len);
		cursor_put(&start, p.head, p.head_len);
		buffers_commit(r, s, n);
	}
	return PUT_DONE;
}

/* The header and start of a frame that is changed, short, or has offloads, to va. */
static void put_start(uint8_t *va, unsigned hdr_len, const struct frame *f, const struct delivery *d)
{
	/* Not straight into the guest: a short head would write beyond the frame. */
	uint8_t start[FRAME_HEAD + VLAN_TAG];
	struct vnet_hdr hdr;

	if (unlikely(f->offload.bits)) {
		offload_header(&f->offload, delivery_shift(d), &hdr);
		hdr.num_buffers = 1;
		memcpy(va, &hdr, hdr_len);
	}
	head_copy(va + hdr_len, start, delivery_start(f, d, start));
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
	const uint32_t taken = r->offloads_taken;
	unsigned i, n_segs = 0;
	uint64_t bytes = 0;

	for (i = 0; i < n_places; i++) {
		const struct frame *f = &frames[d[i].frame];
		const uint32_t len = delivery_len(f, &d[i]), n = f->head_len;
		uint8_t *va, *to;

		if (unlikely(p->room[i] < len + hdr_len))
			break;
		va = p->va[i];
		to = va + hdr_len;
		memset(va, 0, 8);
		memcpy(va + 8, &hdr_end, 4);
		if (likely(d[i].as_is && n >= 32 && !f->offload.bits)) {
			copy32(to, f->head);
			copy32(to + n - 32, f->head + n - 32);
		} else if (unlikely(offload_missing(&f->offload, taken))) {
			break;
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

/* The others, into buffers of any layout, until there are no more. Returns how many are settled. */
static unsigned put_others(struct vu_ring *r, struct supply *s, const struct frame *frames,
			   const struct delivery *d, unsigned n, struct done *done,
			   struct port_counters *c)
{
	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = &frames[d[i].frame];
		enum put put = PUT_FULL;

		if (s->taken < s->n)
			put = unlikely(offload_missing(&f->offload, r->offloads_taken)) ?
				      put_packets(r, s, f, &d[i]) : put_gather(r, s, f, &d[i]);
		switch (put) {
		case PUT_DONE:
			done->n++;
			done->bytes += delivery_len(f, &d[i]);
			break;
		case PUT_PARTLY:
			c->tx_drops[TX_RING_FULL]++;
			break;
		case PUT_TOO_SMALL:
			c->tx_drops[TX_BUFFER_TOO_SMALL]++;
			break;
		case PUT_FULL:
			return i;
		case PUT_FAULT:
			c->tx_drops[TX_NOT_UP] += n - i;
			return n;
		}
	}
	return n;
}

unsigned HOT_NAME(vu_ring_tx)(struct vu_ring *r, const struct frame *frames, const struct delivery *d,
			      unsigned n, struct port_counters *c)
{
	const uint16_t used_before = r->last_used;
	struct places places;
	unsigned n_places, n_others, settled;
	struct done done;
	struct supply s;

	if (faulted(r)) {
		c->tx_drops[TX_NOT_UP] += n;
		return n;
	}
	s.n = n_available(r);
	if (unlikely(s.n > r->n_most))
		r->n_most = s.n;
	n_places = places_load(r, &places, s.n < n ? s.n : n, &n_others);
	if (unlikely(n_others))
		places_others(r, &places, n_places);
	s.taken = put_plain(r, &places, n_places, frames, d, &done);
	settled = s.taken;
	if (unlikely(settled < n))
		settled += put_others(r, &s, frames, d + settled, n - settled, &done, c);
	r->last_avail = (uint16_t)(r->last_avail + s.taken);
	c->tx_frames += done.n;
	c->tx_bytes += done.bytes;
	if (r->last_used != used_before)
		vu_used_publish(r);
	return settled;
}
