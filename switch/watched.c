/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: what workers do for captures and mirrors; see switch/watched.h.
 */
#include "switch/watched.h"

#include <errno.h>
#include <pcap.h>
#include <rte_cycles.h>
#include <stdlib.h>

#include "switch/hold.h"
#include "switch/internal.h"
#include "switch/pages.h"

#define N_SLOTS	     (HOLDS_MAX + 1)
#define IMAGE_BEFORE 64 /* a tag more in front; and copies begin on a cache line */
#define IMAGE_SIZE   (((IMAGE_BEFORE + FRAME_MAX + 63) / 64 | 1) * 64) /* an odd number of lines */
#define IMAGES_SIZE  ((size_t)N_SLOTS * BURST_MAX * IMAGE_SIZE)

/* A worker's copies of the frames of its bursts. */
struct watch_room {
	uint8_t *images;
	struct {
		uint32_t is_local;	  /* frames whose rest is in its image, one bit each */
		uint32_t have[BURST_MAX]; /* bytes of the frame that are */
		struct seg segs[BURST_MAX][2];
	} slots[N_SLOTS];
};

int watch_room_create(struct watch_room **out)
{
	struct watch_room *room = calloc(1, sizeof(*room));

	if (!room)
		return -ENOMEM;
	room->images = pages_alloc(IMAGES_SIZE, false);
	if (!room->images) {
		free(room);
		return -ENOMEM;
	}
	*out = room;
	return 0;
}

void watch_room_destroy(struct watch_room *room)
{
	if (!room)
		return;
	pages_free(room->images, IMAGES_SIZE);
	free(room);
}

static inline struct port_counters *counters(const struct forward *fw, const struct view_port *vp)
{
	return &vp->port->counters[fw->worker];
}

/* Where the head of frame i of this burst goes, and behind it the rest. */
static inline uint8_t *image_of(const struct forward *fw, unsigned i)
{
	return fw->room->images + (size_t)(fw->slot * BURST_MAX + i) * IMAGE_SIZE + IMAGE_BEFORE;
}

/* Copies the rest of frame i, once, and has it delivered from there. */
static void localize(struct forward *fw, unsigned i)
{
	struct frame *f = &fw->burst->frames[i];
	uint32_t most = f->len < FRAME_MAX ? f->len : FRAME_MAX, at = f->head_len, first;
	uint8_t *image = image_of(fw, i);
	struct seg *segs = fw->room->slots[fw->slot].segs[i];

	if (fw->room->slots[fw->slot].is_local >> i & 1)
		return;
	fw->room->slots[fw->slot].is_local |= 1u << i;
	for (unsigned k = 0; k < f->n_segs && at < most; k++) {
		uint32_t n = f->segs[k].len < most - at ? f->segs[k].len : most - at;

		memcpy(image + at, f->segs[k].va, n);
		at += n;
	}
	fw->room->slots[fw->slot].have[i] = at;
	if (at != f->len || !f->n_segs)
		return;
	/* With offloads, the headers behind the head are a piece of their own. */
	first = f->offload.bits && at > OFFLOAD_HEAD_MAX ? OFFLOAD_HEAD_MAX : at;
	segs[0] = (struct seg){image + f->head_len, first - f->head_len};
	segs[1] = (struct seg){image + first, at - first};
	f->segs = segs;
	f->n_segs = at > first ? 2 : 1;
}

/* The bytes of frame i as d says: *have of them are there. */
static const uint8_t *image_show(struct forward *fw, unsigned i, const struct delivery *d,
				 uint32_t *have)
{
	const struct frame *f = &fw->burst->frames[i];
	int shift = delivery_shift(d);
	uint8_t *start = image_of(fw, i) - shift;

	localize(fw, i);
	*have = (uint32_t)((int)fw->room->slots[fw->slot].have[i] + shift);
	if (d->as_is)
		memcpy(start, f->head, f->head_len);
	else
		delivery_head(f, d, start);
	return start;
}

/* ---- captures ---- */

/* Room for size bytes in one piece; NULL: the reader has not made any. */
static uint8_t *ring_room(struct capture_writer *cw, uint32_t size, size_t ring_size)
{
	uint64_t at = cw->head & (ring_size - 1), gap = ring_size - at < size ? ring_size - at : 0;

	if (ring_size - (cw->head - cw->tail) < gap + size) {
		uint64_t tail = atomic_load_explicit(&cw->ring->tail, memory_order_acquire);

		/* The reader may write anything there. */
		if (tail - cw->tail <= cw->head - cw->tail)
			cw->tail = tail;
		if (ring_size - (cw->head - cw->tail) < gap + size)
			return NULL;
	}
	if (gap) {
		const uint32_t filler[2] = {(uint32_t)gap, CAPTURE_FILLER};

		memcpy(cw->data + at, filler, sizeof(filler));
		cw->head += gap;
	}
	return cw->data + (cw->head & (ring_size - 1));
}

static void capture_put(const struct watch *w, struct capture_writer *cw, const uint8_t *bytes,
			const struct capture_record *like)
{
	struct capture_record r = *like;
	uint8_t *to;

	r.size = (uint32_t)(sizeof(r) + r.kept + 7) & ~7u;
	to = ring_room(cw, r.size, w->ring_size);
	if (!to) {
		cw->n_lost[r.port]++;
		atomic_store_explicit(&cw->ring->n_lost[r.port], cw->n_lost[r.port],
				      memory_order_relaxed);
		return;
	}
	memcpy(to, &r, sizeof(r));
	memcpy(to + sizeof(r), bytes, r.kept);
	cw->head += r.size;
	cw->n_frames++;
	atomic_store_explicit(&cw->ring->n_frames, cw->n_frames, memory_order_relaxed);
	atomic_store_explicit(&cw->ring->head, cw->head, memory_order_release);
}

/* ---- mirrors ---- */

static void hold_append(struct forward *fw, const struct view_port *vp, unsigned q,
			const struct delivery *d, unsigned n)
{
	/* What came one by one takes no more room among the receivers of the burst than all at
	 * once. */
	for (unsigned i = 0; fw->hold && i < fw->hold->n; i++) {
		struct hold_run *run = &fw->hold->runs[i];

		if (run->port != vp || run->q != q || run->n + n > BURST_MAX)
			continue;
		memcpy(run->d + run->n, d, n * sizeof(*d));
		run->n += n;
		return;
	}
	hold_or_drop(fw, vp, q, d, n);
}

/* A copy of frame i, which is as d says, to the port of the mirror. */
static void mirror(struct forward *fw, const struct watch *w, unsigned i, struct delivery d)
{
	const struct view_port *to = fw->view->by_id[w->to_id];
	const struct frame *f = &fw->burst->frames[i];

	/* What its driver could not make sense of has no whole bytes. */
	if (!to || f->drop != FRAME_NO_DROP || f->len < FRAME_MIN)
		return;
	d.frame = (uint8_t)i;
	d.mirrored = true;
	if (!to->n_txq || f->wire_len + (uint32_t)delivery_shift(&d) > to->len_max) {
		uint8_t reason = to->n_txq ? TX_TOO_LONG : TX_NOT_UP;

		counters(fw, to)->tx_drops[reason]++;
		watched_drop_out(fw, to, i, 1, d, reason);
	} else {
		watch_tx(fw, to, to->txq[0], &d, 1);
	}
}

/* ---- both ---- */

static void show(struct forward *fw, const struct view_port *vp, const struct watch *w, unsigned i,
		 struct delivery d, const struct capture_record *like)
{
	uint32_t have, len = fw->burst->frames[i].len + (uint32_t)delivery_shift(&d);
	const uint8_t *bytes = image_show(fw, i, &d, &have);
	struct capture_record r = *like;

	if (w->filter && !bpf_filter(w->filter, bytes, len, have))
		return;
	if (w->is_mirror) {
		mirror(fw, w, i, d);
		return;
	}
	r.len = len;
	r.kept = have < w->snaplen ? have : w->snaplen;
	r.port = w->index[vp->id];
	capture_put(w, &w->writers[fw->worker], bytes, &r);
}

void watched_emit(struct forward *fw, const struct view_port *vp, uint32_t mask, unsigned first,
		  unsigned n, struct delivery d, enum watch_way way, uint8_t reason)
{
	struct capture_record r = {
		.flags = (uint8_t)((way == WATCH_OUT ? CAPTURE_OUT : 0) |
				   (reason != WATCH_NO_DROP ? CAPTURE_DROP : 0)),
		.reason = reason,
		.tsc = rte_rdtsc(),
	};

	for (; mask; mask &= mask - 1) {
		const struct watch *w = fw->view->watches[__builtin_ctz(mask)];

		for (unsigned i = 0; i < n && !(d.mirrored && w->is_mirror); i++)
			show(fw, vp, w, first + i, d, &r);
	}
}

void watched_burst(struct forward *fw, const struct view_port *in)
{
	fw->room->slots[fw->slot].is_local = 0;
	if (likely(!in->watch.in))
		return;
	/* Nothing else is to read what may change meanwhile. */
	for (unsigned i = 0; i < fw->burst->n; i++)
		localize(fw, i);
	watched_emit(fw, in, in->watch.in, 0, fw->burst->n, frame_as_is(), WATCH_IN, WATCH_NO_DROP);
}

/* Which of the reasons of *c has counted since *before. None: delivered, whoever may count that. */
static uint8_t reason_counted(const struct port_counters *before, const struct port_counters *c)
{
	for (uint8_t i = 0; i < N_TX_DROPS; i++)
		if (c->tx_drops[i] != before->tx_drops[i])
			return i;
	return WATCH_NO_DROP;
}

/* hold_deliver(), one by one, so that what is counted is counted for one frame. */
static unsigned deliver_each(struct forward *fw, const struct view_port *vp, unsigned q,
			     const struct delivery *d, unsigned n)
{
	struct port_counters *c = counters(fw, vp);

	for (unsigned i = 0; i < n; i++) {
		const struct port_counters before = *c;
		uint8_t reason;

		localize(fw, d[i].frame);
		if (!hold_deliver(fw, vp, q, &d[i], 1))
			return i;
		reason = reason_counted(&before, c);
		if (reason != WATCH_NO_DROP)
			watched_drop_out(fw, vp, d[i].frame, 1, d[i], reason);
		else if (vp->watch.out)
			watched_emit(fw, vp, vp->watch.out, d[i].frame, 1, d[i], WATCH_OUT,
				     WATCH_NO_DROP);
	}
	return n;
}

static void drops_show(struct forward *fw, const struct view_port *vp, const struct delivery *d,
		       unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		watched_drop_out(fw, vp, d[i].frame, 1, d[i], TX_RING_FULL);
}

void watch_tx(struct forward *fw, const struct view_port *vp, unsigned q, const struct delivery *d,
	      unsigned n)
{
	const uint64_t full = counters(fw, vp)->tx_drops[TX_RING_FULL];
	unsigned settled = 0;

	if (!hold_has(fw, vp, q))
		settled = watched_out(vp) ? deliver_each(fw, vp, q, d, n)
					  : hold_deliver(fw, vp, q, d, n);
	if (settled == n)
		return;
	hold_append(fw, vp, q, d + settled, n - settled);
	if (counters(fw, vp)->tx_drops[TX_RING_FULL] != full)
		drops_show(fw, vp, d + settled, n - settled);
}

void watch_hold_retry(struct forward *fw)
{
	struct hold *hold = fw->hold;

	/* There is no third try, nor one for copies that mirrors make of these. */
	fw->hold = NULL;
	for (unsigned i = 0; i < hold->n; i++) {
		const struct hold_run *run = &hold->runs[i];
		unsigned settled = watched_out(run->port)
					   ? deliver_each(fw, run->port, run->q, run->d, run->n)
					   : hold_deliver(fw, run->port, run->q, run->d, run->n);

		counters(fw, run->port)->tx_drops[TX_RING_FULL] += run->n - settled;
		drops_show(fw, run->port, run->d + settled, run->n - settled);
	}
	hold->n = 0;
	fw->hold = hold;
}
