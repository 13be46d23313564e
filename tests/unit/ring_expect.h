/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a receive ring must hold after deliveries: packets put into chains one after the other, each
 * into as many buffers as it takes.
 *
 * How      Before anything is written. Cutting and summing is switch/packets.h's, over flat bytes: it has
 *          an oracle of its own (tests/unit/packet_oracle.h).
 */
#ifndef TESTS_UNIT_RING_EXPECT_H
#define TESTS_UNIT_RING_EXPECT_H

#include "switch/frame.h"
#include "tests/unit/ring_naive.h"

#define EXPECT_CHAINS  256 /* the largest ring that is tried */
#define EXPECT_PACKETS EXPECT_CHAINS

struct expect_packet {
	uint32_t len;	   /* with header */
	unsigned first, n; /* its chains */
	uint8_t bytes[VNET_HDR + FRAME_MAX + VLAN_TAG];
};

struct ring_expect {
	unsigned settled, n_done;
	uint64_t bytes, drops[N_TX_DROPS];
	enum vu_ring_fault fault;
	bool bad_head; /* an entry that the burst may look at names none */
	bool overlap;  /* of buffers with each other, or with the ring: what follows is undefined */
	unsigned n_used;
	uint16_t heads[EXPECT_CHAINS];
	uint32_t lens[EXPECT_CHAINS];
	unsigned n_chains; /* of all available entries, up to the first fault */
	struct naive_chain chains[EXPECT_CHAINS];
	unsigned n_packets;
	struct expect_packet packets[EXPECT_PACKETS];
};

void ring_expect_tx(struct ring_expect *e, const struct vu_ring *r, const struct frame *frames,
		    const struct delivery *d, unsigned n);

#endif
