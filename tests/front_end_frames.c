/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of a front end, sent and taken one by one, as a driver does it. See tests/front_end.h. */
#include "tests/front_end.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fe_kick(struct fe *fe, unsigned ring)
{
	uint64_t one = 1;

	if (write(fe->rings[ring].kick_fd, &one, sizeof(one)) < 0)
		return;
}

static void avail_push(struct fe *fe, unsigned ring, uint16_t head)
{
	struct fe_ring *r = &fe->rings[ring];
	uint16_t old = r->next_avail, event;
	bool kick;

	r->avail->ring[r->next_avail & (r->size - 1)] = head;
	__atomic_store_n(&r->avail->idx, ++r->next_avail, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (fe->features & VU_BIT(VIRTIO_RING_F_EVENT_IDX)) {
		event = __atomic_load_n((uint16_t *)&r->used->ring[r->size], __ATOMIC_RELAXED);
		kick = (uint16_t)(r->next_avail - event - 1) < (uint16_t)(r->next_avail - old);
	} else {
		kick = !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) & VRING_USED_NO_NOTIFY);
	}
	if (kick)
		fe_kick(fe, ring);
}

unsigned fe_reclaim(struct fe *fe, unsigned p)
{
	struct fe_ring *r = &fe->rings[2 * p + 1];
	unsigned n = 0;

	while (r->last_used != __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE)) {
		uint16_t id = (uint16_t)r->used->ring[r->last_used & (r->size - 1)].id, last = id;

		r->n_free++;
		while (r->desc[last].flags & VRING_DESC_NEXT) {
			last = r->desc[last].next;
			r->n_free++;
		}
		r->desc[last].next = r->free_head;
		r->free_head = id;
		r->last_used++;
		n++;
	}
	return n;
}

/* Takes a free descriptor. Its buffer is the one of its number. */
static uint16_t desc_take(struct fe_ring *r)
{
	uint16_t i = r->free_head;

	r->free_head = r->desc[i].next;
	r->n_free--;
	return i;
}

bool fe_send(struct fe *fe, unsigned p, const void *frame, uint32_t len)
{
	return fe_send_hdr(fe, p, NULL, frame, len);
}

bool fe_send_hdr(struct fe *fe, unsigned p, const struct vnet_hdr *hdr, const void *frame, uint32_t len)
{
	struct fe_ring *r = &fe->rings[2 * p + 1];
	uint16_t need = fe->opts.layout == FE_TWO ? 2 : 1, head, second;
	uint8_t *buf;

	fe_reclaim(fe, p);
	if (r->n_free < need || len + fe->hdr_len > r->stride)
		return false;
	head = desc_take(r);
	buf = r->bufs + (size_t)head * r->stride;
	memset(buf, 0, fe->hdr_len);
	if (hdr)
		memcpy(buf, hdr, fe->hdr_len);
	memcpy(buf + fe->hdr_len, frame, len);
	r->desc[head].addr = fe_gpa(fe, buf);
	r->desc[head].len = fe->hdr_len + len;
	r->desc[head].flags = 0;
	if (fe->opts.layout == FE_TWO) {
		second = desc_take(r);
		r->desc[head].len = fe->hdr_len;
		r->desc[head].flags = VRING_DESC_NEXT;
		r->desc[head].next = second;
		r->desc[second].addr = fe_gpa(fe, buf + fe->hdr_len);
		r->desc[second].len = len;
		r->desc[second].flags = 0;
	} else if (fe->opts.layout == FE_INDIRECT) {
		struct vring_desc *t = &r->indirect[fe->opts.n_indirect * head];

		t[0] = (struct vring_desc){fe_gpa(fe, buf), fe->hdr_len, VRING_DESC_NEXT, 1};
		t[1] = (struct vring_desc){fe_gpa(fe, buf + fe->hdr_len), len, 0, 0};
		r->desc[head].addr = fe_gpa(fe, t);
		r->desc[head].len = sizeof(t[0]) * 2;
		r->desc[head].flags = VRING_DESC_INDIRECT;
	}
	avail_push(fe, 2 * p + 1, head);
	return true;
}

int fe_recv(struct fe *fe, unsigned p, void *out, uint32_t size)
{
	return fe_recv_hdr(fe, p, NULL, out, size);
}

int fe_recv_hdr(struct fe *fe, unsigned p, struct vnet_hdr *hdr, void *out, uint32_t size)
{
	struct fe_ring *r = &fe->rings[2 * p];
	uint32_t got = 0, n_buffers = 1;

	if (r->last_used == __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE))
		return -1;
	for (uint32_t k = 0; k < n_buffers; k++) {
		struct vring_used_elem e = r->used->ring[r->last_used & (r->size - 1)];
		uint8_t *buf = r->bufs + (size_t)e.id * fe->stride;
		uint32_t skip = 0, len = e.len;

		if (k == 0) {
			if (fe->features & VU_BIT(VIRTIO_NET_F_MRG_RXBUF))
				n_buffers = ((struct vnet_hdr *)buf)->num_buffers;
			skip = fe->hdr_len;
			if (hdr)
				memcpy(hdr, buf, skip);
		}
		if (len < skip || len > fe->opts.buf_size || got + len - skip > size || !n_buffers) {
			fprintf(stderr, "front end: a used buffer of %u bytes of %u\n", len, n_buffers);
			abort();
		}
		memcpy((uint8_t *)out + got, buf + skip, len - skip);
		got += len - skip;
		r->last_used++;
		avail_push(fe, 2 * p, (uint16_t)e.id);
	}
	return (int)got;
}
