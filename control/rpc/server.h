/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON-RPC 2.0 server on a Unix stream socket, one JSON text a line each way.
 *
 * What     The daemon serves the switch with it, each VM's supervisor its VM.
 * How      Non-blocking over base/loop.h. A request that is whole is answered in the
 *          order of its connection, unless its handler defers the reply.
 * Threads  the loop's thread.
 * Trust    Clients are hostile: a request over 1 MiB, nesting over 64, bad UTF-8, or a
 *          client that lets 1 MiB of replies pile up is refused or cut off; connections
 *          beyond the limit are told so and closed; none can hold up the others.
 * Limits   256 clients; when all places are taken, one that never asked anything and is
 *          older than a second makes room. No reply over 256 KiB (handlers page their lists).
 */
#ifndef CONTROL_RPC_SERVER_H
#define CONTROL_RPC_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/loop.h"
#include "control/rpc/method.h"
#include "control/rpc/role.h"

/* JSON-RPC 2.0, section 5.1. */
#define RPC_PARSE_ERROR	     -32700
#define RPC_INVALID_REQUEST  -32600
#define RPC_METHOD_NOT_FOUND -32601
#define RPC_INVALID_PARAMS   -32602

#define RPC_REPLY_MAX_BYTES (256 * 1024)

/* What a handler returns when it will answer with rpc_reply() or rpc_fail() later. */
#define RPC_DEFERRED 1

struct rpc_server;
struct rpc_call; /* one request that waits for its answer */
struct rpc_conn; /* one client */

/*
 * Does the work of one method. params was checked against the row (never NULL: {} when
 * absent) and is the server's. Returns 0 with *result a new reference (NULL means {}), -errno with
 * *err filled, or RPC_DEFERRED.
 */
typedef int (*rpc_handler)(struct rpc_call *call, const json_t *params, json_t **result,
			   struct err *err);

struct rpc_method {
	const struct method *method;
	rpc_handler handler;
};

struct rpc_server_opts {
	int listen_fd;			  /* bound and listening; the server closes it */
	const struct rpc_method *methods; /* ends with .method == NULL; `rpc.list` is built in */
	void *ctx;			  /* rpc_ctx() gives it back to handlers */
	/* Called after a METHOD_MUTATES handler succeeded, before its reply; may be NULL. A
	 * failure (-errno with err) becomes the reply. */
	int (*after_change)(void *ctx, struct err *err);
	/* What a new client may do; asked once, before its first request. NULL: everything. */
	role_fn role;
	void *role_ctx;
};

/* On failure listen_fd is still the caller's. */
int rpc_server_create(struct loop *loop, const struct rpc_server_opts *opts,
		      struct rpc_server **out, struct err *err);

/* Accepts NULL. Cuts all connections, without their disconnect functions; deferred calls may still
 * be answered, to nobody. The socket's file stays: its owner removes it. */
void rpc_server_destroy(struct rpc_server *s);

/* Off: clients that come wait in the backlog, for whoever listens there next. */
void rpc_server_accept(struct rpc_server *s, bool on);

/* True when no client waits for anything that it has asked for: nothing to read, carry out or send. A stream
 * that is read late does not count. */
bool rpc_server_at_rest(struct rpc_server *s);

/* rpc_server_opts.ctx. */
void *rpc_ctx(const struct rpc_call *call);

/* Answer a deferred call, once; the call is gone afterwards. result is stolen. A client that has
 * hung up meanwhile is no error. */
void rpc_reply(struct rpc_call *call, json_t *result);
void rpc_fail(struct rpc_call *call, const struct err *err);

/* Asks to be told when this call's connection ends (for leases: a client that holds something as
 * long as it is connected). Up to four a connection, called in the order they were asked for; fn
 * runs in the loop. -ENOTCONN when it has ended already, -ENOSPC for a fifth. */
int rpc_on_disconnect(struct rpc_call *call, loop_fn fn, void *arg);

/* The arg that fn was asked for with on the call's connection, or NULL. */
void *rpc_has_disconnect(const struct rpc_call *call, loop_fn fn);

/* Who is at the other end of the call's connection, as the kernel saw it connect. -ENOTCONN when it has
 * ended. */
int rpc_peer(const struct rpc_call *call, struct ucred *out);

/* False for a notification: nobody hears what its handler has to say. */
bool rpc_has_answer(const struct rpc_call *call);

/* The call's connection, for as long as its disconnect functions have not run. */
struct rpc_conn *rpc_connection(const struct rpc_call *call);

/* True when the client of c has closed it, which may have been too lately for the loop to know: then it is
 * ended here, and its disconnect functions are called. c is not the connection of the call that is served. */
bool rpc_end_if_closed(struct rpc_conn *c);

/* ---- streams: a client that is told of things it has not asked for one by one ---- */

/* The call's connection, for rpc_notify() until its disconnect functions run. From now on the client
 * is not cut off for reading late, as it may be a person who looks away. NULL once it has gone. */
struct rpc_conn *rpc_stream(struct rpc_call *call);

#define RPC_NOTIFY_MAX_BYTES (256 * 1024)

/* Sends one line, a JSON-RPC notification. False, and nothing sent, when with it more than
 * RPC_NOTIFY_MAX_BYTES would wait for this client. May call disconnect functions. */
bool rpc_notify(struct rpc_conn *c, const char *line, size_t len);

/* Sends a copy of fd with the result of this call (SCM_RIGHTS, with its first byte). One a call, which its
 * handler answers at once. -errno. Where the result cannot be sent after all, the client hears that instead,
 * and the disconnect functions that the call has asked for are called. */
int rpc_give_fd(struct rpc_call *call, int fd);

#define RPC_BACKLOG 1024 /* clients that come while a handler works find a place */

/* Makes dir's parents, unlinks a dead socket, binds with mode 0600 and listens. Refuses a path
 * too long for sun_path in words, and one on which somebody still answers (-EADDRINUSE). */
int rpc_listen(const char *path, int *fd, struct err *err);

#endif
