/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request for offloads as it comes from a guest: a good one to begin with, in which a test changes one thing.
 */
#ifndef TESTS_UNIT_OFFLOAD_ASK_H
#define TESTS_UNIT_OFFLOAD_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switch/frame.h"
#include "switch/packets.h"
#include "tests/unit/packet_oracle.h"

#define ASK_ALL	      (OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_ECN)
#define ASK_GSO_SIZE  100
#define ASK_N_PAYLOAD 1000

/* A request as it comes from a guest. */
struct ask {
	struct fields f;
	struct vnet_hdr hdr;
	uint32_t allowed;
	uint32_t len; /* of the frame that is built; 0: all of it */
	struct layout at;
	uint8_t frame[4096];
	struct offload o;
};

extern const uint8_t ask_payload[ASK_N_PAYLOAD];

/* Builds the frame from f, again after a change of it; csum_start is found where it is 0. */
void ask_build(struct ask *a);

/* Good ones, in memory that the next of these two uses again: a checksum of TCP or UDP (proto), … */
struct ask *ask_csum(uint8_t proto);

/* … and TCP segments over IPv4 or IPv6 behind n_tags tags. */
struct ask *ask_tso(bool v6, unsigned n_tags);

/* What offload_accept() says: FRAME_NO_DROP, or an enum rx_drop. */
uint8_t ask_verdict(struct ask *a);

/* It is taken, with these offloads … */
void ask_assert_good(struct ask *a, uint32_t bits);

/* … or refused as RX_BAD_OFFLOAD, and nothing is left in a->o. */
void ask_assert_bad(struct ask *a);

#endif
