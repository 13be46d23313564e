/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard-dhcp: runs the dnsmasq of each nat port, so that the host helper does without the rights that dnsmasq has.
 *
 * What     Questions with checked fields: a tap, shown by a descriptor, address and prefix. The interface's name is
 *          what the kernel says of the tap, and dnsmasq's arguments are made here (tap/dhcp_server.c), as are the
 *          decisions when to start it again. What there is to say of it is told.
 * How      The helper's child (servant.h), of dnsmasq's user from the start, with dnsmasq's three capabilities: so it
 *          needs no right to become somebody else, or to end somebody else's process. Its dnsmasqs end with it.
 * Threads  one each.
 * Trust    The helper may have been taken over: all that it says is checked. What it could gain is a dnsmasq on a tap
 *          of its own in this namespace, NAT_SERVICES_MAX of them. dnsmasq itself reads what guests send: what
 *          neither it nor this process needs is forbidden to both (forbidden.c).
 */
#ifndef CONTROL_HOST_DHCP_H
#define CONTROL_HOST_DHCP_H

#include "base/err.h"
#include "base/loop.h"

/* From now on nat services ask it. */
int dhcp_start(struct err *err);
/* lost is called, with the loop, when it has ended. -errno. */
int dhcp_watch(struct loop *loop, loop_fn lost);

#endif
