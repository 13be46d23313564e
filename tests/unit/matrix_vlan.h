/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens to tags between a sender and receivers: the policies of their ports, the tags that a frame
 * is sent with, and those that it arrives with.
 */
#ifndef TESTS_UNIT_MATRIX_VLAN_H
#define TESTS_UNIT_MATRIX_VLAN_H

#include "switch/vlan.h"
#include "tests/unit/matrix_frames.h"

enum matrix_vlan {
	MATRIX_AS_IS,
	MATRIX_PUSH,	    /* access port to trunk */
	MATRIX_PUSH_TUNNEL, /* tunnel, with tags of its own inside, to trunk */
	MATRIX_POP,	    /* trunk to access port */
	MATRIX_N_VLANS
};
extern const char *const matrix_vlan_names[MATRIX_N_VLANS];

/* The VLANs that frames may be in. */
#define MATRIX_N_VIDS 3
extern const uint16_t matrix_vids[MATRIX_N_VLANS][MATRIX_N_VIDS];

void matrix_policies(enum matrix_vlan v, struct vlan_policy *sender, struct vlan_policy *receiver);

/* Random ones that this handling lets through. */
void matrix_tags(enum matrix_vlan v, struct matrix_tags *sent, struct matrix_tags *left);

#endif
