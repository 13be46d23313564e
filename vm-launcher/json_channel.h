/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON texts, one a line, both ways over a socket: what QMP and the guest agent have in common.
 *
 * How      Non-blocking over base/loop.h. The channel may be destroyed from its own callbacks.
 * Threads  the loop's thread.
 * Trust    The other side is hostile: lines are bounded, a peer that does not read is cut off when
 *          1 MiB waits for it, and one read a round keeps it from holding the loop.
 */
#ifndef VM_LAUNCHER_JSON_CHANNEL_H
#define VM_LAUNCHER_JSON_CHANNEL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/loop.h"

struct json_channel;

struct json_channel_opts {
	size_t line_max_bytes;
	/* Lines that are no JSON object are ignored, and those too long left out; else both end the
	 * channel. */
	bool skip_bad;
	void (*message)(void *arg, json_t *msg);   /* borrowed; always an object */
	void (*too_long)(void *arg);		   /* a line was left out; only with skip_bad */
	void (*ended)(void *arg, const char *why); /* once; nothing is called after it */
	void *arg;
};

/* fd becomes the channel's. 0 or -errno; the fd is closed on failure too. */
int json_channel_create(struct loop *loop, int fd, const struct json_channel_opts *opts,
			struct json_channel **out);
void json_channel_destroy(struct json_channel *c); /* accepts NULL */

/* prefix: bytes before the text (the agent's 0xff), may be NULL. msg is stolen. */
int json_channel_send(struct json_channel *c, const char *prefix, json_t *msg);

#endif
