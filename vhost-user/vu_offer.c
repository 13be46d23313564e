/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-user/vu_offer.h"

#include "vhost-user/vu_proto.h"

uint64_t vu_offer(unsigned n_pairs)
{
	uint64_t features = VU_BIT(VIRTIO_F_VERSION_1) | VU_BIT(VIRTIO_NET_F_MRG_RXBUF) |
			    VU_BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | VU_BIT(VIRTIO_NET_F_CTRL_VQ) |
			    VU_BIT(VIRTIO_NET_F_CTRL_RX) | VU_BIT(VIRTIO_NET_F_MTU) |
			    VU_BIT(VIRTIO_F_ANY_LAYOUT) | VU_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			    VU_BIT(VIRTIO_RING_F_EVENT_IDX) | VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES) |
			    VU_OFFLOADS;

	if (n_pairs > 1)
		features |= VU_BIT(VIRTIO_NET_F_MQ);
	return features;
}

uint64_t vu_offer_protocol(void)
{
	return VU_BIT(VU_PROTO_MQ) | VU_BIT(VU_PROTO_REPLY_ACK) | VU_BIT(VU_PROTO_NET_MTU) |
	       VU_BIT(VU_PROTO_CONFIGURE_MEM_SLOTS);
}
