/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network namespaces by name, as `ip netns` keeps them in /run/netns.
 *
 * What     A descriptor of a namespace, and what has to be opened inside it: the only thing that whoever works on
 *          other namespaces ever does there, and all that needs CAP_SYS_ADMIN. What comes of it is worked with
 *          from outside.
 * How      In this process, or by another one that has the right (netns_inside_by()).
 * Threads  control only: setns(2) changes the calling thread alone, and nothing else runs on it until
 *          it is back. Not to come back is fatal: everything after would be done in the wrong place.
 * Trust    names come from clients: no path gets out of /run/netns.
 */
#ifndef TAP_NETNS_H
#define TAP_NETNS_H

#include <stdbool.h>

#include "base/err.h"

#define NETNS_NAME_MAX 64 /* bytes with the end */

/* The namespace of that name, or (NULL) this process's own. The caller closes *fd. */
int netns_open(const char *name, int *fd, struct err *err);

enum netns_thing {
	NETNS_ROUTE = 1, /* a socket of NETLINK_ROUTE, not bound */
	NETNS_TUN,	 /* /dev/net/tun: taps of that namespace, whoever uses it */
	NETNS_THINGS,	 /* how many, and one more */
};

/* A thing opened inside the namespace: a descriptor that is the caller's, or -errno with a sentence. Needs CAP_SYS_ADMIN
 * unless the namespace is the process's own. */
int netns_inside(int ns_fd, enum netns_thing thing, struct err *err);

/* From now on netns_inside() asks this function; NULL: it does so itself. */
typedef int (*netns_inside_fn)(int ns_fd, enum netns_thing thing, struct err *err);
void netns_inside_by(netns_inside_fn fn);

/* Whether it is a descriptor of a network namespace: setns(2) would also take a process's pidfd. */
bool netns_is_one(int fd);
/* Whether both are of the same file: of the same namespace, say. */
bool netns_same(int a, int b);

#endif
