/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: frames from the guest; see vhost-user/vu_ring.h.
 */
#include "vhost-user/vu_chain.h"

/* Moves up to n bytes from the front of the pieces to out; returns how many there were. */
static uint32_t segs_take(struct seg *segs, unsigned n_segs, unsigned *at, uint8_t *out, uint32_t n)
{
	uint32_t done = 0;

	while (done < n && *at < n_segs) {
		struct seg *s = &segs[*at];
		uint32_t here = s->len < n - done ? s->len : n - done;

		memcpy(out + done, s->va, here);
		done += here;
		s->va += here;
		s->len -= here;
		if (!s->len)
			(*at)++;
	}
	return done;
}

/* No offload was negotiated: a header that asks for one is the guest's mistake. */
static inline uint8_t header_check(const struct vnet_hdr *h)
{
	return h->flags & 1 || h->gso_type ? RX_BAD_OFFLOAD : FRAME_NO_DROP;
}

/* A frame in any layout. False after a fault, or when the burst's store cannot hold its pieces. */
static bool frame_gather(struct vu_ring *r, uint16_t head, struct vring_desc d, struct burst *b,
			 struct frame *f)
{
	struct gather g = {.segs = &b->segs[b->n_segs], .max = BURST_SEGS - b->n_segs};
	struct vnet_hdr hdr = {0};
	unsigned at = 0;

	if (!vu_gather_chain(r, head, d, 0, &g)) {
		/* More pieces than the whole store has, in a burst of its own: too long to be true. */
		if (!b->n_segs && !atomic_load_explicit(&r->fault, memory_order_relaxed))
			vu_ring_fault_set(r, VU_FAULT_CHAIN_LONG, head, 0);
		return false;
	}
	if (unlikely(g.bytes < r->hdr_len)) {
		vu_ring_fault_set(r, VU_FAULT_HEADER_SHORT, head, g.bytes);
		return false;
	}
	segs_take(g.segs, g.n, &at, (uint8_t *)&hdr, r->hdr_len);
	f->drop = header_check(&hdr);
	g.bytes -= r->hdr_len;
	if (g.bytes > FRAME_MAX) {
		f->drop = RX_TOO_LONG;
		g.bytes = g.bytes > UINT32_MAX ? UINT32_MAX : g.bytes;
	}
	f->len = (uint32_t)g.bytes;
	f->head_len = (uint8_t)segs_take(g.segs, g.n, &at, f->head, FRAME_HEAD);
	f->segs = &g.segs[at];
	f->n_segs = (uint16_t)(g.n - at);
	b->n_segs += g.n;
	return true;
}

/* Where a frame is whose data are one piece of memory: what drivers send unless a frame is large. */
struct piece {
	uint8_t *hdr, *data; /* data NULL: gather the chain */
	uint32_t len;	     /* of the data, bytes */
};

static inline struct piece piece_of_two(const struct vu_ring *r, struct vu_window *w,
					const struct vring_desc *hdr, const struct vring_desc *data)
{
	struct piece p = {0};

	if (unlikely(hdr->len != r->hdr_len || data->flags))
		return p;
	p.hdr = vu_window_at(r->mem, w, hdr->addr, hdr->len);
	p.data = p.hdr ? vu_window_at(r->mem, w, data->addr, data->len) : NULL;
	p.len = data->len;
	return p;
}

/* Header and data in one descriptor, in two, or in an indirect table of two. */
static inline struct piece piece_find(const struct vu_ring *r, struct vu_window *w,
				      const struct vring_desc *d)
{
	struct piece p = {0};

	if (likely(!d->flags && d->len >= VNET_HDR)) {
		p.hdr = vu_window_at(r->mem, w, d->addr, d->len);
		p.data = p.hdr ? p.hdr + r->hdr_len : NULL;
		p.len = d->len - r->hdr_len;
	} else if (d->flags == VRING_DESC_NEXT && d->next < r->size) {
		struct vring_desc second = desc_load(&r->desc[d->next]);

		p = piece_of_two(r, w, d, &second);
	} else if (d->flags == VRING_DESC_INDIRECT && r->indirect && d->len == 2 * sizeof(*d) &&
		   d->addr % 8 == 0) {
		const struct vring_desc *table = (void *)vu_window_at(r->mem, w, d->addr, d->len);
		struct vring_desc t[2];

		if (unlikely(!table))
			return p;
		t[0] = desc_load(&table[0]);
		t[1] = desc_load(&table[1]);
		if (likely(t[0].flags == VRING_DESC_NEXT && t[0].next == 1))
			p = piece_of_two(r, w, &t[0], &t[1]);
	}
	return p;
}

static inline void frame_simple(const struct piece *p, struct burst *b, struct frame *f)
{
	uint32_t len = p->len;
	struct vnet_hdr hdr;

	memcpy(&hdr, p->hdr, VNET_HDR_LEGACY);
	f->len = len;
	f->drop = header_check(&hdr);
	if (likely(len > FRAME_HEAD)) {
		struct seg *s = &b->segs[b->n_segs++];

		copy64(f->head, p->data);
		f->head_len = FRAME_HEAD;
		s->va = p->data + FRAME_HEAD;
		s->len = len - FRAME_HEAD;
		f->segs = s;
		f->n_segs = 1;
	} else {
		head_copy(f->head, p->data, len);
		f->head_len = (uint8_t)len;
		f->n_segs = 0;
	}
	if (unlikely(len > FRAME_MAX))
		f->drop = RX_TOO_LONG;
}

HOT_CLONES unsigned vu_ring_rx(struct vu_ring *r, struct burst *b)
{
	struct vring_desc descs[BURST_MAX];
	struct piece pieces[BURST_MAX];
	uint16_t *const heads = r->heads;
	struct vu_window w;
	bool tables = false;
	unsigned n, i;

	if (faulted(r))
		return 0;
	n = n_available(r);
	if (!n)
		return 0;
	n = heads_load(r, heads, n < BURST_MAX ? n : BURST_MAX);
	w = vu_window_first(r->mem);
	for (i = 0; i < n; i++) {
		descs[i] = desc_load(&r->desc[heads[i]]);
		/* Tables come one pass later: they are a miss of their own. */
		if (unlikely(descs[i].flags & VRING_DESC_INDIRECT)) {
			__builtin_prefetch(vu_window_at(r->mem, &w, descs[i].addr, 1));
			tables = true;
			continue;
		}
		pieces[i] = piece_find(r, &w, &descs[i]);
		__builtin_prefetch(pieces[i].hdr);
		__builtin_prefetch(pieces[i].data + 64);
	}
	for (i = 0; tables && i < n; i++) {
		if (!(descs[i].flags & VRING_DESC_INDIRECT))
			continue;
		pieces[i] = piece_find(r, &w, &descs[i]);
		__builtin_prefetch(pieces[i].hdr);
		__builtin_prefetch(pieces[i].data + 64);
	}
	for (i = 0; i < n; i++) {
		struct frame *f = &b->frames[i];

		if (unlikely(b->n_segs == BURST_SEGS))
			break;
		if (likely(pieces[i].data != NULL))
			frame_simple(&pieces[i], b, f);
		else if (!frame_gather(r, heads[i], descs[i], b, f))
			break;
	}
	r->n_taken = i;
	r->last_avail = (uint16_t)(r->last_avail + i);
	return i;
}

void vu_ring_rx_done(struct vu_ring *r)
{
	struct vring_used_elem *used = r->used->ring;
	const unsigned mask = r->size - 1u, first = r->last_used, n = r->n_taken;

	for (unsigned i = 0; i < n; i++)
		used[(first + i) & mask] = (struct vring_used_elem){r->heads[i], 0};
	r->last_used = (uint16_t)(r->last_used + r->n_taken);
	r->n_taken = 0;
	vu_used_publish(r);
}

bool vu_ring_arm(struct vu_ring *r)
{
	if (atomic_load_explicit(&r->fault, memory_order_relaxed))
		return false;
	if (r->event_idx)
		__atomic_store_n(avail_event(r), r->last_avail, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->used->flags, 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
	return load_once(&r->avail->idx) != r->last_avail;
}

void vu_ring_disarm(struct vu_ring *r)
{
	/* With EVENT_IDX the event index simply falls behind. */
	if (!r->event_idx)
		__atomic_store_n(&r->used->flags, VRING_USED_NO_NOTIFY, __ATOMIC_RELAXED);
}
