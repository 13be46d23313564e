/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VLAN policy of a port: which VLAN a frame enters, and how it leaves. IEEE 802.1Q.
 *
 * What     access, trunk with an optional native VLAN, tunnel; docs/vlans.md has the rules.
 * Threads  values; any thread.
 */
#ifndef SWITCH_VLAN_H
#define SWITCH_VLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define VLAN_VID_MAX	4094 /* 0 is priority-tagged, 4095 reserved (802.1Q table 9-2) */
#define VLAN_TPID	0x8100
#define VLAN_TPID_STAG	0x88a8
#define VLAN_SET_WORDS	(4096 / 64)
#define VLAN_NO_NATIVE	0

enum vlan_mode { VLAN_ACCESS, VLAN_TRUNK, VLAN_TUNNEL };

struct vlan_policy {
	enum vlan_mode mode;
	uint16_t vid;	 /* access, tunnel: the VLAN */
	uint16_t native; /* trunk: untagged frames' VLAN, or VLAN_NO_NATIVE */
	uint64_t vids[VLAN_SET_WORDS]; /* trunk: VLANs that pass tagged, one bit each */
};

static inline bool vlan_set_has(const uint64_t *set, uint16_t vid)
{
	return set[vid / 64] >> (vid % 64) & 1;
}

static inline void vlan_set_add(uint64_t *set, uint16_t vid)
{
	set[vid / 64] |= 1ull << (vid % 64);
}

/* trunk 1-4094, native 1: what a port has when nothing is said. */
void vlan_policy_default(struct vlan_policy *p);

/* -EINVAL with a sentence about the VLAN that is out of range. */
int vlan_policy_check(const struct vlan_policy *p, struct err *err);

/* True when vlan's frames may leave by this port. */
static inline bool vlan_policy_carries(const struct vlan_policy *p, uint16_t vid)
{
	if (p->mode != VLAN_TRUNK)
		return p->vid == vid;
	return vid == p->native || vlan_set_has(p->vids, vid);
}

#endif
