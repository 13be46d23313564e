/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/policy.h"

#include <errno.h>
#include <string.h>

#include "switch/internal.h"

static const uint8_t no_mac[6];

static bool has_mac(const struct guard *g)
{
	return memcmp(g->mac, no_mac, sizeof(no_mac)) != 0;
}

static int guard_check(const struct guard *g, struct err *err)
{
	if (g->checks & ~GUARD_ALL || g->n_addresses > GUARD_ADDRESSES_MAX)
		return err_set(err, -EINVAL, "guard: more than there is");
	if (g->mac[0] & 1)
		return err_set(err, -EINVAL, "mac: a group address cannot be a NIC's");
	if (g->checks & (GUARD_MAC | GUARD_ARP) && !has_mac(g)) {
		err_set(err, -EINVAL, "guard %s needs the NIC's MAC address",
			g->checks & GUARD_MAC ? "mac" : "arp");
		err_hint(err, "like mac=02:00:00:00:00:01, or --mac 02:00:00:00:00:01 with port add");
		return -EINVAL;
	}
	if (g->checks & (GUARD_IP | GUARD_ARP) && !g->n_addresses) {
		err_set(err, -EINVAL, "guard %s needs the IP addresses that it may have",
			g->checks & GUARD_IP ? "ip" : "arp");
		err_hint(err, "like ip=10.0.0.1,fd00::1, or --ip 10.0.0.1 with port add");
		return -EINVAL;
	}
	return 0;
}

int port_policy_check(const struct port_policy *p, struct err *err)
{
	if (p->max_macs > BRIDGE_MACS_MAX)
		return err_set(err, -EINVAL, "max-macs %u is outside 1-%u", p->max_macs,
			       BRIDGE_MACS_MAX);
	if (p->storm > POLICY_STORM_MAX)
		return err_set(err, -EINVAL, "storm %u is outside 1-%u", p->storm,
			       POLICY_STORM_MAX);
	if (p->rate && (p->rate < POLICY_RATE_MIN || p->rate > POLICY_RATE_MAX))
		return err_set(err, -EINVAL, "rate: %llu bits/s are outside 8K-1000G",
			       (unsigned long long)p->rate);
	return guard_check(&p->guard, err);
}

static bool owns(const struct port *p, const uint8_t *mac)
{
	const struct guard *g = &p->kept->policy.guard;

	return g->checks & GUARD_MAC && !memcmp(g->mac, mac, sizeof(g->mac));
}

const struct port *port_policy_owner(const struct bridge *br, const uint8_t *mac, uint16_t vid)
{
	const struct port *p;

	TAILQ_FOREACH (p, &br->sw->ports, link)
		if (p->bridge == br && owns(p, mac) && vlan_policy_carries(&p->kept->vlan, vid))
			return p;
	return NULL;
}

/* Somebody else's by hand, in a VLAN that would be the owner's. */
static int static_check(const struct bridge *br, const char *name, const struct port *self,
			const struct vlan_policy *vlan, const uint8_t *mac, struct err *err)
{
	for (uint16_t vid = 1; vid <= VLAN_VID_MAX; vid++) {
		uint16_t id = vlan_policy_carries(vlan, vid)
				      ? fdb_static_port(br->fdb, fdb_key_of(mac, vid))
				      : FDB_NO_PORT;
		const struct port *p = id < SWITCH_PORTS_MAX ? br->sw->by_id[id] : NULL;

		if (!p || p == self)
			continue;
		err_set(err, -EEXIST,
			"port \"%s\": its address was entered by hand for port \"%s\" in vlan %u",
			name, p->name, vid);
		err_hint(err, "delete that entry first, with fdb del");
		return -EEXIST;
	}
	return 0;
}

static int owner_check(const struct bridge *br, const char *name, const struct port *self,
		       const struct vlan_policy *vlan, const uint8_t *mac, struct err *err)
{
	const struct port *p;

	TAILQ_FOREACH (p, &br->sw->ports, link) {
		if (p == self || p->bridge != br || !owns(p, mac))
			continue;
		err_set(err, -EEXIST,
			"port \"%s\": mac %02x:%02x:%02x:%02x:%02x:%02x is that of port \"%s\" on bridge "
			"\"%s\" already, which guards it",
			name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], p->name, br->name);
		err_hint(err, "give one of them another mac, or one of them guard off");
		return -EEXIST;
	}
	return static_check(br, name, self, vlan, mac, err);
}

int port_policy_link_check(const char *name, const struct port_policy *p, struct err *err)
{
	if (p->guard.checks & (GUARD_MAC | GUARD_IP | GUARD_ARP)) {
		err_set(err, -EINVAL,
			"port \"%s\": guard mac, ip and arp are for the port of one machine", name);
		err_hint(err, "a link can have guard dhcp,ra");
		return -EINVAL;
	}
	if (p->rate) {
		err_set(err, -EINVAL, "port \"%s\": a link has no ring on which frames could wait",
			name);
		err_hint(err, "limit the rate of the ports that send");
		return -EINVAL;
	}
	return 0;
}

int port_policy_allowed(const struct bridge *br, const char *name, const struct port *self,
			const struct vlan_policy *vlan, const struct port_policy *p,
			struct err *err)
{
	int rc = port_policy_check(p, err);

	if (rc < 0)
		err_prefix(err, "port \"%s\"", name);
	else if (p->guard.checks & GUARD_MAC)
		rc = owner_check(br, name, self, vlan, p->guard.mac, err);
	return rc;
}

void port_policy_settle(struct port *p)
{
	const struct guard *g = &p->kept->policy.guard;

	for (uint16_t vid = 1; g->checks & GUARD_MAC && vid <= VLAN_VID_MAX; vid++)
		if (vlan_policy_carries(&p->kept->vlan, vid))
			fdb_disown(p->bridge->fdb, fdb_key_of(g->mac, vid), p->id);
}

int port_policy_set(struct port *p, const struct port_policy *policy, struct err *err)
{
	struct port_policy old = p->kept->policy;
	int rc = port_policy_allowed(p->bridge, p->name, p, &p->kept->vlan, policy, err);

	if (rc == 0 && p->peer)
		rc = port_policy_link_check(p->name, policy, err);
	if (rc < 0)
		return rc;
	/* Another limit begins without the debts of this one. */
	if (old.storm != policy->storm)
		meter_reset(&p->storm);
	if (old.rate != policy->rate)
		meter_reset(&p->rate);
	p->kept->policy = *policy;
	if (p->peer)
		p->peer->kept->policy = *policy;
	if (switch_publish(p->sw) < 0) {
		p->kept->policy = old;
		if (p->peer)
			p->peer->kept->policy = old;
		return err_set(err, -ENOMEM, "port \"%s\": out of memory", p->name);
	}
	port_policy_settle(p);
	return 0;
}
