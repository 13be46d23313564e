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

/* In the first two bytes of a header, loaded as one: NEEDS_CSUM of flags, and a gso_type. */
#define OFFLOAD_ASKED 0xff01u

/*
 * What hdr asks for frame i, whose pieces have been found. The slot before f->segs is free: the
 * snapshot that grows to OFFLOAD_HEAD_MAX becomes the first piece.
 */
static void frame_offload(struct vu_ring *r, struct burst *b, unsigned i, const struct vnet_hdr *hdr,
			  struct seg *segs)
{
	struct frame *f = &b->frames[i];
	uint32_t more = f->len < OFFLOAD_HEAD_MAX ? f->len : OFFLOAD_HEAD_MAX;
	uint8_t *head = b->heads[i];
	unsigned at = 0;

	more -= f->head_len;
	memcpy(head, f->head, FRAME_HEAD);
	segs_take(segs, f->n_segs, &at, head + FRAME_HEAD, more);
	segs += at;
	f->n_segs = (uint16_t)(f->n_segs - at);
	if (more) {
		*--segs = (struct seg){.va = head + FRAME_HEAD, .len = more};
		f->n_segs++;
	}
	f->segs = segs;
	if (f->drop == FRAME_NO_DROP)
		f->drop = offload_accept(hdr, head, f->head_len + more, f->len, r->offloads_sent,
					 &f->offload);
	f->wire_len = offload_wire_len(&f->offload, f->len);
}

/* Frame i, which is of any layout. False after a fault, or when the burst's store cannot hold its pieces. */
static bool frame_gather(struct vu_ring *r, struct burst *b, unsigned i)
{
	/* One slot stays free, for frame_offload(). */
	struct gather g = {.segs = &b->segs[b->n_segs + 1]};
	struct frame *f = &b->frames[i];
	uint16_t head = r->heads[i];
	struct vnet_hdr hdr = {0};
	unsigned at = 0;

	g.max = b->n_segs + 1 < BURST_SEGS ? BURST_SEGS - b->n_segs - 1 : 0;
	if (!vu_gather_chain(r, head, desc_load(&r->desc[head]), 0, &g)) {
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
	f->drop = FRAME_NO_DROP;
	g.bytes -= r->hdr_len;
	if (g.bytes > FRAME_MAX) {
		f->drop = RX_TOO_LONG;
		g.bytes = g.bytes > UINT32_MAX ? UINT32_MAX : g.bytes;
	}
	f->len = f->wire_len = (uint32_t)g.bytes;
	f->head_len = (uint8_t)segs_take(g.segs, g.n, &at, f->head, FRAME_HEAD);
	f->has_flow = false;
	f->segs = &g.segs[at];
	f->n_segs = (uint16_t)(g.n - at);
	f->offload = (struct offload){0};
	b->n_segs += g.n + 1;
	if (unlikely(vnet_hdr_asks(&hdr)))
		frame_offload(r, b, i, &hdr, &g.segs[at]);
	return true;
}

/* Where frames are whose data are one piece of memory: what drivers send unless a frame is large. */
struct pieces {
	const uint8_t *hdr[BURST_MAX];
	const uint8_t *data[BURST_MAX]; /* NULL: gather the chain */
	uint32_t len[BURST_MAX];	/* of the data, bytes */
};

hot_inline void piece_prefetch(const struct pieces *p, unsigned i)
{
	__builtin_prefetch(p->hdr[i]);
	__builtin_prefetch(p->data[i] + FRAME_HEAD);
}

/*
 * Pass 1: entries, descriptors, where the frames are that lie with their header in one descriptor.
 * Calls nothing, so that all it needs stays in registers. Returns how many entries are sane;
 * *n_others tells how many of them are something else.
 */
hot_inline unsigned pieces_load(struct vu_ring *r, struct pieces *p, unsigned n, unsigned *n_others)
{
	/* In locals: for all the compiler knows the arrays may be any of them. */
	const uint16_t *ring = r->avail->ring;
	const struct vring_desc *descs = r->desc;
	const struct vu_window w = vu_window_first(r->mem);
	const unsigned mask = r->size - 1u, first = r->last_avail, hdr_len = r->hdr_len;
	unsigned i, head = 0, others = 0;

	for (i = 0; i < n; i++) {
		uint64_t addr, rest;
		const uint8_t *va;
		uint32_t len;

		head = load_once(&ring[(first + i) & mask]);
		if (unlikely(head > mask))
			break;
		r->heads[i] = (uint16_t)head;
		addr = load_once(&descs[head].addr) - w.gpa;
		rest = load_once((const alias_u64 *)&descs[head].len);
		len = (uint32_t)rest - hdr_len;
		p->data[i] = NULL;
		/* FRAME_HEAD bytes are loaded from data whatever the length; a near address has them.
		 * No whole header makes a great length too. */
		if (unlikely(rest >> 32 & 0xffff || len > FRAME_MAX || addr >= w.near)) {
			others++;
			continue;
		}
		va = w.va + addr;
		p->hdr[i] = va;
		p->data[i] = va + hdr_len;
		p->len[i] = len;
		piece_prefetch(p, i);
	}
	if (unlikely(i < n))
		vu_ring_fault_set(r, VU_FAULT_HEAD_RANGE, head, 0);
	*n_others = others;
	return i;
}

/* A header of just its size in one descriptor, the data in another. */
static void piece_of_two(const struct vu_ring *r, const struct vu_window *w, struct pieces *p, unsigned i,
			 const struct vring_desc *hdr, const struct vring_desc *data)
{
	if (unlikely(hdr->len != r->hdr_len || data->flags || data->len > FRAME_MAX))
		return;
	p->hdr[i] = vu_window_span(r->mem, w, hdr->addr, hdr->len);
	if (unlikely(!p->hdr[i]))
		return;
	p->data[i] = vu_window_span(r->mem, w, data->addr, data->len + FRAME_HEAD);
	p->len[i] = data->len;
	if (likely(p->data[i] != NULL))
		piece_prefetch(p, i);
}

/* One descriptor in another region, header and data in two descriptors, a table of two. */
static void pieces_others(const struct vu_ring *r, struct pieces *p, unsigned n)
{
	const struct vu_window w = vu_window_first(r->mem);
	const struct vring_desc *tables[BURST_MAX];
	unsigned table_of[BURST_MAX], n_tables = 0;

	for (unsigned i = 0; i < n; i++) {
		struct vring_desc d, second;

		if (p->data[i])
			continue;
		d = desc_load(&r->desc[r->heads[i]]);
		if (!d.flags && d.len - r->hdr_len <= FRAME_MAX) {
			p->hdr[i] = vu_mem_span(r->mem, d.addr, d.len + FRAME_HEAD);
			p->data[i] = p->hdr[i] ? p->hdr[i] + r->hdr_len : NULL;
			p->len[i] = d.len - r->hdr_len;
			if (likely(p->data[i] != NULL))
				piece_prefetch(p, i);
		} else if (d.flags == VRING_DESC_NEXT && d.next < r->size) {
			second = desc_load(&r->desc[d.next]);
			piece_of_two(r, &w, p, i, &d, &second);
		} else if (d.flags == VRING_DESC_INDIRECT && r->indirect && d.addr % 8 == 0 &&
			   d.len == 2 * sizeof(d)) {
			tables[n_tables] = (void *)vu_window_span(r->mem, &w, d.addr, d.len);
			__builtin_prefetch(tables[n_tables]);
			table_of[n_tables] = i;
			n_tables += tables[n_tables] != NULL;
		}
	}
	/* Tables are a miss of their own. */
	for (unsigned k = 0; k < n_tables; k++) {
		struct vring_desc t[2] = {desc_load(&tables[k][0]), desc_load(&tables[k][1])};

		if (likely(t[0].flags == VRING_DESC_NEXT && t[0].next == 1))
			piece_of_two(r, &w, p, table_of[k], &t[0], &t[1]);
	}
}

/* Pass 2. */
hot_inline void frame_simple(const uint8_t *data, uint32_t len, struct frame *f)
{
	f->len = len;
	f->head_len = (uint8_t)(len < FRAME_HEAD ? len : FRAME_HEAD);
	f->drop = FRAME_NO_DROP;
	f->n_segs = len > FRAME_HEAD;
	f->segs = &f->one;
	f->one.va = (uint8_t *)data + FRAME_HEAD;
	f->one.len = len - FRAME_HEAD;
	f->wire_len = len;
	f->has_flow = false;
	f->offload = (struct offload){0};
	/* Behind a short frame there are other bytes of the same region: head_len says which count. */
	copy64(f->head, data);
}

/* Frame i, one piece, whose header asks for something. False when the burst's store is full. */
static bool frame_simple_offload(struct vu_ring *r, struct burst *b, unsigned i, const uint8_t *from)
{
	struct vnet_hdr hdr = {0};

	if (b->n_segs + 2 > BURST_SEGS)
		return false;
	memcpy(&hdr, from, r->hdr_len);
	b->segs[b->n_segs + 1] = b->frames[i].one;
	frame_offload(r, b, i, &hdr, &b->segs[b->n_segs + 1]);
	b->n_segs += 2;
	return true;
}

unsigned HOT_NAME(vu_ring_rx)(struct vu_ring *r, struct burst *b)
{
	struct pieces p;
	unsigned n, n_most, n_others, i;

	if (faulted(r))
		return 0;
	n = n_available(r);
	if (!n)
		return 0;
	n_most = BURST_MAX - b->n_unwanted;
	n = pieces_load(r, &p, n < n_most ? n : n_most, &n_others);
	if (unlikely(n_others))
		pieces_others(r, &p, n);
	for (i = 0; i < n; i++) {
		if (unlikely(!p.data[i])) {
			if (!frame_gather(r, b, i))
				break;
			continue;
		}
		frame_simple(p.data[i], p.len[i], &b->frames[i]);
		if (unlikely(load_once((const alias_u16 *)p.hdr[i]) & OFFLOAD_ASKED) &&
		    !frame_simple_offload(r, b, i, p.hdr[i]))
			break;
	}
	r->n_taken = i;
	r->last_avail = (uint16_t)(r->last_avail + i);
	return i;
}

void HOT_NAME(vu_ring_rx_done)(struct vu_ring *r)
{
	struct vring_used_elem *used = r->used->ring;
	const unsigned mask = r->size - 1u, first = r->last_used & mask, n = r->n_taken;
	/* Up to the ring's end, then from its beginning. */
	const unsigned n_first = n < mask + 1 - first ? n : mask + 1 - first;

	for (unsigned i = 0; i < n_first; i++)
		used[first + i] = (struct vring_used_elem){r->heads[i], 0};
	for (unsigned i = n_first; i < n; i++)
		used[i - n_first] = (struct vring_used_elem){r->heads[i], 0};
	r->last_used = (uint16_t)(r->last_used + n);
	r->n_taken = 0;
	vu_used_publish(r);
}
