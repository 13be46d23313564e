/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON-RPC 2.0 client: blocking calls with a deadline, for the CLI and the launcher.
 *
 * Threads  one thread a client.
 */
#ifndef CONTROL_RPC_CLIENT_H
#define CONTROL_RPC_CLIENT_H

#include <jansson.h>

#include "base/err.h"

struct rpc_client;

/* Connects within timeout_ms. -ENOENT or -ECONNREFUSED: nobody serves the path. */
int rpc_connect(const char *path, int timeout_ms, struct rpc_client **out, struct err *err);
void rpc_close(struct rpc_client *c); /* accepts NULL */

/* From now on a call whose connection turns out to have ended before the request was read is made over a new one, where
 * the lease is held anew, if the last one held one: the switch goes on in another process now and then. */
void rpc_reconnects(struct rpc_client *c);

/* Deadline of each following call; default 30 s, -1: none. */
void rpc_timeout_set(struct rpc_client *c, int timeout_ms);

/*
 * Calls method; params is stolen and may be NULL. 0 with *result a new reference (result may be
 * NULL), or the server's code (-errno, or a JSON-RPC code) with its message and hint in err;
 * -ETIMEDOUT, -EPIPE when the connection is lost, -ECONNRESET when it was before the request was read: nothing of
 * it was done. Pages of a METHOD_PAGED method are
 * not stitched here: see rpc_call_all().
 */
int rpc_call(struct rpc_client *c, const char *method, json_t *params, json_t **result,
	     struct err *err);

/* Calls a paged method until its last page; *items is one array with all items. */
int rpc_call_all(struct rpc_client *c, const char *method, json_t *params, json_t **items,
		 struct err *err);

/* The descriptor that came last with an answer, the caller's from now on; -1: none. */
int rpc_client_take_fd(struct rpc_client *c);

/* Sends a notification: nothing comes back, not even when the server refuses it. */
int rpc_tell(struct rpc_client *c, const char *method, json_t *params, struct err *err);

/*
 * The params of the next notification of a stream, a new reference; waits for it up to timeout_ms
 * (-1: for ever, 0: not at all). -ETIMEDOUT when none came. Those that come while rpc_call() waits
 * for its answer are kept for this. Whoever waits with poll(2) calls this until -ETIMEDOUT first.
 */
int rpc_event_next(struct rpc_client *c, int timeout_ms, json_t **event, struct err *err);

/* The socket, to wait for its end (a lease) or for events. */
int rpc_client_fd(const struct rpc_client *c);

#endif
