/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: frames into the guest's receive buffers; see vhost-user/vu_ring.h.
 */
#include "vhost-user/vu_chain.h"

/* The available entries of one vu_ring_tx(), each loaded once. */
struct supply {
	unsigned n;	   /* available */
	unsigned n_loaded; /* of them in the arrays */
	unsigned taken;
	uint16_t heads[BURST_MAX];
	struct vring_desc descs[BURST_MAX];
	uint8_t *va[BURST_MAX];	  /* of an entry that is one writable buffer … */
	uint32_t room[BURST_MAX]; /* … of so many bytes; 0: look at the descriptor */
};

static void supply_load(struct vu_ring *r, struct supply *s, unsigned n_frames)
{
	struct vu_window w = vu_window_first(r->mem);
	unsigned n;

	s->taken = 0;
	s->n = n_available(r);
	n = heads_load(r, s->heads, s->n < n_frames ? s->n : n_frames);
	s->n_loaded = n;
	for (unsigned i = 0; i < n; i++) {
		struct vring_desc d = desc_load(&r->desc[s->heads[i]]);
		uint8_t *va = vu_window_at(r->mem, &w, d.addr, d.len);

		s->descs[i] = d;
		s->va[i] = va;
		s->room[i] = d.flags == VRING_DESC_WRITE && va ? d.len : 0;
		__builtin_prefetch(va, 1);
		__builtin_prefetch(va + 64, 1);
	}
}

/* The k-th available entry; false after a fault. */
static bool supply_get(struct vu_ring *r, struct supply *s, unsigned k, uint16_t *head,
		       struct vring_desc *d)
{
	if (likely(k < s->n_loaded)) {
		*head = s->heads[k];
		*d = s->descs[k];
		return true;
	}
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
		if (!supply_get(r, s, s->taken + n, &head, &desc))
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

/* A frame into one buffer that holds it, at va: what most drivers offer. */
static inline void put_simple(uint8_t *va, unsigned hdr_len, const struct frame *f,
			      const struct delivery *d)
{
	const struct vnet_hdr hdr = {.num_buffers = 1};
	uint8_t *to = va + hdr_len;
	unsigned n_segs = f->n_segs;

	/* num_buffers is written where there is one; 10 bytes of header are 12 less the rest. */
	memcpy(va, &hdr, VNET_HDR_LEGACY);
	if (likely(hdr_len == VNET_HDR))
		memcpy(va + VNET_HDR_LEGACY, &hdr.num_buffers, sizeof(hdr.num_buffers));
	if (likely(d->as_is && n_segs)) {
		copy64(to, f->head); /* a frame with more than its head has a full one */
		to += FRAME_HEAD;
	} else if (d->as_is) {
		head_copy(to, f->head, f->head_len);
		return;
	} else {
		/* Not straight into the guest: a short head would write beyond the frame. */
		uint8_t changed[FRAME_HEAD + VLAN_TAG];
		uint32_t n = delivery_head(f, d, changed);

		head_copy(to, changed, n);
		to += n;
	}
	for (unsigned i = 0; i < n_segs; i++) {
		memcpy(to, f->segs[i].va, f->segs[i].len);
		to += f->segs[i].len;
	}
}

HOT_CLONES void vu_ring_tx(struct vu_ring *r, const struct frame *frames, const struct delivery *d,
			   unsigned n, struct port_counters *c)
{
	const uint16_t used_before = r->last_used;
	const unsigned mask = r->size - 1u, hdr_len = r->hdr_len;
	struct vring_used_elem *const used = r->used->ring;
	unsigned n_done = 0, i;
	uint64_t bytes = 0;
	struct supply s;

	if (faulted(r)) {
		c->tx_drops[TX_NOT_UP] += n;
		return;
	}
	supply_load(r, &s, n);
	for (i = 0; i < n; i++) {
		const struct frame *f = &frames[d[i].frame];
		const uint32_t len = delivery_len(f, &d[i]), need = hdr_len + len;
		const unsigned k = s.taken;
		enum put put;

		if (likely(k < s.n_loaded && s.room[k] >= need)) {
			put_simple(s.va[k], hdr_len, f, &d[i]);
			used[r->last_used++ & mask] = (struct vring_used_elem){s.heads[k], need};
			s.taken = k + 1;
			n_done++;
			bytes += len;
			continue;
		}
		put = k < s.n ? put_gather(r, &s, f, &d[i], need) : PUT_FULL;
		if (put == PUT_FAULT) {
			c->tx_drops[TX_NOT_UP] += n - i;
			break;
		}
		if (put == PUT_DONE) {
			n_done++;
			bytes += len;
		} else {
			c->tx_drops[put == PUT_FULL ? TX_RING_FULL : TX_BUFFER_TOO_SMALL]++;
		}
	}
	r->last_avail = (uint16_t)(r->last_avail + s.taken);
	c->tx_frames += n_done;
	c->tx_bytes += bytes;
	if (r->last_used != used_before)
		vu_used_publish(r);
}
