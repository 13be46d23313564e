/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: what both directions of a split virtqueue share: loads from guest memory, chains of
 * descriptors, available entries, publishing what was used.
 *
 * Threads  the worker that is in the ring.
 * Trust    Guest memory changes while it is read: each field is loaded once, checked, and only the
 *          loaded copy is used.
 */
#ifndef VHOST_USER_VU_CHAIN_H
#define VHOST_USER_VU_CHAIN_H

#include "base/hot.h"
#include "vhost-user/vu_ring.h"

/* One load, whatever the guest does meanwhile. */
#define load_once(p) (*(const volatile __typeof__(*(p)) *)(p))

typedef uint64_t __attribute__((may_alias)) alias_u64;
typedef uint16_t __attribute__((may_alias, aligned(1))) alias_u16; /* a header may be anywhere */

static inline uint16_t load_idx(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint16_t *used_event(const struct vu_ring *r)
{
	return &r->avail->ring[r->size];
}

static inline uint16_t *avail_event(const struct vu_ring *r)
{
	return (uint16_t *)&r->used->ring[r->size];
}

/* Notes what the guest did wrong; the first fault stays. */
void vu_ring_fault_set(struct vu_ring *r, enum vu_ring_fault what, uint64_t a, uint64_t b);

static inline bool faulted(struct vu_ring *r)
{
	if (unlikely(atomic_load_explicit(&r->mem->lost, memory_order_relaxed)))
		vu_ring_fault_set(r, VU_FAULT_MEMORY_LOST, 0, 0);
	return unlikely(atomic_load_explicit(&r->fault, memory_order_relaxed));
}

static inline struct vring_desc desc_load(const struct vring_desc *d)
{
	uint64_t addr = load_once(&d->addr), rest = load_once((const alias_u64 *)&d->len);

	return (struct vring_desc){
		.addr = addr,
		.len = (uint32_t)rest,
		.flags = (uint16_t)(rest >> 32),
		.next = (uint16_t)(rest >> 48),
	};
}

/* Moved in as few instructions as the version's CPUs have: gcc makes memcpy() of 16 bytes each. */
typedef uint8_t bytes32 __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint8_t bytes64 __attribute__((vector_size(64), aligned(1), may_alias));

hot_inline void copy32(uint8_t *to, const uint8_t *from)
{
	*(bytes32 *)to = *(const bytes32 *)from;
}

hot_inline void copy64(uint8_t *to, const uint8_t *from)
{
#ifdef __AVX512F__
	*(bytes64 *)to = *(const bytes64 *)from;
#else
	copy32(to, from);
	copy32(to + 32, from + 32);
#endif
}

/* memcpy() of up to FRAME_HEAD + VLAN_TAG bytes. gcc makes `rep movsq` of a memcpy() whose bound it
 * can see, which takes longer to start than all of this. */
static inline void head_copy(uint8_t *to, const uint8_t *from, uint32_t n)
{
	if (likely(n >= 32)) {
		copy32(to, from);
		if (unlikely(n > 64))
			copy32(to + 32, from + 32);
		copy32(to + n - 32, from + n - 32);
	} else if (n >= 16) {
		memcpy(to, from, 16);
		memcpy(to + n - 16, from + n - 16, 16);
	} else {
		for (uint32_t i = 0; i < n; i++)
			to[i] = ((const volatile uint8_t *)from)[i];
	}
}

/* The pieces of one chain, gathered in somebody's array. */
struct gather {
	struct seg *segs;
	unsigned n, max;
	uint64_t bytes;
};

/*
 * Gathers the chain that begins with descriptor d (loaded already, number head), all of direction
 * flag (0 or VRING_DESC_WRITE). False after a fault, or when the array is too small (no fault).
 */
bool vu_gather_chain(struct vu_ring *r, uint16_t head, struct vring_desc d, uint16_t flag,
		     struct gather *g);

/* How many entries the guest has made available beyond last_avail. */
static inline unsigned n_available(struct vu_ring *r)
{
	uint16_t idx = load_idx(&r->avail->idx), n = (uint16_t)(idx - r->last_avail);

	if (unlikely(n > r->size)) {
		vu_ring_fault_set(r, VU_FAULT_AVAIL_JUMP, r->last_avail, idx);
		return 0;
	}
	return n;
}

/* Publishes last_used and calls the guest if it asked for that: virtio 1.1, 2.6.7. */
void vu_used_publish(struct vu_ring *r);

#endif
