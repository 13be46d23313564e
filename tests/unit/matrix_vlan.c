/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/matrix_vlan.h"

#include "tests/unit/dice.h"

#define VID 10

const char *const matrix_vlan_names[MATRIX_N_VLANS] = {"as is", "push", "push on a tunnel", "pop"};

const uint16_t matrix_vids[MATRIX_N_VLANS][MATRIX_N_VIDS] = {
	{1, 20, 21}, {VID, VID, VID}, {VID, VID, VID}, {VID, VID, VID}};

void matrix_policies(enum matrix_vlan v, struct vlan_policy *sender, struct vlan_policy *receiver)
{
	struct vlan_policy trunk = {.mode = VLAN_TRUNK};
	const struct vlan_policy access = {.mode = VLAN_ACCESS, .vid = VID};

	vlan_set_add(trunk.vids, VID);
	*sender = v == MATRIX_POP ? trunk : access;
	*receiver = v == MATRIX_POP ? access : trunk;
	if (v == MATRIX_PUSH_TUNNEL)
		sender->mode = VLAN_TUNNEL;
	if (v == MATRIX_AS_IS) {
		vlan_policy_default(sender);
		vlan_policy_default(receiver);
	}
}

static void add(struct matrix_tags *t, unsigned tpid, unsigned tci)
{
	t->tags[t->n][0] = (uint16_t)tpid;
	t->tags[t->n++][1] = (uint16_t)tci;
}

static unsigned priority(void)
{
	return dice_in(0, 15) << 12;
}

static unsigned any_tpid(void)
{
	return dice_once_in(2) ? VLAN_TPID : VLAN_TPID_STAG;
}

void matrix_tags(enum matrix_vlan v, struct matrix_tags *sent, struct matrix_tags *left)
{
	const unsigned pcp = priority(), inner = priority() | dice_in(0, 4095);

	sent->n = left->n = 0;
	switch (v) {
	case MATRIX_AS_IS:
		if (dice_once_in(2))
			add(sent, VLAN_TPID, pcp | dice_in(20, 21));
		if (sent->n && dice_once_in(2))
			add(sent, any_tpid(), inner);
		*left = *sent;
		if (!sent->n && dice_once_in(3))
			add(sent, VLAN_TPID, pcp); /* a priority alone goes */
		return;
	case MATRIX_PUSH:
		if (dice_once_in(3))
			add(sent, VLAN_TPID, pcp); /* a priority stays */
		add(left, VLAN_TPID, VID | (sent->n ? pcp : 0));
		if (dice_once_in(3)) {
			add(sent, VLAN_TPID_STAG, inner);
			add(left, VLAN_TPID_STAG, inner);
		}
		return;
	case MATRIX_PUSH_TUNNEL:
		add(left, VLAN_TPID, VID);
		for (unsigned n = dice_in(0, 2); n; n--) {
			unsigned tpid = any_tpid();

			add(sent, tpid, inner);
			add(left, tpid, inner);
		}
		return;
	default:
		add(sent, VLAN_TPID, VID | pcp);
		if (dice_once_in(2)) {
			unsigned tpid = any_tpid();

			add(sent, tpid, inner);
			add(left, tpid, inner);
		}
	}
}
