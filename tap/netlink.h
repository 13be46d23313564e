/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interfaces of the host over netlink: looking, and hearing of changes (tap/link_change.h makes them).
 *
 * What     One struct netlink a network namespace, shared by all that are interested in it.
 * How      Two sockets, made inside the namespace (tap/host.h), which need no right from there on: one for
 *          requests, which the kernel answers before they return, and one that the control loop
 *          reads RTNLGRP_LINK from. When the kernel had more to say than the socket holds,
 *          every watcher is told to look for itself.
 * Threads  control only.
 * Trust    the kernel.
 */
#ifndef TAP_NETLINK_H
#define TAP_NETLINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/loop.h"

struct netlink;

/* An interface as it is or, in a watcher, was. */
struct netlink_link {
	unsigned index;
	char name[IFNAMSIZ];
	char kind[16]; /* "tun", "veth" …; "" for a device; not in what watchers get */
	uint32_t mtu;
	bool up;      /* by its administrator: IFF_UP */
	bool carrier; /* IFF_LOWER_UP */
	bool gone;
};

/* ns_fd: tap/netns.h; NULL-safe and counted: as many puts as gets. */
int netlink_get(struct loop *loop, int ns_fd, struct netlink **out, struct err *err);
void netlink_put(struct netlink *nl);

/* By name, or by index when name is NULL. -ENODEV without a sentence when there is none. */
int netlink_find(struct netlink *nl, const char *name, unsigned index, struct netlink_link *out,
		 struct err *err);

/* "10.0.0.1/24" or IPv6. */
int netlink_address_check(const char *address, struct err *err);

/* Whether an address or a route of the namespace lies in the IPv4 network or around it (the default
 * route does not count). -errno. */
int netlink_network_used(struct netlink *nl, uint32_t network, unsigned prefix, bool *used,
			 struct err *err);

/* fn is called for every change of any interface; NULL: some were missed, look for yourself. */
struct netlink_watcher {
	void (*fn)(void *arg, const struct netlink_link *link);
	void *arg;
	TAILQ_ENTRY(netlink_watcher) entry; /* private */
};
void netlink_watch(struct netlink *nl, struct netlink_watcher *w);
void netlink_unwatch(struct netlink *nl, struct netlink_watcher *w);

#endif
