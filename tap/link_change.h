/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of the interface behind a tap's descriptor.
 *
 * What     Whoever has a queue of a tap may have its interface changed, and no other: the descriptor says which
 *          one it is, and in which namespace. So nothing has to be remembered of who made what.
 * How      A socket made inside the namespace for each change (tap/netns.h).
 * Threads  control only.
 * Rights   CAP_NET_ADMIN, and CAP_SYS_ADMIN in another namespace.
 * Trust    The descriptor may be anything: what is no tap is refused before it is touched.
 */
#ifndef TAP_LINK_CHANGE_H
#define TAP_LINK_CHANGE_H

#include <stdint.h>

#include "base/err.h"

#define LINK_ADDRESS_MAX 64

enum link_what {
	LINK_UP = 1,
	LINK_DOWN,
	LINK_MTU,
	LINK_MAC,
	LINK_ADDRESS_ADD, /* refused, with its name, where another interface of the namespace has it */
	LINK_ADDRESS_DEL,
	LINK_ANNOUNCE, /* neighbours hear of its addresses when it comes up; without that they ask in time */
	LINK_DELETE,
	LINK_DOOM,  /* it goes with the next sweep: of many, at a thirtieth of the time */
	LINK_SWEEP, /* deletes all of its namespace that are doomed */
};

struct link_change {
	uint32_t what; /* enum link_what */
	uint32_t mtu;
	uint8_t mac[6];
	char address[LINK_ADDRESS_MAX]; /* "10.0.0.1/24" or IPv6 */
};

/* 0; 1 where it had the address already; -errno with a sentence. */
int link_change(int tun_fd, const struct link_change *c, struct err *err);

#endif
