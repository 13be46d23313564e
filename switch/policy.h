/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a port lets in beside its VLANs: guards against a guest that claims to be somebody else, and
 * limits of what it may take of the others.
 *
 * What     A guard compares the senders that a frame names with what its port is said to have;
 *          docs/guards.md has the rules. An address that is guarded (GUARD_MAC) is owned: no other port
 *          of the bridge, in the owner's VLANs, may send with it or have it learned.
 * How      Plain values: they lie in the arena, and the view has copies.
 * Threads  values; port_policy_set() and port_policy_settle(): control.
 */
#ifndef SWITCH_POLICY_H
#define SWITCH_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "switch/vlan.h"

#define GUARD_MAC	    0x01u
#define GUARD_IP	    0x02u
#define GUARD_ARP	    0x04u
#define GUARD_DHCP	    0x08u
#define GUARD_RA	    0x10u
#define GUARD_ALL	    0x1fu
#define GUARD_ADDRESSES_MAX 16

struct guard {
	uint8_t checks; /* GUARD_*; 0: off */
	uint8_t n_addresses;
	uint8_t mac[6];				    /* 0: not given */
	uint8_t addresses[GUARD_ADDRESSES_MAX][16]; /* IPv4 as ::ffff:a.b.c.d */
};

#define POLICY_STORM_MAX 100000000u /* frames a second */
#define POLICY_RATE_MIN	 8000ull    /* bits a second: a frame of 1,514 bytes takes 1.5 s */
#define POLICY_RATE_MAX	 1000000000000ull

struct port_policy {
	struct guard guard;
	bool isolated;	   /* exchanges no frames with other isolated ports of its bridge */
	uint32_t max_macs; /* 0: as many as the bridge holds */
	uint32_t storm;	   /* flooded frames a second; 0: any number */
	uint64_t rate;	   /* bits a second that it may send; 0: any number */
};

struct port;
struct switch_;
struct bridge;

/* -EINVAL with a sentence about what contradicts itself or is out of range. */
int port_policy_check(const struct port_policy *p, struct err *err);

/* Whether a port `name` (self; NULL: not made yet) of this bridge may have it in these VLANs. -EEXIST,
 * -EINVAL with a sentence that names who is in the way. */
int port_policy_allowed(const struct bridge *br, const char *name, const struct port *self,
			const struct vlan_policy *vlan, const struct port_policy *p,
			struct err *err);

/* Whether a link may: it is not the port of one machine, and has no ring. */
int port_policy_link_check(const char *name, const struct port_policy *p, struct err *err);

/* The port of this bridge that owns mac (6 bytes) in VLAN vid, or NULL. */
const struct port *port_policy_owner(const struct bridge *br, const uint8_t *mac, uint16_t vid);

/* After a view with p's policy is out: forgets its address where it was learned on other ports. */
void port_policy_settle(struct port *p);

/* Both ends of a link. */
int port_policy_set(struct port *p, const struct port_policy *policy, struct err *err);

#endif
