/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about the device as a whole: who owns it, features, how many queues, its MTU. See
 * vhost-user/vu_step.h.
 */
#include "vhost-user/vu_step.h"

#include "vhost-user/vu_offer.h"

/* Features that fix how rings are read, and which there are: they may not change while one is started. */
#define RING_FEATURES                                                                           \
	(VU_BIT(VIRTIO_NET_F_MQ) | VU_BIT(VIRTIO_NET_F_MRG_RXBUF) |                             \
	 VU_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VU_BIT(VIRTIO_RING_F_EVENT_IDX) |                \
	 VU_BIT(VIRTIO_F_VERSION_1) | VU_OFFLOADS)

#define MTU_MIN 68
#define MTU_MAX 65535

static bool any_started(const struct vu_dev *dev)
{
	for (unsigned i = 0; i < dev->n_rings; i++)
		if (dev->rings[i].phase == VU_RING_STARTED)
			return true;
	return false;
}

void vu_on_get_features(struct vu_step *s)
{
	vu_reply_u64(s, s->dev->features_offered);
}

void vu_on_set_features(struct vu_step *s)
{
	struct vu_dev *dev = s->dev;
	uint64_t f = s->msg->u.u64, unknown = f & ~dev->features_offered;

	if (unknown) {
		vu_refuse(s, "feature bits 0x%llx were not offered", (unsigned long long)unknown);
		return;
	}
	if (any_started(dev) && (f ^ dev->features) & RING_FEATURES) {
		vu_refuse(s, "the ring layout cannot change while a ring is started");
		return;
	}
	dev->features = f;
	dev->phase = VU_NEGOTIATED;
	vu_act(s, VU_ACT_FEATURES, 0, -1, 0);
}

void vu_on_set_owner(struct vu_step *s)
{
	if (s->dev->phase == VU_NEW)
		s->dev->phase = VU_OWNED;
}

void vu_on_reset_owner(struct vu_step *s)
{
	/* Deprecated; the specification asks back ends to disable all rings. */
	for (unsigned i = 0; i < s->dev->n_rings; i++) {
		if (s->dev->rings[i].phase == VU_RING_STARTED)
			vu_act(s, VU_ACT_RING_STOP, i, -1, 0);
		s->dev->rings[i].phase = VU_RING_STOPPED;
		s->dev->rings[i].enabled = false;
	}
	s->dev->phase = VU_NEW;
}

void vu_on_get_protocol_features(struct vu_step *s)
{
	vu_reply_u64(s, vu_offer_protocol());
}

void vu_on_set_protocol_features(struct vu_step *s)
{
	uint64_t f = s->msg->u.u64;

	if (f & ~vu_offer_protocol()) {
		vu_refuse(s, "protocol feature bits 0x%llx were not offered",
		       (unsigned long long)(f & ~vu_offer_protocol()));
		return;
	}
	s->dev->proto_features = f;
}

void vu_on_get_queue_num(struct vu_step *s)
{
	vu_reply_u64(s, s->dev->n_rings / 2);
}

void vu_on_net_set_mtu(struct vu_step *s)
{
	uint64_t mtu = s->msg->u.u64;

	if (mtu < MTU_MIN || mtu > MTU_MAX) {
		vu_refuse(s, "mtu %llu is outside %d-%d", (unsigned long long)mtu, MTU_MIN, MTU_MAX);
		return;
	}
	if (s->dev->mtu_max && mtu > s->dev->mtu_max) {
		vu_refuse(s, "mtu %llu is larger than the port's %u", (unsigned long long)mtu,
		       s->dev->mtu_max);
		return;
	}
	s->dev->mtu = (uint32_t)mtu;
	vu_act(s, VU_ACT_MTU, 0, -1, 0);
}
