/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hearing that somebody changes this host's nftables.
 *
 * What     Calls fn when rules were changed, by whomever, once for all changes of NAT_WATCH_MS.
 * How      The kernel tells each change on a netlink group; that there was one is all that is read.
 *          Nothing ticks.
 * Threads  control only.
 * Trust    the kernel.
 */
#ifndef TAP_NAT_WATCH_H
#define TAP_NAT_WATCH_H

#include "base/err.h"
#include "base/loop.h"

#define NAT_WATCH_MS 50 /* `nft -f` and its like change much at once */

struct nat_watch;

int nat_watch_start(struct loop *loop, loop_fn fn, void *arg, struct nat_watch **out,
		    struct err *err);
void nat_watch_stop(struct nat_watch *w); /* accepts NULL */

#endif
