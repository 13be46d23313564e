/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/ring_scene.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/ring_expect.h"
#include "tests/unit/ring_naive.h"

static char broken[256];

#define BROKEN(...) (snprintf(broken, sizeof(broken), __VA_ARGS__), broken)

void ring_scene_region(struct ring_scene *s, uint64_t gpa, size_t size)
{
	struct vu_region *r = &s->mem.regions[s->mem.n];

	*r = (struct vu_region){.gpa = gpa, .size = size, .uva = gpa};
	if (posix_memalign((void **)&r->va, 64, size))
		abort();
	memset(r->va, 0, size);
	s->shadow[s->mem.n++] = calloc(1, size);
}

void ring_scene_free(struct ring_scene *s)
{
	for (unsigned i = 0; i < s->mem.n; i++) {
		free(s->mem.regions[i].va);
		free(s->shadow[i]);
	}
}

void *ring_scene_at(struct ring_scene *s, uint64_t gpa)
{
	uint64_t len;

	return vu_mem_at(&s->mem, gpa, &len);
}

/* How much of region i is looked at. */
static size_t compared(const struct ring_scene *s, unsigned i)
{
	size_t size = s->mem.regions[i].size;

	return s->compared && s->compared < size ? s->compared : size;
}

void ring_scene_sync(struct ring_scene *s)
{
	for (unsigned i = 0; i < s->mem.n; i++)
		memcpy(s->shadow[i], s->mem.regions[i].va, compared(s, i));
}

/* Where the shadow of a byte of guest memory is. */
static uint8_t *shadow_at(const struct ring_scene *s, const uint8_t *va)
{
	for (unsigned i = 0; i < s->mem.n; i++) {
		const struct vu_region *r = &s->mem.regions[i];

		if (va >= r->va && va < r->va + r->size)
			return s->shadow[i] + (va - r->va);
	}
	abort();
}

static const char *memory_compare(const struct ring_scene *s, const char *when)
{
	for (unsigned i = 0; i < s->mem.n; i++) {
		const struct vu_region *r = &s->mem.regions[i];
		size_t at = 0;

		if (!memcmp(s->shadow[i], r->va, compared(s, i)))
			continue;
		while (s->shadow[i][at] == r->va[at])
			at++;
		return BROKEN("%s: byte 0x%zx of region %u is 0x%02x, not 0x%02x", when, at, i,
			      r->va[at], s->shadow[i][at]);
	}
	return NULL;
}

static void used_shadow(struct ring_scene *s, unsigned k, uint16_t head, uint32_t len)
{
	const struct vring_used_elem e = {head, len};
	struct vring_used *used = s->ring.used;

	memcpy(shadow_at(s, (uint8_t *)&used->ring[k % s->ring.size]), &e, sizeof(e));
}

static void used_idx_shadow(struct ring_scene *s, uint16_t idx)
{
	memcpy(shadow_at(s, (uint8_t *)&s->ring.used->idx), &idx, sizeof(idx));
}

/* ---- frames from the guest ---- */

static const char *offload_compare(const struct ring_scene *s, unsigned i,
				   const struct naive_frame *want)
{
	const struct frame *f = &s->burst.frames[i];
	uint32_t head_len = f->len < OFFLOAD_HEAD_MAX ? f->len : OFFLOAD_HEAD_MAX;
	uint8_t drop = FRAME_NO_DROP;
	struct offload o = {0};

	if (want->len > FRAME_MAX)
		return f->drop == RX_TOO_LONG ? NULL : BROKEN("frame %u: drop %u", i, f->drop);
	if (vnet_hdr_asks(&want->hdr))
		drop = offload_accept(&want->hdr, want->bytes, head_len, f->len,
				      s->ring.offloads_sent, &o);
	if (f->drop != drop)
		return BROKEN("frame %u: drop %u, not %u", i, f->drop, drop);
	if (memcmp(&f->offload, &o, sizeof(o)))
		return BROKEN("frame %u: another offload", i);
	if (f->wire_len != offload_wire_len(&o, f->len))
		return BROKEN("frame %u: %u bytes on a wire", i, f->wire_len);
	return NULL;
}

static const char *frame_compare(const struct ring_scene *s, unsigned i,
				 const struct naive_frame *want)
{
	const struct frame *f = &s->burst.frames[i];
	uint32_t at = f->head_len;

	if (want->fault)
		return BROKEN("frame %u was taken from a chain with fault %u", i, want->fault);
	if (f->len != (want->len > UINT32_MAX ? UINT32_MAX : want->len))
		return BROKEN("frame %u has %u bytes, not %llu", i, f->len,
			      (unsigned long long)want->len);
	if (f->head_len != (f->len < FRAME_HEAD ? f->len : FRAME_HEAD))
		return BROKEN("frame %u: %u bytes of head", i, f->head_len);
	if (memcmp(f->head, want->bytes, f->head_len))
		return BROKEN("frame %u: another head", i);
	for (unsigned k = 0; k < f->n_segs && want->len <= FRAME_MAX; k++) {
		if (at + f->segs[k].len > f->len)
			return BROKEN("frame %u: its pieces are longer than it", i);
		if (memcmp(f->segs[k].va, want->bytes + at, f->segs[k].len))
			return BROKEN("frame %u: other bytes in piece %u", i, k);
		at += f->segs[k].len;
	}
	if (want->len <= FRAME_MAX && at != f->len)
		return BROKEN("frame %u: %u bytes in pieces, not %u", i, at, f->len);
	return offload_compare(s, i, want);
}

/* Why fewer frames were taken than there are entries. */
static const char *end_compare(const struct ring_scene *s, const struct naive_frame *wants,
			       unsigned got, unsigned n)
{
	enum vu_ring_fault fault = s->ring.fault, want = wants[got].fault;
	unsigned pieces = 0;

	for (unsigned i = 0; i <= got; i++)
		pieces += wants[i].n_pieces + 2;
	if (fault == VU_FAULT_HEAD_RANGE) {
		/* It is found before the chains are looked at. */
		for (unsigned i = got; i < n; i++)
			if (wants[i].fault == VU_FAULT_HEAD_RANGE)
				return NULL;
		return BROKEN("a head is out of range, it says");
	}
	if (want == VU_FAULT_NONE || pieces > BURST_SEGS) {
		if (pieces <= BURST_SEGS)
			return BROKEN("%u of %u frames were taken, the next one is good", got, n);
		if (!got && fault != VU_FAULT_CHAIN_LONG && fault != want)
			return BROKEN("a frame of %u pieces is neither taken nor a fault",
				      wants[0].n_pieces);
		return NULL;
	}
	return fault == want ? NULL : BROKEN("entry %u: fault %u, not %u", got, fault, want);
}

static const char *rx_compare(struct ring_scene *s, unsigned got, unsigned n)
{
	static struct naive_frame wants[BURST_MAX];
	const char *b;

	for (unsigned i = 0; i < n; i++)
		naive_rx(&s->ring, naive_avail(&s->ring, i - got), &wants[i]);
	for (unsigned i = 0; i < got; i++) {
		b = frame_compare(s, i, &wants[i]);
		if (b)
			return b;
	}
	if (got < n)
		return end_compare(s, wants, got, n);
	return s->ring.fault ? BROKEN("fault %u with good frames", s->ring.fault) : NULL;
}

const char *ring_scene_rx(struct ring_scene *s, unsigned *n_taken)
{
	struct vu_ring *r = &s->ring;
	uint16_t n = (uint16_t)(r->avail->idx - r->last_avail), used = r->last_used;
	const bool faulted = r->fault;
	const char *b;
	unsigned got;

	s->burst.n_segs = 0;
	got = *n_taken = vu_ring_rx(r, &s->burst);
	b = memory_compare(s, "taking frames");
	if (b)
		return b;
	if (faulted)
		return got ? BROKEN("%u frames from a faulted ring", got) : NULL;
	if (n > r->size)
		return got || r->fault != VU_FAULT_AVAIL_JUMP
			       ? BROKEN("the available index jumped by %u", n)
			       : NULL;
	if (n > BURST_MAX)
		n = BURST_MAX;
	if (got > n)
		return BROKEN("%u frames from %u entries", got, n);
	b = rx_compare(s, got, n);
	if (b || !got)
		return b;
	for (unsigned i = 0; i < got; i++)
		used_shadow(s, used + i, naive_avail(r, i - got), 0);
	used_idx_shadow(s, (uint16_t)(used + got));
	vu_ring_rx_done(r);
	return memory_compare(s, "giving frames back");
}

/* ---- frames to the guest ---- */

/* Copies what memory holds into the shadow where the guest offers buffers: the device may write there. */
static void offered_forgive(struct ring_scene *s, const struct ring_expect *e)
{
	for (unsigned i = e->n_used; i < e->n_chains; i++)
		for (unsigned k = 0; k < e->chains[i].n && k < NAIVE_PIECES; k++)
			memcpy(shadow_at(s, e->chains[i].segs[k].va), e->chains[i].segs[k].va,
			       e->chains[i].segs[k].len);
}

static void packet_shadow(struct ring_scene *s, const struct ring_expect *e,
			  const struct expect_packet *p)
{
	uint32_t at = 0;

	for (unsigned i = p->first; i < p->first + p->n; i++)
		for (unsigned k = 0; k < e->chains[i].n && at < p->len; k++) {
			const struct seg *seg = &e->chains[i].segs[k];
			uint32_t here = seg->len < p->len - at ? seg->len : p->len - at;

			memcpy(shadow_at(s, seg->va), p->bytes + at, here);
			at += here;
		}
}

static const char *counts_compare(const struct ring_scene *s, const struct ring_expect *e)
{
	const struct port_counters *c = &s->c;

	if (c->tx_frames != e->n_done || c->tx_bytes != e->bytes)
		return BROKEN("%llu frames of %llu bytes, not %u of %llu",
			      (unsigned long long)c->tx_frames, (unsigned long long)c->tx_bytes,
			      e->n_done, (unsigned long long)e->bytes);
	for (unsigned i = 0; i < N_TX_DROPS; i++)
		if (c->tx_drops[i] != e->drops[i])
			return BROKEN("%llu dropped for %s, not %llu",
				      (unsigned long long)c->tx_drops[i], tx_drop_names[i],
				      (unsigned long long)e->drops[i]);
	return NULL;
}

static const char *sums_close(const struct ring_scene *s, unsigned settled)
{
	uint64_t sum = s->c.tx_frames;

	for (unsigned i = 0; i < N_TX_DROPS; i++)
		sum += s->c.tx_drops[i];
	return sum == settled
		       ? NULL
		       : BROKEN("%u settled, %llu counted", settled, (unsigned long long)sum);
}

/* Fault by what was expected; one that stands later in the burst may have been seen already. */
static const char *fault_compare(const struct ring_scene *s, const struct ring_expect *e)
{
	enum vu_ring_fault fault = s->ring.fault;

	if (fault == e->fault || (fault == VU_FAULT_HEAD_RANGE && e->bad_head))
		return NULL;
	return BROKEN("fault %u, not %u", fault, e->fault);
}

const char *ring_scene_tx(struct ring_scene *s, const struct frame *frames,
			  const struct delivery *d, unsigned n, unsigned *settled)
{
	static struct ring_expect e;
	struct vu_ring *r = &s->ring;
	uint16_t used = r->last_used;
	const char *b;

	memset(&s->c, 0, sizeof(s->c));
	ring_expect_tx(&e, r, frames, d, n);
	*settled = vu_ring_tx(r, frames, d, n, &s->c);
	if (*settled > n)
		return BROKEN("%u of %u settled", *settled, n);
	b = sums_close(s, *settled);
	if (b)
		return b;
	if (e.overlap) {
		ring_scene_sync(s);
		return NULL;
	}
	if (*settled != e.settled)
		return BROKEN("%u of %u settled, not %u", *settled, n, e.settled);
	b = counts_compare(s, &e);
	if (!b)
		b = fault_compare(s, &e);
	if (b)
		return b;
	offered_forgive(s, &e);
	for (unsigned i = 0; i < e.n_packets; i++)
		packet_shadow(s, &e, &e.packets[i]);
	/* Entries beyond the published index are the device's to write. */
	for (unsigned i = 0; i < r->size; i++)
		memcpy(shadow_at(s, (uint8_t *)&r->used->ring[i]), &r->used->ring[i],
		       sizeof(r->used->ring[i]));
	for (unsigned i = 0; i < e.n_used; i++)
		used_shadow(s, used + i, e.heads[i], e.lens[i]);
	if (e.n_used)
		used_idx_shadow(s, (uint16_t)(used + e.n_used));
	return memory_compare(s, "delivering");
}
