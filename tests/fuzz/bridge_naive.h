/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Learning VLAN bridges with links between them, as simply as they can be written: whole frames, one at a
 * time, lists that are searched from the beginning.
 *
 * What     naive_receive() says what each port is given for one frame that came in, and whether it was
 *          forwarded. VLANs are tests/unit/vlan_oracle.h's, from the text of docs/vlans.md.
 */
#ifndef TESTS_FUZZ_BRIDGE_NAIVE_H
#define TESTS_FUZZ_BRIDGE_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/vlan.h"

#define NAIVE_PORTS   14
#define NAIVE_BRIDGES 3
#define NAIVE_MACS    4096
#define NAIVE_OUT     4096 /* frames a port, of one burst */
#define NAIVE_LEN     256  /* bytes of a frame, tags that are pushed included */

struct naive_port {
	unsigned bridge;
	struct vlan_policy vlan;
	bool up, isolated;
	size_t len_max;
	int peer; /* of a link: the port at its other end; -1: none */
	unsigned n_out;
	struct {
		size_t len;
		uint8_t bytes[NAIVE_LEN];
	} out[NAIVE_OUT];
};

struct naive_mac {
	unsigned bridge, vid, port;
	uint8_t mac[6];
	bool is_static;
	uint32_t seen_s;
};

struct naive {
	unsigned n_ports;
	struct naive_port ports[NAIVE_PORTS];
	uint16_t forward_reserved[NAIVE_BRIDGES];
	uint32_t now_s, ageing_s;
	unsigned n_macs;
	struct naive_mac macs[NAIVE_MACS];
};

/* True when it was forwarded: offered to at least one port. */
bool naive_receive(struct naive *n, unsigned port, const uint8_t *frame, size_t len);

void naive_static_add(struct naive *n, unsigned port, unsigned vid, const uint8_t mac[6]);
void naive_flush(struct naive *n, unsigned bridge); /* learned ones */

#endif
