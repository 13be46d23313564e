/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard-opener: opens what has to be opened inside a network namespace, and nothing else, so that the host helper does
 * without CAP_SYS_ADMIN, of which the kernel has no smaller part for setns(2).
 *
 * What     One question: a namespace, shown by a descriptor, and which of two things (tap/netns.h). The answer
 *          is its descriptor.
 * How      The helper's child (servant.h). It executes nothing, and can open no file but /dev/net/tun. Where that came
 *          later it says so and ends, so that all of them are started anew. It ends with the helper, however that ends.
 * Threads  one.
 * Trust    The helper may have been taken over: what it shows is checked to be a network namespace. What it could
 *          gain are these two things in any namespace of which it has a descriptor: those that have a name.
 *          Its user is the helper's, which may end it, and by fewer capabilities do no more to it.
 */
#ifndef CONTROL_HOST_OPENER_H
#define CONTROL_HOST_OPENER_H

#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"

/* uid: whose it becomes; 0: whose it is. From now on netns_inside() asks it. */
int opener_start(uid_t uid, struct err *err);
/* lost is called, with the loop, when it has ended. -errno. */
int opener_watch(struct loop *loop, loop_fn lost);

#endif
