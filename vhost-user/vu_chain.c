/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH; see vhost-user/vu_chain.h.
 */
#include "vhost-user/vu_chain.h"

#include "base/event.h"

void vu_ring_fault_set(struct vu_ring *r, enum vu_ring_fault what, uint64_t a, uint64_t b)
{
	if (atomic_load_explicit(&r->fault, memory_order_relaxed))
		return;
	/* The zeros that stand in for vanished memory are not the guest's word. */
	if (atomic_load_explicit(&r->mem->lost, memory_order_relaxed))
		what = VU_FAULT_MEMORY_LOST;
	r->fault_a = a;
	r->fault_b = b;
	atomic_store_explicit(&r->fault, (uint8_t)what, memory_order_release);
}

/* Adds the memory of one descriptor. False after a fault, or when the array is full (no fault). */
static bool gather_desc(struct vu_ring *r, struct gather *g, const struct vring_desc *d)
{
	uint64_t gpa = d->addr, left = d->len, here;

	while (left) {
		uint8_t *va = vu_mem_at(r->mem, gpa, &here);

		if (unlikely(!va)) {
			vu_ring_fault_set(r, VU_FAULT_ADDRESS, d->addr, d->len);
			return false;
		}
		if (unlikely(g->n == g->max))
			return false;
		if (here > left)
			here = left;
		g->segs[g->n++] = (struct seg){.va = va, .len = (uint32_t)here};
		g->bytes += here;
		gpa += here;
		left -= here;
	}
	return true;
}

/* The table of an indirect descriptor, copied descriptor by descriptor through regions. */
static bool indirect_load(struct vu_ring *r, const struct vring_desc *table, unsigned i,
			  struct vring_desc *out)
{
	uint64_t at = table->addr + (uint64_t)i * sizeof(*out), here;
	uint8_t *va = vu_mem_at(r->mem, at, &here);

	if (unlikely(!va || here < sizeof(*out) || at % 8)) {
		vu_ring_fault_set(r, va ? VU_FAULT_INDIRECT_PLACE : VU_FAULT_ADDRESS, at, sizeof(*out));
		return false;
	}
	*out = desc_load((const struct vring_desc *)va);
	return true;
}

static bool indirect_check(struct vu_ring *r, uint16_t head, const struct vring_desc *d, bool nested)
{
	if (nested)
		vu_ring_fault_set(r, VU_FAULT_INDIRECT_NESTED, head, 0);
	else if (!r->indirect)
		vu_ring_fault_set(r, VU_FAULT_INDIRECT_FEATURE, head, 0);
	else if (!d->len || d->len % sizeof(*d) || d->len / sizeof(*d) > VU_RING_MAX ||
		 d->flags & VRING_DESC_NEXT)
		vu_ring_fault_set(r, VU_FAULT_INDIRECT, head, d->len);
	else
		return true;
	return false;
}

bool vu_gather_chain(struct vu_ring *r, uint16_t head, struct vring_desc d, uint16_t flag,
		     struct gather *g)
{
	struct vring_desc table = {0};
	unsigned limit = r->size, n = 0;

	for (;;) {
		/* The last descriptor of a chain may be a table, which holds the rest of it. Whether
		 * it is for writing says nothing: virtio 1.1, 2.6.5.3.2. */
		if (d.flags & VRING_DESC_INDIRECT) {
			if (!indirect_check(r, head, &d, table.len))
				return false;
			table = d;
			limit = table.len / (unsigned)sizeof(d);
			n = 0;
			if (!indirect_load(r, &table, 0, &d))
				return false;
			continue;
		}
		if (unlikely((d.flags & VRING_DESC_WRITE) != flag)) {
			vu_ring_fault_set(r, VU_FAULT_DIRECTION, head, 0);
			return false;
		}
		if (!gather_desc(r, g, &d))
			return false;
		if (!(d.flags & VRING_DESC_NEXT))
			return true;
		if (unlikely(++n >= limit || n >= CHAIN_MAX)) {
			vu_ring_fault_set(r, VU_FAULT_CHAIN_LONG, head, 0);
			return false;
		}
		if (unlikely(d.next >= limit)) {
			vu_ring_fault_set(r, VU_FAULT_NEXT_RANGE, d.next, 0);
			return false;
		}
		if (table.len) {
			if (!indirect_load(r, &table, d.next, &d))
				return false;
		} else {
			d = desc_load(&r->desc[d.next]);
		}
	}
}

/* virtio 1.1, 2.6.7.2 */
static inline bool need_event(uint16_t event, uint16_t new_idx, uint16_t old_idx)
{
	return (uint16_t)(new_idx - event - 1) < (uint16_t)(new_idx - old_idx);
}

void vu_ring_call(struct vu_ring *r)
{
	int fd = atomic_load_explicit(&r->call_fd, memory_order_acquire);

	if (fd >= 0)
		event_signal(fd);
}

void vu_used_publish(struct vu_ring *r)
{
	uint16_t old = r->published;
	bool valid = r->published_valid;

	__atomic_store_n(&r->used->idx, r->last_used, __ATOMIC_RELEASE);
	/* The guest's wish must be read after it can see the new index. */
	atomic_thread_fence(memory_order_seq_cst);
	if (r->event_idx) {
		/* From the last publication on, called or not: a range that reaches back to the last
		 * call is empty again after 65,536 entries, and the event in it is lost. */
		r->published = r->last_used;
		r->published_valid = true;
		if (valid && !need_event(load_once(used_event(r)), r->last_used, old))
			return;
	} else if (load_once(&r->avail->flags) & VRING_AVAIL_NO_INTERRUPT) {
		return;
	}
	vu_ring_call(r);
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
	/* Memory that vanished shows no frames for ever; the next poll says so. */
	return load_once(&r->avail->idx) != r->last_avail ||
	       atomic_load_explicit(&r->mem->lost, memory_order_relaxed);
}

void vu_ring_disarm(struct vu_ring *r)
{
	/* With EVENT_IDX the event index simply falls behind. */
	if (!r->event_idx)
		__atomic_store_n(&r->used->flags, VRING_USED_NO_NOTIFY, __ATOMIC_RELAXED);
}
