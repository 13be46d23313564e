/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: frames from and to local memory; see switch/flat.h.
 */
#include "switch/flat.h"

#include "base/hot.h"

/* Takes n bytes, which there are, to out and leaves the cursor behind them. */
static void take(struct cursor *from, uint8_t *out, uint32_t n)
{
	uint8_t *va;

	for (uint32_t here; n; n -= here, out += here) {
		here = cursor_next(from, n, &va);
		memcpy(out, va, here);
	}
}

/* The pieces from the cursor on, n bytes of them, become those of f. */
static void rest_list(struct burst *b, struct frame *f, struct cursor *from, uint32_t n)
{
	while (n) {
		struct seg *s = &b->segs[b->n_segs++];

		s->len = cursor_next(from, n, &s->va);
		n -= s->len;
		f->n_segs++;
	}
}

/* What hdr asks for: the bytes up to OFFLOAD_HEAD_MAX become local, those behind the head a piece.
 */
static void frame_offload(struct burst *b, unsigned i, const struct vnet_hdr *hdr, uint32_t allowed,
			  struct cursor *from)
{
	struct frame *f = &b->frames[i];
	uint32_t n = f->len < OFFLOAD_HEAD_MAX ? f->len : OFFLOAD_HEAD_MAX;

	memcpy(b->heads[i], f->head, FRAME_HEAD);
	if (n > FRAME_HEAD) {
		take(from, b->heads[i] + FRAME_HEAD, n - FRAME_HEAD);
		b->segs[b->n_segs++] = (struct seg){b->heads[i] + FRAME_HEAD, n - FRAME_HEAD};
		f->n_segs = 1;
	}
	rest_list(b, f, from, f->len - n);
	if (f->drop == FRAME_NO_DROP)
		f->drop = offload_accept(hdr, b->heads[i], n, f->len, allowed, &f->offload);
	f->wire_len = offload_wire_len(&f->offload, f->len);
}

bool flat_frame(struct burst *b, unsigned i, const struct vnet_hdr *hdr, uint32_t allowed,
		const struct seg *pieces, unsigned n_pieces)
{
	struct cursor from = {.seg = pieces};
	struct frame *f = &b->frames[i];
	uint64_t len = 0;

	for (unsigned k = 0; k < n_pieces; k++)
		len += pieces[k].len;
	if (b->n_segs + n_pieces + 1 > BURST_SEGS)
		return false;
	f->drop = FRAME_NO_DROP;
	if (unlikely(len > FRAME_MAX)) {
		f->drop = RX_TOO_LONG;
		len = len > UINT32_MAX ? UINT32_MAX : len;
	}
	f->len = f->wire_len = (uint32_t)len;
	f->head_len = (uint8_t)(len < FRAME_HEAD ? len : FRAME_HEAD);
	f->has_flow = false;
	f->offload = (struct offload){0};
	f->segs = &b->segs[b->n_segs];
	f->n_segs = 0;
	take(&from, f->head, f->head_len);
	if (hdr && vnet_hdr_asks(hdr))
		frame_offload(b, i, hdr, allowed, &from);
	else
		rest_list(b, f, &from, f->len - f->head_len);
	return true;
}

void flat_whole(const struct frame *f, const struct delivery *d, uint8_t *to, struct vnet_hdr *hdr)
{
	to += delivery_start(f, d, to);
	for (unsigned k = 0; k < f->n_segs; k++) {
		memcpy(to, f->segs[k].va, f->segs[k].len);
		to += f->segs[k].len;
	}
	offload_header(&f->offload, delivery_shift(d), hdr);
}

void flat_begin(struct flat *w, const struct frame *f, const struct delivery *d, uint32_t peer)
{
	uint32_t head_len = delivery_start(f, d, w->head);

	w->from = (struct cursor){.seg = f->segs};
	/* With an offload, the first piece is the rest of the snapshot. */
	if (f->offload.bits && f->n_segs) {
		memcpy(w->head + head_len, f->segs[0].va, f->segs[0].len);
		head_len += f->segs[0].len;
		w->from.seg++;
	}
	packets_begin(&w->ps, &f->offload, w->head, head_len, delivery_len(f, d), delivery_shift(d),
		      peer);
	w->rest = (struct seg){w->head + w->ps.head_len, head_len - w->ps.head_len};
}

uint32_t flat_next(struct flat *w)
{
	return packets_next(&w->ps, &w->packet) ? w->packet.head_len + w->packet.payload_len : 0;
}

void flat_write(struct flat *w, const struct seg *to, struct vnet_hdr *hdr)
{
	struct cursor start = {.seg = to}, at = start;
	struct csum sum = {0};

	cursor_skip(&at, w->packet.head_len);
	payload_copy(&at, &w->rest, &w->from, w->packet.payload_len, w->packet.sum ? &sum : NULL);
	packet_finish(&w->packet, &sum);
	cursor_put(&start, w->packet.head, w->packet.head_len);
	*hdr = w->packet.hdr;
}
