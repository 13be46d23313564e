/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE  4096u /* of an indirect table's descriptors, as a guest's fragments are */
#define AHEAD 6	    /* frames; the misses of so many overlap */

/* ---- sending ---- */

static inline uint8_t *slot_buffer(const struct sender *s, uint32_t slot)
{
	return s->r->bufs + (size_t)slot * s->r->stride;
}

/* A table as a guest's: the virtio header, then the frame by pages. */
static unsigned table_write(const struct sender *s, struct vring_desc *t, uint64_t gpa, uint32_t size)
{
	uint16_t n = 1;

	t[0] = (struct vring_desc){gpa, s->fe->hdr_len, VRING_DESC_NEXT, 1};
	gpa += s->fe->hdr_len;
	for (; size > PAGE; size -= PAGE, gpa += PAGE, n++)
		t[n] = (struct vring_desc){gpa, PAGE, VRING_DESC_NEXT, (uint16_t)(n + 1)};
	t[n] = (struct vring_desc){gpa, size, 0, 0};
	return n + 1u;
}

static inline void slot_describe(const struct sender *s, uint32_t slot, uint16_t at)
{
	struct fe_ring *r = s->r;
	const struct fe_opts *o = &s->fe->opts;
	uint64_t gpa = fe_gpa(s->fe, slot_buffer(s, slot));
	uint32_t size = s->sizes[slot], hdr_len = s->fe->hdr_len;
	uint16_t head = (uint16_t)slot;

	if (o->layout == FE_ONE) {
		r->desc[head] = (struct vring_desc){gpa, hdr_len + size, 0, 0};
	} else if (o->layout == FE_TWO) {
		head = (uint16_t)(2 * slot);
		r->desc[head] = (struct vring_desc){gpa, hdr_len, VRING_DESC_NEXT,
						    (uint16_t)(head + 1)};
		r->desc[head + 1] = (struct vring_desc){gpa + hdr_len, size, 0, 0};
	} else {
		struct vring_desc *t = r->indirect + (size_t)slot * o->n_indirect;
		unsigned n = table_write(s, t, gpa, size);

		r->desc[head] = (struct vring_desc){fe_gpa(s->fe, t), n * (uint32_t)sizeof(*t),
						    VRING_DESC_INDIRECT, 0};
	}
	r->avail->ring[at & (r->size - 1)] = head;
}

static inline struct flow *flow_next(struct sender *s, uint32_t *number)
{
	struct flow *f = &s->flows[s->cursor];

	*number = s->first + s->cursor;
	if (++s->cursor == s->n_flows)
		s->cursor = 0;
	return f;
}

static inline void slot_write(const struct ends *l, struct sender *s, uint32_t slot, uint64_t now,
			      enum touch touch)
{
	uint8_t *buf = slot_buffer(s, slot), *f = buf + s->fe->hdr_len;
	uint32_t number, seq, size = s->sizes[slot];
	struct flow *flow = flow_next(s, &number);

	seq = flow->n_sent++;
	memcpy(f, flow->addresses, ADDRESSES);
	if (l->o->send == KIND_OFF) {
		struct mark *m = frame_mark(f, l->o->vlan >= 0);

		memset(buf, 0, VNET_HDR_LEGACY);
		m->flow = number;
		m->seq = seq;
		m->sent = now;
	}
	for (uint32_t at = 64; touch == TOUCH_ALL && at < size; at += 64)
		f[at] = (uint8_t)seq;
	if (l->o->send != KIND_OFF)
		frame_tcp_number(f, size, number, seq * (size - TCP_HEADERS),
				 !(s->fe->features & NET_F_CSUM));
}

void sender_fill(const struct ends *l, struct sender *s)
{
	for (uint32_t slot = 0; slot <= s->mask; slot++) {
		frame_init(l->o, slot_buffer(s, slot), s->fe, s->sizes[slot]);
		slot_write(l, s, slot, 0, TOUCH_FIRST);
		slot_describe(s, slot, (uint16_t)slot);
		slot_describe(s, slot, (uint16_t)(slot + s->mask + 1));
	}
	for (uint32_t i = 0; i < s->n_flows; i++)
		s->flows[i].n_sent = 0;
	s->cursor = 0;
}

static inline __attribute__((always_inline)) void burst_write(struct ends *l, struct sender *s,
							      uint16_t old, unsigned n,
							      enum touch touch)
{
	uint64_t now = tsc();

	for (unsigned i = 0; i < n; i++) {
		uint32_t slot = (uint16_t)(old + i) & s->mask;

		__builtin_prefetch(slot_buffer(s, (slot + AHEAD) & s->mask), 1);
		slot_write(l, s, slot, now, touch);
		slot_describe(s, slot, (uint16_t)(old + i));
		s->bytes += s->sizes[slot];
	}
}

static void kick_if_wanted(struct sender *s, uint16_t old)
{
	struct fe_ring *r = s->r;
	uint16_t event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (s->fe->features & VU_BIT(VIRTIO_RING_F_EVENT_IDX)) {
		event = __atomic_load_n((uint16_t *)&r->used->ring[r->size], __ATOMIC_RELAXED);
		if ((uint16_t)(r->next_avail - event - 1) >= (uint16_t)(r->next_avail - old))
			return;
	} else if (__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) & VRING_USED_NO_NOTIFY) {
		return;
	}
	fe_kick(s->fe, s->ring);
}

unsigned end_send(struct ends *l, struct sender *s, unsigned max, enum touch touch)
{
	struct fe_ring *r = s->r;
	uint16_t used = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE), old = r->next_avail;
	unsigned n = s->window - (uint16_t)(old - used);

	s->n_tries++;
	s->n_full += n < max;
	if (n > max)
		n = max;
	if (!n)
		return 0;
	if (touch == TOUCH_FIRST)
		burst_write(l, s, old, n, TOUCH_FIRST);
	else if (touch == TOUCH_ALL)
		burst_write(l, s, old, n, TOUCH_ALL);
	s->n_sent += n;
	r->next_avail = (uint16_t)(old + n);
	__atomic_store_n(&r->avail->idx, r->next_avail, __ATOMIC_RELEASE);
	kick_if_wanted(s, old);
	return n;
}

/* ---- receiving ---- */

/* A number that is not the next one. */
static void number_unexpected(struct seen *s, int32_t ahead, struct tally *t)
{
	uint32_t ago = (uint32_t)(-ahead - 1);

	if (ahead > 0) {
		t->n_gaps += (uint32_t)ahead;
		s->missing = ahead >= 31 ? UINT32_MAX - 1 :
					   s->missing << (ahead + 1) | ((1u << ahead) - 1) << 1;
		s->next += (uint32_t)ahead + 1;
	} else if (ago < 32 && s->missing >> ago & 1) {
		s->missing &= ~(1u << ago);
		t->n_late++;
		t->n_gaps--;
	} else if (ago < 32) {
		t->n_duplicates++;
	} else {
		t->n_late++;
		t->n_gaps--;
	}
}

static inline void frame_check(struct ends *l, struct end *e, uint8_t *f, uint64_t now)
{
	const struct mark *m = frame_mark(f, frame_is_tagged(f));
	uint32_t flow = m->flow, seq = m->seq;
	struct seen *s;

	e->tally.n_stray += f[2] != e->index && !(f[0] & 1) && f[2] != FRAME_FLOOD;
	if (flow >= l->n_flows) {
		e->tally.n_foreign++;
		return;
	}
	if (l->latency && !(seq & l->sample_mask))
		histogram_add(l->latency, now - m->sent);
	s = &e->seen[flow];
	if (seq != s->next) {
		number_unexpected(s, (int32_t)(seq - s->next), &e->tally);
		return;
	}
	s->next = seq + 1;
	if (s->missing)
		s->missing <<= 1;
}

static inline uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

/* Segments: counted in bytes of payload, whatever the switch made of a large frame. */
static void tcp_check(struct ends *l, struct end *e, const uint8_t *f, uint32_t len)
{
	uint32_t flow = get32(f + 26) & 0xffffff, seq = get32(f + 38);
	uint32_t payload = (uint32_t)(f[16] << 8 | f[17]) - 40;
	int32_t ahead;

	e->tally.n_stray += f[2] != e->index;
	if (flow >= l->n_flows || len < TCP_HEADERS) {
		e->tally.n_foreign++;
		return;
	}
	e->tally.payload += payload;
	if (l->o->touch == TOUCH_NONE)
		return;
	ahead = (int32_t)(seq - e->seen[flow].next);
	e->tally.n_gaps += ahead > 0;
	e->tally.n_late += ahead < 0;
	if (ahead >= 0)
		e->seen[flow].next = seq + payload;
}

static inline void lines_read(struct ends *l, const uint8_t *f, uint32_t len)
{
	for (uint32_t at = 64; at < len; at += 64)
		l->sum += f[at];
}

static inline __attribute__((always_inline)) void burst_read(struct ends *l, struct end *e,
							     struct fe_ring *r, unsigned n,
							     enum touch touch)
{
	uint16_t mask = (uint16_t)(r->size - 1), hdr_len = (uint16_t)e->fe->hdr_len;
	uint64_t now = l->latency ? tsc() : 0;

	for (unsigned i = 0; i < n; i++) {
		struct vring_used_elem u = r->used->ring[(uint16_t)(r->last_used + i) & mask];
		uint32_t ahead = r->used->ring[(uint16_t)(r->last_used + i + AHEAD) & mask].id & mask;

		if (touch != TOUCH_NONE) {
			uint8_t *f = r->bufs + (size_t)(u.id & mask) * r->stride + hdr_len;

			__builtin_prefetch(r->bufs + (size_t)ahead * r->stride);
			frame_check(l, e, f, now);
			if (touch == TOUCH_ALL)
				lines_read(l, f, u.len - hdr_len);
		}
		e->tally.n_bytes += u.len - hdr_len;
		if (touch != TOUCH_NONE || r->avail->ring[(r->next_avail + i) & mask] != u.id)
			r->avail->ring[(r->next_avail + i) & mask] = (uint16_t)u.id;
	}
	e->tally.n_frames += n;
}

/* One frame in n_buffers buffers, the first of them at i. */
static void big_read(struct ends *l, struct end *e, struct fe_ring *r, unsigned i, unsigned n_buffers)
{
	uint16_t mask = (uint16_t)(r->size - 1);
	uint32_t len = 0, skip = e->fe->hdr_len, total = 0;
	uint8_t *first = NULL;

	for (unsigned k = 0; k < n_buffers; k++)
		total += r->used->ring[(uint16_t)(r->last_used + i + k) & mask].len;
	total -= skip;
	for (unsigned k = 0; k < n_buffers; k++) {
		struct vring_used_elem u = r->used->ring[(uint16_t)(r->last_used + i + k) & mask];
		uint8_t *at = r->bufs + (size_t)(u.id & mask) * r->stride + skip;

		if (!first)
			first = at;
		len = u.len - skip;
		pcap_write(l->pcap, total, at, len, k == 0);
		if (l->o->touch == TOUCH_ALL)
			lines_read(l, at, len);
		skip = 0;
		r->avail->ring[(r->next_avail + i + k) & mask] = (uint16_t)u.id;
	}
	e->tally.n_bytes += total;
	if (l->o->send != KIND_OFF && first)
		tcp_check(l, e, first, total);
	else if (l->o->touch != TOUCH_NONE && first)
		frame_check(l, e, first, l->latency ? tsc() : 0);
}

/* Frames of several buffers. Returns the buffers of whole frames. */
static unsigned big_receive(struct ends *l, struct end *e, struct fe_ring *r, unsigned n)
{
	bool mergeable = e->fe->features & VU_BIT(VIRTIO_NET_F_MRG_RXBUF);
	uint16_t mask = (uint16_t)(r->size - 1);
	unsigned i = 0, n_buffers = 1;

	for (; i < n; i += n_buffers) {
		uint32_t id = r->used->ring[(uint16_t)(r->last_used + i) & mask].id & mask;
		const struct vnet_hdr *h = (void *)(r->bufs + (size_t)id * r->stride);

		if (mergeable)
			n_buffers = h->num_buffers;
		if (!n_buffers || i + n_buffers > n)
			break;
		e->tally.n_gso += h->gso_type != 0;
		big_read(l, e, r, i, n_buffers);
		e->tally.n_frames++;
	}
	return i;
}

static unsigned ring_receive(struct ends *l, struct end *e, struct fe_ring *r)
{
	uint16_t used = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
	unsigned n = (uint16_t)(used - r->last_used);

	if (!n)
		return 0;
	if (l->big)
		n = big_receive(l, e, r, n);
	else if (l->o->touch == TOUCH_NONE)
		burst_read(l, e, r, n, TOUCH_NONE);
	else if (l->o->touch == TOUCH_FIRST)
		burst_read(l, e, r, n, TOUCH_FIRST);
	else
		burst_read(l, e, r, n, TOUCH_ALL);
	r->last_used = (uint16_t)(r->last_used + n);
	r->next_avail = (uint16_t)(r->next_avail + n);
	__atomic_store_n(&r->avail->idx, r->next_avail, __ATOMIC_RELEASE);
	return n;
}

unsigned end_receive(struct ends *l, struct end *e)
{
	uint64_t before = e->tally.n_frames;

	for (unsigned p = 0; p < e->fe->opts.n_pairs; p++)
		ring_receive(l, e, &e->fe->rings[2 * p]);
	return (unsigned)(e->tally.n_frames - before);
}
