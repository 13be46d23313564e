/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections: bytes in, lines out, and what a client may not do.
 *
 * How      One read and at most LINES_A_TURN requests, or TURN_NS of them, a round of the loop, so that a
 *          client that sends without end holds up nobody. Whole lines that wait are
 *          carried out from a timer of no delay.
 * Trust    Everything that comes is hostile. A client that lets OUT_MAX_BYTES pile up,
 *          or takes nothing for STALL_NS, is cut.
 */
#include "control/rpc/conn.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/fd_msg.h"
#include "base/log.h"

#define READ_BYTES    (64 * 1024)
#define LINES_A_TURN  16
#define TURN_NS	      (2 * MS_NS) /* others have theirs after that; one request may take longer */
#define CALLS_MAX     32 /* deferred calls of one client; more lines wait */
#define OUT_MAX_BYTES (1024 * 1024)
#define STALL_NS      (10 * S_NS) /* a reader that is alive takes something in this time */

static void on_event(void *arg, int fd, uint32_t events);

static void conn_free(struct rpc_conn *c)
{
	bool last = !c->server->n_conns;

	free(c->in);
	free(c->out);
	free(c);
	/* What a crowd of clients left in pieces goes back to the system with the last of them. */
	if (last)
		malloc_trim(0);
}

int conn_create(struct rpc_server *s, int fd, enum role role, uid_t uid)
{
	struct rpc_conn *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->server = s;
	c->fd = fd;
	c->role = role;
	c->uid = uid;
	c->out_fd = -1;
	c->events = EPOLLIN;
	c->born_ns = loop_now_ns();
	LIST_INIT(&c->calls);
	rc = loop_fd_add(s->loop, fd, c->events, on_event, c, &c->watch);
	if (rc < 0) {
		free(c);
		return rc;
	}
	LIST_INSERT_HEAD(&s->conns, c, link);
	s->n_conns++;
	return 0;
}

void conn_close(struct rpc_conn *c, bool told)
{
	struct rpc_call *call;

	if (c->dead)
		return;
	c->dead = true;
	loop_timer_del(c->again);
	loop_timer_del(c->stall);
	loop_fd_del(c->watch);
	discard_socket(c->server->bin, c->fd);
	if (c->out_fd >= 0)
		close(c->out_fd);
	LIST_REMOVE(c, link);
	c->server->n_conns--;
	while ((call = LIST_FIRST(&c->calls)))
		call_orphan(call, !told);
	for (unsigned i = 0; told && i < c->n_gone; i++)
		c->gone[i].fn(c->gone[i].arg);
	if (!c->busy)
		conn_free(c);
}

void conn_cut(struct rpc_conn *c, int code, const char *text)
{
	/* A client that has hung up meanwhile is closed by trying to tell it. */
	c->busy = true;
	call_refuse(c, code, text, NULL);
	conn_close(c, true);
	conn_free(c);
}

static void want(struct rpc_conn *c)
{
	uint32_t events = 0;

	if (!c->eof && !c->ending && c->in_len <= REQUEST_MAX_BYTES)
		events |= EPOLLIN;
	if (c->out_at < c->out_len)
		events |= EPOLLOUT;
	if (events != c->events && loop_fd_mod(c->watch, events) == 0)
		c->events = events;
}

static void on_stall(void *arg)
{
	struct rpc_conn *c = arg;

	if (c->out_len - c->out_at == c->stall_at_bytes) {
		LOG_INFO_RL("rpc: a client that does not read its replies was cut off");
		conn_close(c, true);
		return;
	}
	c->stall_at_bytes = c->out_len - c->out_at;
	loop_timer_add(c->server->loop, STALL_NS, on_stall, c, &c->stall);
}

/* One send of what waits: up to the byte that a descriptor goes with, or that byte and on. */
static ssize_t send_some(struct rpc_conn *c)
{
	union fd_msg_control control;
	struct iovec iov = {c->out + c->out_at, c->out_len - c->out_at};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (c->out_fd >= 0 && c->out_at < c->out_fd_at) {
		iov.iov_len = c->out_fd_at - c->out_at;
	} else if (c->out_fd >= 0) {
		fd_msg_attach(&msg, &control, &c->out_fd, 1);
	}
	n = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0 && msg.msg_control) {
		close(c->out_fd);
		c->out_fd = -1;
	}
	return n;
}

bool conn_give_fd(struct rpc_conn *c, int fd)
{
	if (c->dead || c->out_fd >= 0)
		return false;
	c->out_fd = fd;
	c->out_fd_at = c->out_len;
	return true;
}

/* Sends what the socket takes. False when the connection was closed. */
static bool flush(struct rpc_conn *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send_some(c);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			if (!c->stall && !c->streams) {
				c->stall_at_bytes = c->out_len - c->out_at;
				loop_timer_add(c->server->loop, STALL_NS, on_stall, c, &c->stall);
			}
			want(c);
			return true;
		}
		if (n < 0) {
			conn_close(c, true);
			return false;
		}
		c->out_at += (size_t)n;
	}
	c->out_at = c->out_len = 0;
	loop_timer_del(c->stall);
	want(c);
	return true;
}

void conn_send(struct rpc_conn *c, const char *line, size_t len)
{
	size_t waiting = c->out_len - c->out_at;

	if (c->dead)
		return;
	if (waiting + len + 1 > OUT_MAX_BYTES) {
		LOG_INFO_RL("rpc: a client that does not read its replies was cut off");
		conn_close(c, true);
		return;
	}
	if (c->out_len + len + 1 > c->out_size) {
		size_t size = waiting + len + 1 + 4096;
		char *out = malloc(size);

		if (!out) {
			conn_close(c, true);
			return;
		}
		if (waiting)
			memcpy(out, c->out + c->out_at, waiting);
		free(c->out);
		c->out = out;
		c->out_fd_at -= c->out_at;
		c->out_size = size;
		c->out_at = 0;
		c->out_len = waiting;
	}
	memcpy(c->out + c->out_len, line, len);
	c->out[c->out_len + len] = '\n';
	c->out_len += len + 1;
	flush(c);
}

bool rpc_notify(struct rpc_conn *c, const char *line, size_t len)
{
	if (c->dead || c->out_len - c->out_at + len + 1 > RPC_NOTIFY_MAX_BYTES)
		return false;
	conn_send(c, line, len);
	return true;
}

bool conn_at_rest(const struct rpc_conn *c)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};

	if (c->n_calls || c->in_len || (c->out_at < c->out_len && !c->streams))
		return false;
	return c->eof || poll(&pfd, 1, 0) <= 0;
}

bool rpc_end_if_closed(struct rpc_conn *c)
{
	struct pollfd pfd = {.fd = c->fd};

	/* POLLHUP: both ways; one that only sends no more still lives. */
	if (c->busy || poll(&pfd, 1, 0) < 0 || !(pfd.revents & (POLLHUP | POLLERR)))
		return false;
	conn_close(c, true);
	return true;
}

/* Where the first line ends, or NULL. */
static char *line_end(struct rpc_conn *c)
{
	char *end = memchr(c->in + c->in_seen, '\n', c->in_len - c->in_seen);

	if (!end)
		c->in_seen = c->in_len;
	return end;
}

static bool line_empty(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	return true;
}

static void on_again(void *arg);

static void end_in_words(struct rpc_conn *c, const char *text)
{
	c->ending = true;
	c->in_len = c->in_seen = 0;
	call_refuse(c, RPC_INVALID_REQUEST, text, NULL);
}

/* Carries out whole lines; moves what is left to the front once. */
static void lines_run(struct rpc_conn *c)
{
	uint64_t end_ns = loop_now_ns() + TURN_NS;
	bool over = false; /* the turn is */
	unsigned n = 0;
	size_t at = 0;

	while (!c->dead && !c->ending && !over && c->n_calls < CALLS_MAX) {
		char *end = c->in_len ? line_end(c) : NULL;
		size_t len = end ? (size_t)(end - c->in) - at : c->in_len - at;

		if (!end && (!c->eof || !len)) {
			if (len > REQUEST_MAX_BYTES)
				end_in_words(c, "the request is larger than 1 MiB");
			break;
		}
		if (len > REQUEST_MAX_BYTES) {
			end_in_words(c, "the request is larger than 1 MiB");
			break;
		}
		if (!line_empty(c->in + at, len)) {
			c->n_requests++;
			call_line(c, c->in + at, len);
			n++;
		}
		over = n == LINES_A_TURN || loop_now_ns() >= end_ns;
		at += len + (end ? 1 : 0);
		c->in_seen = at;
	}
	if (c->dead || !c->in_len)
		return;
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	c->in_seen = c->in_seen > at ? c->in_seen - at : 0;
	if (!c->in_len && c->in_size > READ_BYTES) {
		/* A large request is rare; 256 idle clients must not keep its room. */
		free(c->in);
		c->in = NULL;
		c->in_size = 0;
	}
	if (c->in_len && over && !c->again)
		loop_timer_add(c->server->loop, 0, on_again, c, &c->again);
}

/* Runs lines and closes when nothing more can come of this connection. */
static void turn(struct rpc_conn *c)
{
	if (!c->dead)
		lines_run(c);
	if (!c->dead && (c->eof || c->ending) && !c->n_calls && !c->in_len && !c->out_len)
		conn_close(c, true);
	if (!c->dead)
		want(c);
}

static void on_again(void *arg)
{
	struct rpc_conn *c = arg;

	c->busy = true;
	turn(c);
	c->busy = false;
	if (c->dead)
		conn_free(c);
}

void conn_resume(struct rpc_conn *c)
{
	/* From the loop, not from here: whoever answers a call has work of his own on the stack. */
	if (!c->dead && !c->again)
		loop_timer_add(c->server->loop, 0, on_again, c, &c->again);
}

/* No request has descriptors: those that come are thrown away. */
static void fds_discard(struct rpc_conn *c, struct msghdr *msg)
{
	int fds[FD_MSG_WIRE];
	unsigned n = fd_msg_detach(msg, fds, FD_MSG_WIRE);

	for (unsigned i = 0; i < n; i++)
		discard_fd(c->server->bin, fds[i]);
}

static bool room_make(struct rpc_conn *c)
{
	size_t size = c->in_size ? c->in_size * 2 : READ_BYTES / 4;
	char *in;

	if (c->in_len < c->in_size)
		return true;
	in = realloc(c->in, size);
	if (!in)
		return false;
	c->in = in;
	c->in_size = size;
	return true;
}

/* One read. False when the connection was closed. */
static bool fill(struct rpc_conn *c)
{
	/* Room for all descriptors that can come with a message. The kernel would close the others here and now, and
	 * to close a stranger's descriptor may take long (base/discard.h). */
	union fd_msg_control control;
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	ssize_t n;

	if (!room_make(c)) {
		conn_close(c, true);
		return false;
	}
	iov.iov_base = c->in + c->in_len;
	iov.iov_len = c->in_size - c->in_len;
	if (iov.iov_len > READ_BYTES)
		iov.iov_len = READ_BYTES;
	n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return true;
	if (n < 0) {
		conn_close(c, true);
		return false;
	}
	fds_discard(c, &msg);
	if (n == 0)
		c->eof = true;
	c->in_len += (size_t)n;
	return true;
}

static void on_event(void *arg, int fd, uint32_t events)
{
	struct rpc_conn *c = arg;

	c->busy = true;
	if ((events & EPOLLOUT) && !flush(c))
		goto out;
	/* What the client sent before it hung up still counts; its answers find nobody. */
	if ((events & EPOLLIN) && (c->events & EPOLLIN) && !fill(c))
		goto out;
	turn(c);
	if (!c->dead && (events & (EPOLLHUP | EPOLLERR)) && (c->eof || !(events & EPOLLIN)))
		conn_close(c, true);
out:
	c->busy = false;
	if (c->dead)
		conn_free(c);
}
