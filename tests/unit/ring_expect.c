/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/ring_expect.h"

#include <stdlib.h>

#include "switch/packets.h"

/* ---- which buffers there are ---- */

/* A stretch of memory that is written or read. */
struct span {
	const uint8_t *from, *to;
};

static int span_order(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static bool spans_overlap(struct span *s, unsigned n)
{
	qsort(s, n, sizeof(*s), span_order);
	for (unsigned i = 1; i < n; i++)
		if (s[i].from < s[i - 1].to)
			return true;
	return false;
}

static bool overlap(const struct ring_expect *e, const struct vu_ring *r)
{
	static struct span s[EXPECT_CHAINS * 8];
	const unsigned max = sizeof(s) / sizeof(s[0]);
	unsigned n = 0;
	uint64_t len;

	s[n++] = (struct span){(void *)r->desc, (void *)(r->desc + r->size)};
	s[n++] = (struct span){(void *)r->avail, (void *)&r->avail->ring[r->size + 1]};
	s[n++] = (struct span){(void *)r->used, (uint8_t *)&r->used->ring[r->size] + 2};
	for (unsigned i = 0; i < r->size; i++) {
		const struct vring_desc *d = &r->desc[i];
		const uint8_t *va =
			d->flags & VRING_DESC_INDIRECT ? vu_mem_at(r->mem, d->addr, &len) : NULL;

		if (va && n < max)
			s[n++] = (struct span){va, va + (len < d->len ? len : d->len)};
	}
	for (unsigned i = 0; i < e->n_chains; i++)
		for (unsigned k = 0; k < e->chains[i].n && k < NAIVE_PIECES; k++) {
			const struct seg *seg = &e->chains[i].segs[k];

			if (n == max)
				return true;
			s[n++] = (struct span){seg->va, seg->va + seg->len};
		}
	return spans_overlap(s, n);
}

static void chains_find(struct ring_expect *e, const struct vu_ring *r, unsigned n_avail,
			unsigned n)
{
	e->n_chains = 0;
	e->bad_head = false;
	for (unsigned i = 0; i < n_avail; i++) {
		uint16_t head = naive_avail(r, i);

		e->heads[i] = head;
		e->bad_head |= i < n && head >= r->size;
		naive_chain(r, head, VRING_DESC_WRITE, &e->chains[e->n_chains++]);
	}
}

/* ---- what goes into them ---- */

/* The frame as it is delivered; returns its bytes. */
static uint32_t flat(const struct frame *f, const struct delivery *d, uint8_t *out)
{
	uint8_t head[FRAME_HEAD + VLAN_TAG];
	uint32_t n = f->head_len;

	if (d->as_is)
		memcpy(out, f->head, n);
	else
		memcpy(out, head, n = delivery_head(f, d, head));
	for (unsigned i = 0; i < f->n_segs; i++) {
		memcpy(out + n, f->segs[i].va, f->segs[i].len);
		n += f->segs[i].len;
	}
	return n;
}

enum put { PUT_DONE, PUT_FULL, PUT_TOO_SMALL, PUT_FAULT };

/* Where packet p goes. */
static enum put packet_put(struct ring_expect *e, const struct vu_ring *r, unsigned n_avail,
			   struct expect_packet *p)
{
	uint64_t bytes = 0;
	unsigned pieces = 0;

	p->first = e->n_used;
	for (p->n = 0; bytes < p->len; p->n++) {
		const struct naive_chain *c;

		if (p->n && !r->mergeable)
			return PUT_TOO_SMALL;
		if (p->first + p->n >= n_avail)
			return PUT_FULL;
		c = &e->chains[p->first + p->n];
		e->fault = c->fault;
		pieces += c->n;
		if (pieces > BURST_SEGS) {
			e->fault = e->bad_head ? VU_FAULT_HEAD_RANGE : VU_FAULT_NONE;
			return e->fault ? PUT_FAULT : PUT_TOO_SMALL;
		}
		if (!c->fault && !c->bytes)
			e->fault = VU_FAULT_CHAIN_EMPTY;
		if (e->fault)
			return PUT_FAULT;
		e->lens[p->first + p->n] =
			(uint32_t)(c->bytes < p->len - bytes ? c->bytes : p->len - bytes);
		bytes += c->bytes;
	}
	if (r->hdr_len == VNET_HDR)
		memcpy(p->bytes + VNET_HDR_LEGACY, &(uint16_t){(uint16_t)p->n}, 2);
	e->n_used += p->n;
	e->n_packets++;
	return PUT_DONE;
}

static void packet_make(struct expect_packet *out, const struct vu_ring *r,
			const struct vnet_hdr *hdr, const uint8_t *head, uint32_t head_len,
			const uint8_t *rest, uint32_t n)
{
	memcpy(out->bytes, hdr, r->hdr_len);
	memcpy(out->bytes + r->hdr_len, head, head_len);
	if (n)
		memcpy(out->bytes + r->hdr_len + head_len, rest, n);
	out->len = r->hdr_len + head_len + n;
}

static enum put whole_put(struct ring_expect *e, const struct vu_ring *r, unsigned n_avail,
			  const struct frame *f, const struct delivery *d)
{
	static uint8_t bytes[FRAME_MAX + VLAN_TAG];
	uint32_t len = flat(f, d, bytes);
	struct vnet_hdr hdr;

	offload_header(&f->offload, delivery_shift(d), &hdr);
	packet_make(&e->packets[e->n_packets], r, &hdr, bytes, len, NULL, 0);
	return packet_put(e, r, n_avail, &e->packets[e->n_packets]);
}

/* The frame cut and summed. *any: a packet of it has been delivered. */
static enum put packets_put(struct ring_expect *e, const struct vu_ring *r, unsigned n_avail,
			    const struct frame *f, const struct delivery *d, bool *any)
{
	static uint8_t bytes[FRAME_MAX + VLAN_TAG];
	uint8_t head[OFFLOAD_HEAD_MAX + VLAN_TAG];
	uint32_t len = flat(f, d, bytes), head_len = len;
	unsigned most = n_avail > r->n_most ? n_avail : r->n_most, left = n_avail - e->n_used;
	struct packets ps;
	struct packet p;

	if (head_len > OFFLOAD_HEAD_MAX + (uint32_t)delivery_shift(d))
		head_len = OFFLOAD_HEAD_MAX + (uint32_t)delivery_shift(d);
	memcpy(head, bytes, head_len);
	packets_begin(&ps, &f->offload, head, head_len, len, delivery_shift(d), r->offloads_taken);
	if (ps.n > left && left < most / 2)
		return PUT_FULL;
	while (packets_next(&ps, &p)) {
		const uint8_t *payload = bytes + ps.head_len + p.payload_off;
		struct csum sum = {0};
		enum put put;

		if (p.sum && p.payload_len)
			csum_copy(&sum, (uint8_t[FRAME_MAX]){0}, payload, p.payload_len);
		packet_finish(&p, &sum);
		if (e->n_packets == EXPECT_PACKETS)
			return PUT_FULL;
		packet_make(&e->packets[e->n_packets], r, &p.hdr, p.head, p.head_len, payload,
			    p.payload_len);
		put = packet_put(e, r, n_avail, &e->packets[e->n_packets]);
		if (put != PUT_DONE)
			return put;
		*any = true;
	}
	return PUT_DONE;
}

/* ---- all deliveries ---- */

/* One of them; false: it and the rest stay with the caller. */
static bool frame_put(struct ring_expect *e, const struct vu_ring *r, unsigned n_avail,
		      const struct frame *f, const struct delivery *d, unsigned n_left)
{
	bool cut = offload_missing(&f->offload, r->offloads_taken), any = false;
	enum put put = PUT_FULL;

	if (e->n_used < n_avail)
		put = cut ? packets_put(e, r, n_avail, f, d, &any) : whole_put(e, r, n_avail, f, d);
	switch (put) {
	case PUT_DONE:
		e->n_done++;
		e->bytes += delivery_len(f, d);
		return true;
	case PUT_FULL:
		e->drops[TX_RING_FULL] += any;
		return any;
	case PUT_TOO_SMALL:
		e->drops[TX_BUFFER_TOO_SMALL]++;
		return true;
	case PUT_FAULT:
		e->drops[TX_NOT_UP] += n_left;
		return false;
	}
	return false;
}

void ring_expect_tx(struct ring_expect *e, const struct vu_ring *r, const struct frame *frames,
		    const struct delivery *d, unsigned n)
{
	uint16_t n_avail = (uint16_t)(r->avail->idx - r->last_avail);

	e->settled = e->n_done = e->n_used = e->n_packets = e->n_chains = 0;
	e->bytes = 0;
	memset(e->drops, 0, sizeof(e->drops));
	e->fault = r->fault;
	e->overlap = e->bad_head = false;
	if (r->fault) {
		e->drops[TX_NOT_UP] = e->settled = n;
		return;
	}
	if (n_avail > r->size) {
		e->fault = VU_FAULT_AVAIL_JUMP;
		return;
	}
	chains_find(e, r, n_avail, n);
	e->overlap = overlap(e, r);
	for (unsigned i = 0; i < n; i++) {
		if (!frame_put(e, r, n_avail, &frames[d[i].frame], &d[i], n - i)) {
			e->settled = e->fault ? n : i;
			return;
		}
	}
	e->settled = n;
}
