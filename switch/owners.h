/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: which addresses of a bridge are owned, and whether an address may be learned on a port.
 *
 * What     The address of a port with guard mac is that port's in all VLANs that it is in, whether it
 *          has sent yet or not, is up or not: no other port may send with it, and frames to it go there
 *          alone. And a port may have a limit of addresses.
 * How      An open-addressed hash per bridge in the view, asked only where the forwarding database has
 *          no answer: a source that is new on its port, a destination that is unknown.
 *          port_policy_settle() sees to it that the table names nobody else for an owned address.
 * Threads  built and freed with the view by control; read by workers.
 */
#ifndef SWITCH_OWNERS_H
#define SWITCH_OWNERS_H

#include "switch/fdb_hot.h"
#include "switch/view.h"

/* Slots that n addresses need: a power of two at load 0.5 or less. */
static inline uint32_t owners_slots(uint32_t n)
{
	uint32_t slots = 2;

	while (slots < 2 * n)
		slots *= 2;
	return slots;
}

/* While the view is built: slots of br are zero at first. */
static inline void owners_put(struct view_bridge *br, const uint8_t *mac, uint16_t port)
{
	uint8_t padded[8] = {0};
	uint64_t key, i;

	memcpy(padded, mac, 6);
	key = fdb_key(padded, 0);
	i = fdb_hash(key) & br->owners_mask;
	while (br->owners[i])
		i = (i + 1) & br->owners_mask;
	br->owners[i] = (key & 0xffffffffffffull) | (uint64_t)port << 48;
}

/* The port that owns the address of this key (fdb_key()) in its VLAN, or NULL. */
static inline struct view_port *owner_of(const struct view *v, const struct view_bridge *br,
					 uint64_t key)
{
	const uint64_t mac = key & 0xffffffffffffull;
	struct view_port *vp;
	uint64_t i, slot;

	if (!br->owners)
		return NULL;
	for (i = fdb_hash(mac | 1ull << 63);; i++) {
		slot = br->owners[i & br->owners_mask];
		if (!slot)
			return NULL;
		if ((slot & 0xffffffffffffull) == mac)
			break;
	}
	vp = v->by_id[slot >> 48];
	return vlan_policy_carries(&vp->vlan, key >> 48 & 0xfff) ? vp : NULL;
}

/* Whether an address that is new on this port must not be learned there: FRAME_NO_DROP, or why. */
static inline uint8_t learn_refused(const struct view *v, const struct view_port *in, uint64_t key)
{
	const struct view_port *owner = owner_of(v, in->bridge, key);

	if (owner && owner != in)
		return RX_MAC_OWNED;
	if (in->max_macs && fdb_n_of_port(in->bridge->fdb, in->id) >= in->max_macs)
		return RX_MAC_LIMIT;
	return FRAME_NO_DROP;
}

#endif
