/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What others do to a tap's interface: moved, renamed, set down, deleted, made again.
 *
 * How      An event says that it is time to look; what counts is how the interface is then. It is known by its
 *          descriptor, which goes with it to other namespaces and names.
 * Threads  control only.
 */
#ifndef TAP_TAP_FOLLOW_H
#define TAP_TAP_FOLLOW_H

#include "tap/tap.h"

/* Looks how the interface is now; forgets one that is no more. */
void tap_look(struct tap *t);

/* One that was taken over, by its descriptor: in the meantime it may have got another name or namespace. */
void tap_find_again(struct tap *t);

/* There is none any more: the next one is where the settings say, under the name that they give. -errno. */
int tap_go_home(struct tap *t, struct err *err);

/* There is one again. */
void tap_made_again(struct tap *t);

/* The port has the interface's MTU. */
void tap_mtu_see(struct tap *t);

/* A netlink_watcher's function; arg: the tap. */
void tap_link_changed(void *arg, const struct netlink_link *link);

/* ---- tap.c's part ---- */

/* Brings what runs and what is said in line with what there is. -errno, and the port is errored. */
int tap_reconcile(struct tap *t, struct err *err);
void tap_queues_stop(struct tap *t);

#endif
