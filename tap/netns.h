/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network namespaces by name, as `ip netns` keeps them in /run/netns.
 *
 * What     A descriptor of a namespace, and running a function inside it.
 * Threads  control only: setns(2) changes the calling thread alone, and nothing else runs on it until
 *          it is back. Not to come back is fatal: everything after would be done in the wrong place.
 * Trust    names come from clients: no path gets out of /run/netns.
 */
#ifndef TAP_NETNS_H
#define TAP_NETNS_H

#include "base/err.h"

#define NETNS_NAME_MAX 64 /* bytes with the end */

/* The namespace of that name, or (NULL) this process's own. The caller closes *fd. */
int netns_open(const char *name, int *fd, struct err *err);

/* Runs fn(arg) in the namespace; needs CAP_SYS_ADMIN unless it is the process's own. Returns what fn
 * does, or -errno with a sentence. */
int netns_run(int fd, int (*fn)(void *arg, struct err *err), void *arg, struct err *err);

#endif
