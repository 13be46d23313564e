/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of the JSON-RPC server: connections and calls. For server.c, conn.c and
 * call.c only.
 *
 * How      conn.c moves bytes and cuts them into lines, call.c turns a line into a
 *          handler's work and its answer into a line, server.c accepts.
 *          A connection that must go is closed at once and freed when nothing of its
 *          own is on the stack (busy).
 */
#ifndef CONTROL_RPC_CONN_H
#define CONTROL_RPC_CONN_H

#include <stdbool.h>
#include <sys/queue.h>

#include "control/rpc/server.h"

#define REQUEST_MAX_BYTES (1024 * 1024)
#define GONE_MAX	  4

struct rpc_server {
	struct loop *loop;
	struct loop_fd *watch;
	int listen_fd;
	struct discard *bin; /* for descriptors of clients; see base/discard.h */
	int spare_fd; /* given up for a moment to refuse a client when descriptors run out */
	const struct rpc_method *methods;
	void *ctx;
	int (*after_change)(void *ctx, struct err *err);
	role_fn role;
	void *role_ctx;
	unsigned n_conns;
	LIST_HEAD(, rpc_conn) conns; /* youngest first */
};

struct rpc_conn {
	LIST_ENTRY(rpc_conn) link;
	struct rpc_server *server;
	struct loop_fd *watch;
	int fd;
	enum role role;
	uid_t uid; /* the client's */
	uint32_t events; /* what the watch waits for */
	uint64_t born_ns, n_requests;
	char *in;
	size_t in_len, in_size;
	size_t in_seen; /* bytes known to hold no end of line */
	char *out;
	size_t out_len, out_size, out_at;
	int out_fd; /* goes with the byte at out[out_fd_at]; -1: none */
	size_t out_fd_at;
	unsigned n_calls;
	LIST_HEAD(, rpc_call) calls; /* deferred ones */
	struct loop_timer *again;    /* whole lines wait for their turn */
	struct loop_timer *stall;    /* the client does not read */
	size_t stall_at_bytes;
	struct {
		loop_fn fn;
		void *arg;
	} gone[GONE_MAX]; /* whom to tell of the end */
	unsigned n_gone;
	bool busy, dead;
	bool streams; /* is told of things, and may take its time to read them */
	bool eof;    /* the client sends no more */
	bool ending; /* close when all that is owed was sent */
};

struct rpc_call {
	LIST_ENTRY(rpc_call) link;
	struct rpc_conn *conn;	   /* NULL once the client has hung up */
	struct rpc_server *server; /* NULL once the server is gone */
	const struct rpc_method *method;
	void *ctx;
	json_t *id; /* NULL: a notification, never answered */
	int given_fd;	   /* goes with the answer; -1: none */
	unsigned n_gone_was; /* of the connection, before the call */
};

/* uid: whose connection it is, for sentences. */
int conn_create(struct rpc_server *s, int fd, enum role role, uid_t uid);
/* Cuts the connection; told: whether its disconnect function is called. */
void conn_close(struct rpc_conn *c, bool told);
/* Says why, without waiting for it, and cuts the connection, on whose behalf nothing is being done. */
void conn_cut(struct rpc_conn *c, int code, const char *text);
/* Queues one line and its end, and sends what the socket takes. */
void conn_send(struct rpc_conn *c, const char *line, size_t len);
/* Gives fd, which is the connection's from now on, with the next line. False, and fd still the caller's,
 * while another waits to be sent. */
bool conn_give_fd(struct rpc_conn *c, int fd);
/* Nothing of it is to be read, carried out or sent. */
bool conn_at_rest(const struct rpc_conn *c);
/* Goes on with lines that had to wait, from the loop. */
void conn_resume(struct rpc_conn *c);

/* Carries out the request in line. */
void call_line(struct rpc_conn *c, const char *line, size_t len);
/* Answers without a request: id null. */
void call_refuse(struct rpc_conn *c, int code, const char *text, const char *hint);
/* The client of this deferred call has gone. */
void call_orphan(struct rpc_call *call, bool server_gone);

/* One error line, allocated; id may be NULL (null). */
char *call_error_line(const json_t *id, const struct err *err, size_t *len);

#endif
