/* SPDX-License-Identifier: BSD-3-Clause */
#include <stddef.h>

#include "switch/switch.h"

/* virtio 1.1, sections 5.1.3 (network device) and 6 (reserved bits), and vhost-user's bit 30. */
static const char *const names[64] = {
	[0] = "CSUM",	       [1] = "GUEST_CSUM",	[2] = "CTRL_GUEST_OFFLOADS",
	[3] = "MTU",	       [5] = "MAC",		[7] = "GUEST_TSO4",
	[8] = "GUEST_TSO6",    [9] = "GUEST_ECN",	[10] = "GUEST_UFO",
	[11] = "HOST_TSO4",    [12] = "HOST_TSO6",	[13] = "HOST_ECN",
	[14] = "HOST_UFO",     [15] = "MRG_RXBUF",	[16] = "STATUS",
	[17] = "CTRL_VQ",      [18] = "CTRL_RX",	[19] = "CTRL_VLAN",
	[20] = "CTRL_RX_EXTRA", [21] = "GUEST_ANNOUNCE", [22] = "MQ",
	[23] = "CTRL_MAC_ADDR", [24] = "NOTIFY_ON_EMPTY", [27] = "ANY_LAYOUT",
	[28] = "INDIRECT_DESC", [29] = "EVENT_IDX",	[30] = "PROTOCOL_FEATURES",
	[32] = "VERSION_1",    [33] = "ACCESS_PLATFORM", [34] = "RING_PACKED",
	[35] = "IN_ORDER",
};

const char *virtio_feature_name(unsigned bit)
{
	return bit < 64 ? names[bit] : NULL;
}
