/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the process that forwards and the host helper say to each other (tap/host_ask.h, tap/host_server.h): one
 * question, one answer with the same seq; and words that nobody asked for, with seq 0.
 */
#ifndef TAP_HOST_MSG_H
#define TAP_HOST_MSG_H

#include <stdint.h>

#include "base/err.h"
#include "tap/link_change.h"
#include "tap/netns.h"

enum host_op {
	HOST_HELLO = 1,	 /* another process asks from now on */
	HOST_NETNS,	 /* name, or "" for the helper's own; a descriptor comes back */
	HOST_NETLINK,	 /* a namespace; two sockets come back */
	HOST_TUN,	 /* a namespace, name, n, exists; n queues come back */
	HOST_TUN_NETNS,	 /* a queue; its namespace comes back */
	HOST_LINK,	 /* a queue, link */
	HOST_NAT_START,	 /* a queue, slot, address, prefix, port */
	HOST_NAT_RENAME, /* a queue, slot */
	HOST_NAT_STOP,	 /* slot */
	HOST_SETTLE,
	HOST_XDP_OFF,	 /* a program; n: the interface's index */

	/* to the process that forwards */
	HOST_TELL = 13, /* slot; err.text is the note */
	HOST_GONE,	/* the helper has ended, and what it was asked is lost; from the keeper */

	HOST_XDP_KEEP, /* a program; n: the interface's index */
	HOST_OPS,      /* how many, and one more */
};

struct host_question {
	uint32_t op, seq;
	uint32_t slot, n, exists, address, prefix;
	char name[NETNS_NAME_MAX]; /* of a namespace or an interface */
	char port[64];
	struct link_change link;
};

struct host_answer {
	uint32_t op, seq;
	int32_t result;
	uint32_t slot;
	struct err err;
};

#endif
