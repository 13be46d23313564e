/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection to a front end: whole messages in, replies out, nothing blocks.
 *
 * How      vu_conn_read() collects header, payload and descriptors as they come and says when a
 *          message is whole. Replies that the socket does not take at once wait here.
 * Threads  control only.
 * Trust    The peer is hostile: more descriptors than VU_MSG_FDS, truncated control data and
 *          sizes beyond VU_PAYLOAD_MAX are violations; every descriptor that was received is
 *          closed by vu_conn_next() or vu_conn_close() unless it was taken, by a thread where there is a
 *          bin: closing somebody else's descriptor can take for ever (base/discard.h).
 * Limits   VU_OUT_MAX bytes of replies may wait; more: the peer does not read, a violation.
 */
#ifndef VHOST_USER_VU_CONN_H
#define VHOST_USER_VU_CONN_H

#include <stddef.h>

#include "base/err.h"
#include "vhost-user/vu_proto.h"

#define VU_OUT_MAX 1024

struct vu_conn {
	int fd; /* -1: no connection */
	struct discard *bin; /* for what is closed; may be NULL. vu_conn_open() leaves it */
	struct vu_msg msg;
	uint32_t n_got; /* bytes of header and payload */
	int fds[VU_MSG_FDS];
	unsigned n_fds;
	uint8_t out[VU_OUT_MAX];
	size_t n_out;
};

/* fd becomes the connection's; it must be non-blocking. */
void vu_conn_open(struct vu_conn *c, int fd);
void vu_conn_close(struct vu_conn *c);

/* 1: c->msg and c->fds hold a whole message; 0: not yet; -ECONNRESET: the peer has gone; -EPROTO with
 * a sentence: a violation. */
int vu_conn_read(struct vu_conn *c, struct err *err);

/* True between the first byte of a message and its last. */
bool vu_conn_midway(const struct vu_conn *c);

/* Ends the handling of a message: closes the descriptors that vu_conn_fd_take() left. */
void vu_conn_next(struct vu_conn *c);

/* Descriptor i of the message, now the caller's. */
int vu_conn_fd_take(struct vu_conn *c, unsigned i);

/* Sends a reply or queues it. -ECONNRESET; -EPROTO when too much is queued. */
int vu_conn_reply(struct vu_conn *c, const struct vu_msg *reply, struct err *err);

/* Sends what waits. 1: something still waits (poll for writing), 0: all sent, or -ECONNRESET. */
int vu_conn_flush(struct vu_conn *c);

#endif
