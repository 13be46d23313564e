/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/log.h"
#include "control/rpc/conn.h"

#define CLIENTS_MAX    256
#define ACCEPTS_A_TURN 64
#define SILENT_NS      S_NS /* a client that wants something has asked by then */

/* Tells a client that was not taken why, without waiting for it. */
/* bin: as for discard_fd(). */
static void refuse(struct discard *bin, int fd, int code, const char *text, const char *hint)
{
	struct err err = ERR_NONE;
	size_t len;
	char *line;

	err_set(&err, code, "%s", text);
	err_hint(&err, "%s", hint);
	line = call_error_line(NULL, &err, &len);
	if (line) {
		line[len] = '\n'; /* in the place of the final zero */
		/* A client that does not take one line at once goes without it. */
		if (send(fd, line, len + 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			LOG_INFO_RL("rpc: a refused client could not be told why");
	}
	free(line);
	discard_socket(bin, fd);
}

/* Cuts the oldest client that never asked anything, else the oldest of those that may do least, if that is less
 * than who comes may: those who only look keep nobody out who has to act. False when there is none. */
static bool make_room(struct rpc_server *s, enum role role)
{
	struct rpc_conn *c, *silent = NULL, *lesser = NULL;
	uint64_t now_ns = loop_now_ns();

	LIST_FOREACH (c, &s->conns, link) {
		if (!c->n_requests && now_ns - c->born_ns > SILENT_NS)
			silent = c;
		if (c->role < role && (!lesser || c->role <= lesser->role))
			lesser = c;
	}
	if (!silent)
		silent = lesser;
	if (silent)
		conn_cut(silent, -EAGAIN, "cut off to make room for another client");
	return silent;
}

/* Out of descriptors: lets one client in for as long as it takes to refuse it, so that the
 * listening socket does not stay ready for ever. */
static void refuse_with_spare(struct rpc_server *s)
{
	int fd;

	close(s->spare_fd);
	fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		refuse(NULL, fd, -EAGAIN, "the server is out of file descriptors", "try again later");
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Takes a client that has connected, or tells it why not. */
static void admit(struct rpc_server *s, int fd)
{
	enum role role = ROLE_ADMIN;
	uid_t uid = 0;
	char text[80];

	if (s->role)
		role = role_of_peer(fd, s->role, s->role_ctx, &uid);
	if (role == ROLE_NONE) {
		snprintf(text, sizeof(text), "user %u has no role here", uid);
		refuse(s->bin, fd, -EACCES, text, "lanyard-switch has --view, --operate and --admin for that");
	} else if (s->n_conns >= CLIENTS_MAX && !make_room(s, role)) {
		LOG_WARN_RL("rpc: a client was refused, %d are connected", CLIENTS_MAX);
		refuse(s->bin, fd, -EAGAIN, "256 clients are connected already", "try again later");
	} else if (conn_create(s, fd, role, uid) < 0) {
		refuse(s->bin, fd, -EAGAIN, "out of memory", "try again later");
	}
}

static void on_accept(void *arg, int listen_fd, uint32_t events)
{
	struct rpc_server *s = arg;

	for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
			LOG_WARN_RL("rpc: out of file descriptors, a client was refused");
			refuse_with_spare(s);
			return;
		}
		if (fd < 0)
			return; /* EAGAIN, or a client that has gone already */
		admit(s, fd);
	}
}

int rpc_server_create(struct loop *loop, const struct rpc_server_opts *opts,
		      struct rpc_server **out, struct err *err)
{
	struct rpc_server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->loop = loop;
	s->listen_fd = opts->listen_fd;
	s->methods = opts->methods;
	s->ctx = opts->ctx;
	s->after_change = opts->after_change;
	s->role = opts->role;
	s->role_ctx = opts->role_ctx;
	LIST_INIT(&s->conns);
	s->bin = discard_create();
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	rc = loop_fd_add(loop, s->listen_fd, EPOLLIN, on_accept, s, &s->watch);
	if (rc < 0) {
		close(s->spare_fd);
		discard_destroy(s->bin);
		free(s);
		return err_set(err, rc, "cannot watch the control socket: %s", strerror(-rc));
	}
	*out = s;
	return 0;
}

void rpc_server_accept(struct rpc_server *s, bool on)
{
	loop_fd_mod(s->watch, on ? EPOLLIN : 0);
}

bool rpc_server_at_rest(struct rpc_server *s)
{
	const struct rpc_conn *c;

	LIST_FOREACH (c, &s->conns, link)
		if (!conn_at_rest(c))
			return false;
	return true;
}

void rpc_server_destroy(struct rpc_server *s)
{
	if (!s)
		return;
	while (!LIST_EMPTY(&s->conns))
		conn_close(LIST_FIRST(&s->conns), false);
	loop_fd_del(s->watch);
	close(s->listen_fd);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	discard_destroy(s->bin);
	free(s);
}
