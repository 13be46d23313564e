/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of a port and the reasons for which a frame is dropped, one name each.
 *
 * What     At rest, for every port:
 *          rx_frames = rx_forwarded + sum(rx_drops), and copies offered to the port =
 *          tx_frames + sum(tx_drops). rx is what came from the port, tx what was
 *          delivered to it; bytes are without virtio header and FCS, with tags as they
 *          were on that port.
 * Threads  one block a port and worker or helper thread, written by that thread alone; control sums
 *          them.
 */
#ifndef SWITCH_COUNTERS_H
#define SWITCH_COUNTERS_H

#include <stdint.h>

/* X(enumerator, name, explanation and advice) */
#define RX_DROPS(X)                                                                            \
	X(RX_TOO_SHORT, "too_short",                                                           \
	  "shorter than an Ethernet header with the tags it names; the sender is broken")      \
	X(RX_TOO_LONG, "too_long",                                                             \
	  "longer than the port's MTU or the switch allows, as merged packets can be; "         \
	  "raise the port's mtu, lower the sender's, or `ethtool -K PEER gro off lro off`")     \
	X(RX_BAD_OFFLOAD, "bad_offload",                                                       \
	  "asks for an offload that was not negotiated; the sender's driver is broken")        \
	X(RX_SRC_INVALID, "src_invalid",                                                       \
	  "the source address is a group address or zero, which nobody can own")               \
	X(RX_RESERVED_ADDRESS, "reserved_address",                                             \
	  "sent to 01:80:c2:00:00:0x, which bridges keep; see `lanyard bridge set BR forward-reserved=`") \
	X(RX_VLAN_TAGGED_ON_ACCESS, "vlan_tagged_on_access",                                   \
	  "tagged, but the port is an access port; send untagged or make it a trunk")          \
	X(RX_VLAN_NOT_ALLOWED, "vlan_not_allowed",                                             \
	  "the tag's VLAN is not on this trunk; add it to the port's VLANs")                   \
	X(RX_VLAN_NO_NATIVE, "vlan_no_native",                                                 \
	  "untagged, but the trunk has no native VLAN; set one or send tagged")                \
	X(RX_VLAN_RESERVED, "vlan_reserved", "tagged with VID 4095, which 802.1Q reserves")    \
	X(RX_GUARD_MAC, "guard_mac",                                                           \
	  "its source is not the NIC's address; undo that in the guest, or `port set P guard=off` for " \
	  "a guest that bridges or has addresses of its own (launched ones: --nic BR,guard=off)") \
	X(RX_GUARD_IP, "guard_ip",                                                             \
	  "its IP source is none of the port's addresses; `port set P ip=` gives it more")     \
	X(RX_GUARD_ARP, "guard_arp",                                                           \
	  "claims an IP address for a MAC where one of them is not the port's; "               \
	  "`port set P ip=` gives it more")                                                    \
	X(RX_GUARD_DHCP, "guard_dhcp",                                                         \
	  "sent by a DHCP server, and the port's guard lets none in; `port set P guard=` without dhcp") \
	X(RX_GUARD_RA, "guard_ra",                                                             \
	  "an IPv6 router's advertisement or redirect, or headers that could hide one; "       \
	  "`port set P guard=` without ra for a router")                                       \
	X(RX_MAC_OWNED, "mac_owned",                                                           \
	  "its source is the address of another port of the bridge that has guard mac; "       \
	  "two machines with one address?")                                                    \
	X(RX_MAC_LIMIT, "mac_limit",                                                           \
	  "its source would be one address more than the port's max-macs")                     \
	X(RX_ISOLATED, "isolated",                                                             \
	  "sent from an isolated port to isolated ports alone, which exchange nothing")        \
	X(RX_STORM, "storm",                                                                   \
	  "more frames to be flooded than the port's storm allows; a loop, or raise it with `port set P storm=`") \
	X(RX_SAME_PORT, "same_port", "its destination is on the port it came from")            \
	X(RX_NO_PORT, "no_port",                                                              \
	  "sent to all, and no other port of its VLAN is up; nothing to do for what a guest sends as it starts") \
	X(RX_COPY_LIMIT, "copy_limit",                                                         \
	  "bridges linked together made more copies of it than the bound; look for a loop")     \
	X(RX_BAD_CSUM, "rx_bad_csum",                                                          \
	  "its checksum is wrong or was left to hardware that is not there; "                  \
	  "`ethtool -K PEER tx off` on the interface at the other end")                        \
	X(RX_MISSED, "rx_missed",                                                              \
	  "the device had it, but no room until the switch took it; more queues and workers, or less load") \
	X(RX_NOT_UP, "not_up",                                                                 \
	  "the port was stopped before the switch came to it")

#define TX_DROPS(X)                                                                            \
	X(TX_RING_FULL, "rx_ring_full",                                                        \
	  "no receive buffer or queue was free; nothing to do for the few of a guest that starts, else the guest " \
	  "or host is slower than what is sent to it") \
	X(TX_NOT_UP, "not_up", "the port was not up when a frame for it came")                 \
	X(TX_TOO_LONG, "too_long",                                                             \
	  "longer than the port's MTU, or cut into more packets than its queue ever holds; "   \
	  "make the MTUs of one bridge equal, and the sender's segments no tiny ones")         \
	X(TX_BUFFER_TOO_SMALL, "buffer_too_small",                                             \
	  "longer than the guest's receive buffer, and the guest does not merge buffers")      \
	X(TX_HOST_REFUSED, "host_refused",                                                     \
	  "the host's interface or socket did not take it; is it up? see `port show`")         \
	X(TX_LINK_LOOP, "link_loop",                                                           \
	  "went through more than 8 linked bridges; look for a loop of links")                 \
	X(TX_COPY_LIMIT, "copy_limit",                                                         \
	  "the flood ended here: linked bridges had made all copies that one frame may have")

enum rx_drop {
#define X(e, name, text) e,
	RX_DROPS(X)
#undef X
	N_RX_DROPS
};

enum tx_drop {
#define X(e, name, text) e,
	TX_DROPS(X)
#undef X
	N_TX_DROPS
};

extern const char *const rx_drop_names[N_RX_DROPS];
extern const char *const rx_drop_texts[N_RX_DROPS];
extern const char *const tx_drop_names[N_TX_DROPS];
extern const char *const tx_drop_texts[N_TX_DROPS];

struct port_counters {
	uint64_t rx_frames, rx_bytes, rx_forwarded;
	uint64_t tx_frames, tx_bytes;
	uint64_t rx_drops[N_RX_DROPS];
	uint64_t tx_drops[N_TX_DROPS];
} __attribute__((aligned(64)));

#endif
