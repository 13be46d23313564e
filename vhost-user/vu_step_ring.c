/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about one ring: its size, place and position, its event descriptors, started and stopped. See
 * vhost-user/vu_step.h.
 *
 * Trust    Neither size nor position of a ring changes while it is started. Addresses are checked for their
 *          alignment here, and for being in memory when the caller looks them up.
 */
#include "vhost-user/vu_step.h"

#include <stddef.h>

#define QUEUE_MASK 0xffu    /* payload of SET_VRING_KICK, CALL, ERR: ring number */
#define NOFD_BIT   (1u << 8) /* … and: no descriptor comes with it */

/* The ring that a message is about, or NULL after a violation. */
static struct vu_ring_state *ring_of(struct vu_step *s, uint64_t index)
{
	if (index >= s->dev->n_rings) {
		vu_violate(s, "ring %llu of a device with rings 0-%u", (unsigned long long)index,
			s->dev->n_rings - 1);
		return NULL;
	}
	return &s->dev->rings[index];
}

void vu_on_set_vring_num(struct vu_step *s)
{
	struct vu_ring_state *r = ring_of(s, s->msg->u.state.index);
	uint32_t num = s->msg->u.state.num;

	if (!r)
		return;
	if (num < 1 || num > VU_RING_MAX || num & (num - 1)) {
		vu_refuse(s, "a ring of %u entries; a power of two up to %d is needed", num, VU_RING_MAX);
		return;
	}
	if (r->phase == VU_RING_STARTED) {
		vu_refuse(s, "ring %u is started; its size cannot change", s->msg->u.state.index);
		return;
	}
	r->num = (uint16_t)num;
}

void vu_on_set_vring_addr(struct vu_step *s)
{
	const struct vu_vring_addr *a = &s->msg->u.addr;
	struct vu_ring_state *r = ring_of(s, a->index);

	if (!r)
		return;
	/* virtio 1.1, 2.6: alignment of the three parts of a split ring. */
	if (!a->desc || !a->avail || !a->used || a->desc % 16 || a->avail % 2 || a->used % 4) {
		vu_refuse(s, "ring %u: a part of the ring is at 0 or not aligned to 16, 2 and 4 bytes",
		       a->index);
		return;
	}
	r->addr = *a;
	r->has_addr = true;
	if (vu_ring_runs(s->dev, a->index)) {
		vu_act(s, VU_ACT_RING_STOP, a->index, -1, 0);
		vu_act(s, VU_ACT_RING_START, a->index, -1, 0);
	}
}

void vu_on_set_vring_base(struct vu_step *s)
{
	struct vu_ring_state *r = ring_of(s, s->msg->u.state.index);
	uint32_t num = s->msg->u.state.num;

	if (!r)
		return;
	if (num > UINT16_MAX) {
		vu_refuse(s, "ring %u: position %u is beyond 65535", s->msg->u.state.index, num);
		return;
	}
	if (r->phase == VU_RING_STARTED) {
		vu_refuse(s, "ring %u is started; its position cannot change", s->msg->u.state.index);
		return;
	}
	r->base = (uint16_t)num;
}

void vu_on_get_vring_base(struct vu_step *s)
{
	uint32_t i = s->msg->u.state.index;
	struct vu_ring_state *r = ring_of(s, i);
	struct vu_msg *reply = &s->out->reply;

	if (!r)
		return;
	r->phase = VU_RING_STOPPED;
	vu_act(s, VU_ACT_RING_STOP, i, -1, 0);
	vu_act(s, VU_ACT_RING_BASE, i, -1, 0);
	reply->request = s->msg->request;
	reply->flags = VU_VERSION | VU_REPLY;
	reply->size = sizeof(reply->u.state);
	reply->u.state.index = i;
	reply->u.state.num = r->base;
	s->out->has_reply = true;
}

/* The ring of a message that brings an event descriptor; *fd is 0, or -1 when it says there is none. */
static struct vu_ring_state *event_ring(struct vu_step *s, int *fd)
{
	uint64_t u = s->msg->u.u64;
	struct vu_ring_state *r = ring_of(s, u & QUEUE_MASK);

	if (!r)
		return NULL;
	if (u & NOFD_BIT ? s->n_fds != 0 : s->n_fds != 1) {
		vu_violate(s, "ring %u: %u descriptors came with a message that announces %s",
			(unsigned)(u & QUEUE_MASK), s->n_fds, u & NOFD_BIT ? "none" : "one");
		return NULL;
	}
	if (s->n_fds && s->fds[0].kind != VU_FD_EVENT) {
		vu_refuse(s, "ring %u: the descriptor is no eventfd", (unsigned)(u & QUEUE_MASK));
		return NULL;
	}
	*fd = s->n_fds ? 0 : -1;
	return r;
}

void vu_on_set_vring_kick(struct vu_step *s)
{
	unsigned i = s->msg->u.u64 & QUEUE_MASK;
	int fd;
	struct vu_ring_state *r = event_ring(s, &fd);

	if (!r)
		return;
	if (s->dev->phase != VU_NEGOTIATED || !r->num || !r->has_addr) {
		vu_refuse(s, "ring %u cannot start before its features, size and addresses are set", i);
		return;
	}
	if (vu_ring_runs(s->dev, i))
		vu_act(s, VU_ACT_RING_STOP, i, -1, 0);
	vu_act(s, VU_ACT_RING_KICK, i, fd, 0);
	r->phase = VU_RING_STARTED;
	if (!(s->dev->features & VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
		r->enabled = true;
	if (vu_ring_runs(s->dev, i))
		vu_act(s, VU_ACT_RING_START, i, -1, 0);
}

/* Call and error descriptors change under a running ring: QEMU changes the one for calls whenever a
 * guest masks an interrupt, and no frame must be lost for that. */
static void event_swap(struct vu_step *s, enum vu_action_type type)
{
	unsigned i = s->msg->u.u64 & QUEUE_MASK;
	int fd;

	if (event_ring(s, &fd))
		vu_act(s, type, i, fd, 0);
}

void vu_on_set_vring_call(struct vu_step *s)
{
	event_swap(s, VU_ACT_RING_CALL);
}

void vu_on_set_vring_err(struct vu_step *s)
{
	event_swap(s, VU_ACT_RING_ERR);
}

void vu_on_set_vring_enable(struct vu_step *s)
{
	uint32_t i = s->msg->u.state.index, on = s->msg->u.state.num;
	struct vu_ring_state *r = ring_of(s, i);
	bool ran;

	if (!r)
		return;
	if (on > 1) {
		vu_refuse(s, "ring %u: %u is neither 0 (disable) nor 1 (enable)", i, on);
		return;
	}
	ran = vu_ring_runs(s->dev, i);
	r->enabled = on;
	if (vu_ring_runs(s->dev, i) != ran)
		vu_act(s, on ? VU_ACT_RING_START : VU_ACT_RING_STOP, i, -1, 0);
}
