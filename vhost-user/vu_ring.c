/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Control's part of the rings: start, stop, and faults in words. See vhost-user/vu_ring.h.
 */
#include "vhost-user/vu_ring.h"

#include <errno.h>
#include <stdio.h>

static uint8_t offloads_of(uint64_t features, unsigned csum, unsigned tso4, unsigned tso6, unsigned ecn)
{
	return (features >> csum & 1 ? OFFLOAD_CSUM : 0) | (features >> tso4 & 1 ? OFFLOAD_TSO4 : 0) |
	       (features >> tso6 & 1 ? OFFLOAD_TSO6 : 0) | (features >> ecn & 1 ? OFFLOAD_ECN : 0);
}

int vu_ring_start(struct vu_ring *r, const struct vu_ring_state *state, uint64_t features,
		  const struct vu_mem *mem, struct err *err)
{
	uint64_t n = state->num;
	bool v1 = features & VU_BIT(VIRTIO_F_VERSION_1);

	r->mergeable = features & VU_BIT(VIRTIO_NET_F_MRG_RXBUF);
	r->indirect = features & VU_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	r->event_idx = features & VU_BIT(VIRTIO_RING_F_EVENT_IDX);
	r->offloads_sent = offloads_of(features, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4,
				       VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_HOST_ECN);
	r->offloads_taken = offloads_of(features, VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4,
					VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN);
	r->hdr_len = v1 || r->mergeable ? VNET_HDR : VNET_HDR_LEGACY;
	r->mem = mem;
	r->size = state->num;
	r->desc = vu_mem_uva(mem, state->addr.desc, n * sizeof(struct vring_desc));
	r->avail = vu_mem_uva(mem, state->addr.avail, sizeof(struct vring_avail) + n * 2 + 2);
	r->used = vu_mem_uva(mem, state->addr.used,
			     sizeof(struct vring_used) + n * sizeof(struct vring_used_elem) + 2);
	if (!r->desc || !r->avail || !r->used)
		return err_set(err, -EINVAL, "a part of a ring of %u entries is outside guest memory",
			       state->num);
	/* A region's mapping need not be aligned as its addresses are. */
	if ((uintptr_t)r->desc % 16 || (uintptr_t)r->avail % 2 || (uintptr_t)r->used % 4)
		return err_set(err, -EINVAL, "a ring's parts are not aligned in the shared memory");
	/* No entry is held over a burst: what is not used yet has not been taken either. */
	r->last_used = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
	r->last_avail = r->last_used;
	r->published_valid = false;
	r->n_taken = 0;
	r->n_most = 0;
	r->fault_told = false;
	atomic_store(&r->fault, VU_FAULT_NONE);
	vu_ring_disarm(r);
	r->running = true;
	return 0;
}

void vu_ring_stop(struct vu_ring *r)
{
	r->running = false;
}

void vu_ring_fault_text(const struct vu_ring *r, char *text, size_t size)
{
	unsigned long long a = r->fault_a, b = r->fault_b;

	switch ((enum vu_ring_fault)atomic_load_explicit(&r->fault, memory_order_acquire)) {
	case VU_FAULT_NONE:
		snprintf(text, size, "no fault");
		break;
	case VU_FAULT_AVAIL_JUMP:
		snprintf(text, size, "its available index went from %llu to %llu, more than the ring's %u entries",
			 a, b, r->size);
		break;
	case VU_FAULT_HEAD_RANGE:
		snprintf(text, size, "its available ring names descriptor %llu; there are %u", a, r->size);
		break;
	case VU_FAULT_NEXT_RANGE:
		snprintf(text, size, "a chain goes on at descriptor %llu, beyond its table", a);
		break;
	case VU_FAULT_CHAIN_LONG:
		snprintf(text, size, "the chain at descriptor %llu is longer than its table or %d, or loops",
			 a, CHAIN_MAX);
		break;
	case VU_FAULT_ADDRESS:
		snprintf(text, size, "guest address 0x%llx, %llu bytes, is outside guest memory", a, b);
		break;
	case VU_FAULT_DIRECTION:
		snprintf(text, size, "the chain at descriptor %llu mixes buffers to read with buffers to write", a);
		break;
	case VU_FAULT_INDIRECT:
		snprintf(text, size, "the indirect table of descriptor %llu has %llu bytes, or a chain goes on behind it",
			 a, b);
		break;
	case VU_FAULT_INDIRECT_NESTED:
		snprintf(text, size, "the indirect table of descriptor %llu holds another one", a);
		break;
	case VU_FAULT_INDIRECT_FEATURE:
		snprintf(text, size, "descriptor %llu is indirect, which was not negotiated", a);
		break;
	case VU_FAULT_INDIRECT_PLACE:
		snprintf(text, size, "an indirect descriptor at guest address 0x%llx is not aligned to 8 bytes, "
			 "or lies in two regions", a);
		break;
	case VU_FAULT_HEADER_SHORT:
		snprintf(text, size, "the chain at descriptor %llu has %llu bytes, less than the %u of a virtio-net header",
			 a, b, r->hdr_len);
		break;
	case VU_FAULT_CHAIN_EMPTY:
		snprintf(text, size, "the receive buffer at descriptor %llu has no bytes", a);
		break;
	case VU_FAULT_MEMORY_LOST:
		snprintf(text, size, "its front end truncated the guest's memory, or the host has no page for it");
		break;
	}
}
