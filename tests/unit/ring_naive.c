/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/ring_naive.h"

#include <string.h>

/* Where one byte of guest memory is, or NULL; *run: how many bytes follow there, itself included. */
static uint8_t *find(const struct vu_mem *m, uint64_t gpa, uint64_t *run)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vu_region *r = &m->regions[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size) {
			*run = r->size - (gpa - r->gpa);
			return r->va + (gpa - r->gpa);
		}
	}
	return NULL;
}

/* The bytes of one descriptor, piece by piece. */
static enum vu_ring_fault buffer_add(const struct vu_mem *m, const struct vring_desc *d,
				     struct naive_chain *out)
{
	uint64_t done = 0, run;

	while (done < d->len) {
		uint8_t *va = find(m, d->addr + done, &run);

		if (!va)
			return VU_FAULT_ADDRESS;
		if (run > d->len - done)
			run = d->len - done;
		if (out->n < NAIVE_PIECES)
			out->segs[out->n] = (struct seg){va, (uint32_t)run};
		out->n++;
		out->bytes += run;
		done += run;
	}
	return VU_FAULT_NONE;
}

/* Descriptor i of a table in guest memory: 16 bytes in one region, aligned. */
static enum vu_ring_fault table_read(const struct vu_mem *m, uint64_t table, unsigned i,
				     struct vring_desc *d)
{
	uint64_t at = table + 16ull * i, run;
	uint8_t *va = find(m, at, &run);

	if (!va)
		return VU_FAULT_ADDRESS;
	if (run < 16 || at % 8)
		return VU_FAULT_INDIRECT_PLACE;
	memcpy(d, va, 16);
	return VU_FAULT_NONE;
}

static enum vu_ring_fault table_check(const struct vu_ring *r, const struct vring_desc *d,
				      bool in_table)
{
	if (in_table)
		return VU_FAULT_INDIRECT_NESTED;
	if (!r->indirect)
		return VU_FAULT_INDIRECT_FEATURE;
	if (!d->len || d->len % 16 || d->len / 16 > VU_RING_MAX || d->flags & VRING_DESC_NEXT)
		return VU_FAULT_INDIRECT;
	return VU_FAULT_NONE;
}

static enum vu_ring_fault walk(const struct vu_ring *r, uint16_t head, uint16_t flag,
			       struct naive_chain *out)
{
	unsigned limit = r->size, n = 0, next = head;
	enum vu_ring_fault fault;
	bool in_table = false;
	struct vring_desc d;
	uint64_t table = 0;

	if (head >= r->size)
		return VU_FAULT_HEAD_RANGE;
	for (;;) {
		if (in_table) {
			fault = table_read(r->mem, table, next, &d);
			if (fault)
				return fault;
		} else {
			memcpy(&d, &r->desc[next], sizeof(d));
		}
		if (d.flags & VRING_DESC_INDIRECT) {
			fault = table_check(r, &d, in_table);
			if (fault)
				return fault;
			in_table = true;
			table = d.addr;
			limit = d.len / 16;
			n = next = 0;
			continue;
		}
		if ((d.flags & VRING_DESC_WRITE) != flag)
			return VU_FAULT_DIRECTION;
		fault = buffer_add(r->mem, &d, out);
		if (fault)
			return fault;
		if (!(d.flags & VRING_DESC_NEXT))
			return VU_FAULT_NONE;
		if (++n >= limit || n >= CHAIN_MAX)
			return VU_FAULT_CHAIN_LONG;
		if (d.next >= limit)
			return VU_FAULT_NEXT_RANGE;
		next = d.next;
	}
}

void naive_chain(const struct vu_ring *r, uint16_t head, uint16_t flag, struct naive_chain *out)
{
	out->n = 0;
	out->bytes = 0;
	out->fault = walk(r, head, flag, out);
}

uint32_t naive_read(const struct naive_chain *c, uint64_t from, void *out, uint32_t n)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < c->n && i < NAIVE_PIECES && done < n; i++) {
		const struct seg *s = &c->segs[i];
		uint32_t here;

		if (from >= s->len) {
			from -= s->len;
			continue;
		}
		here = s->len - (uint32_t)from < n - done ? s->len - (uint32_t)from : n - done;
		memcpy((uint8_t *)out + done, s->va + from, here);
		done += here;
		from = 0;
	}
	return done;
}

uint16_t naive_avail(const struct vu_ring *r, unsigned k)
{
	return r->avail->ring[(r->last_avail + k) % r->size];
}

void naive_rx(const struct vu_ring *r, uint16_t head, struct naive_frame *out)
{
	static _Thread_local struct naive_chain c;

	naive_chain(r, head, 0, &c);
	out->fault = c.fault;
	out->n_pieces = c.n;
	out->hdr = (struct vnet_hdr){0};
	if (c.fault)
		return;
	if (c.bytes < r->hdr_len) {
		out->fault = VU_FAULT_HEADER_SHORT;
		return;
	}
	naive_read(&c, 0, &out->hdr, r->hdr_len);
	out->len = c.bytes - r->hdr_len;
	naive_read(&c, r->hdr_len, out->bytes, NAIVE_BYTES);
}
