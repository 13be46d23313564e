/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "base/loop.h"

#define TIMEOUT_MS     30000
#define LINE_MAX_BYTES (1024 * 1024) /* four times what the server sends at most */
#define PAGES_MAX      100000 /* a server whose cursor never ends must not hold us */
#define EVENTS_MAX     4096
#define OTHERS_MAX     64 /* lines between two events */
#define DUMP_FLAGS     (JSON_COMPACT | JSON_REAL_PRECISION(15))

struct rpc_client {
	int fd, timeout_ms;
	int got_fd; /* came with an answer; -1: none */
	json_int_t last_id;
	char *in;
	size_t in_len, in_size;
	struct sockaddr_un addr;
	bool reconnects;
	json_t *lease;	/* the params of the one that is held, or NULL */
	json_t *events; /* params of notifications that came while an answer was awaited */
};

static uint64_t deadline_in(int timeout_ms)
{
	return timeout_ms < 0 ? 0 : loop_now_ns() + (uint64_t)timeout_ms * MS_NS;
}

/* Milliseconds left until deadline_ns; -1 when there is none (0). */
static int left_ms(uint64_t deadline_ns)
{
	uint64_t now_ns = loop_now_ns();

	if (!deadline_ns)
		return -1;
	return now_ns >= deadline_ns ? 0 : (int)((deadline_ns - now_ns + MS_NS - 1) / MS_NS);
}

/* Waits for events on fd. 0, -ETIMEDOUT or another -errno. */
static int await(int fd, short events, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		int n = poll(&p, 1, left_ms(deadline_ns));

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ETIMEDOUT;
	}
}

static int connect_until(int fd, const struct sockaddr_un *addr, uint64_t deadline_ns)
{
	/* A Unix socket connects at once or not at all; EAGAIN is a server with a full backlog. */
	while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		struct timespec pause = {.tv_nsec = 5 * (long)MS_NS};

		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		if (left_ms(deadline_ns) == 0)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int rpc_connect(const char *path, int timeout_ms, struct rpc_client **out, struct err *err)
{
	uint64_t deadline_ns = deadline_in(timeout_ms);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct rpc_client *c;
	int rc;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, -ENAMETOOLONG, "the socket path \"%.60s…\" is too long", path);
	memcpy(addr.sun_path, path, strlen(path));
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, -ENOMEM, "out of memory");
	c->timeout_ms = TIMEOUT_MS;
	c->got_fd = -1;
	c->addr = addr;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = c->fd < 0 ? -errno : connect_until(c->fd, &addr, deadline_ns);
	if (rc < 0) {
		if (rc == -ENOENT || rc == -ECONNREFUSED)
			err_set(err, rc, "nobody serves \"%s\"", path);
		else
			err_set(err, rc, "cannot connect to \"%s\": %s", path, strerror(-rc));
		if (rc == -EACCES)
			err_hint(err, "run as root, or as a member of the group that owns it");
		rpc_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

void rpc_close(struct rpc_client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	if (c->got_fd >= 0)
		close(c->got_fd);
	json_decref(c->lease);
	json_decref(c->events);
	free(c->in);
	free(c);
}

void rpc_timeout_set(struct rpc_client *c, int timeout_ms)
{
	c->timeout_ms = timeout_ms;
}

int rpc_client_fd(const struct rpc_client *c)
{
	return c->fd;
}

static int lost(struct err *err)
{
	return err_set(err, -EPIPE, "the connection was lost");
}

static int send_all(struct rpc_client *c, const char *text, size_t len, uint64_t deadline_ns)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = send(c->fd, text + at, len - at, MSG_NOSIGNAL);
		int rc;

		if (n >= 0) {
			at += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		rc = await(c->fd, POLLOUT, deadline_ns);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* recv(2) into the free part of the input, with the descriptor that may come. */
static ssize_t receive(struct rpc_client *c)
{
	union fd_msg_control control;
	struct iovec iov = {c->in + c->in_len, c->in_size - c->in_len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	ssize_t n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);
	int fds[FD_MSG_WIRE];
	unsigned n_fds = n > 0 ? fd_msg_detach(&msg, fds, FD_MSG_WIRE) : 0;

	if (n_fds) {
		fd_msg_close(&c->got_fd, 1);
		c->got_fd = fds[--n_fds];
		fd_msg_close(fds, n_fds);
	}
	return n;
}

int rpc_client_take_fd(struct rpc_client *c)
{
	int fd = c->got_fd;

	c->got_fd = -1;
	return fd;
}

/* Takes one line off the input; *line is allocated. */
static int read_line(struct rpc_client *c, char **line, size_t *line_len, uint64_t deadline_ns,
		     struct err *err)
{
	for (;;) {
		char *end = c->in_len ? memchr(c->in, '\n', c->in_len) : NULL;
		ssize_t n;
		int rc;

		if (end) {
			size_t len = (size_t)(end - c->in);

			*line = strndup(c->in, len);
			*line_len = len;
			memmove(c->in, end + 1, c->in_len - len - 1);
			c->in_len -= len + 1;
			return *line ? 0 : err_set(err, -ENOMEM, "out of memory");
		}
		if (c->in_len >= LINE_MAX_BYTES)
			return err_set(err, -EMSGSIZE, "the answer is larger than 1 MiB");
		if (c->in_len == c->in_size) {
			size_t size = c->in_size ? c->in_size * 2 : 16384;
			char *in = realloc(c->in, size);

			if (!in)
				return err_set(err, -ENOMEM, "out of memory");
			c->in = in;
			c->in_size = size;
		}
		n = receive(c);
		if (n > 0) {
			c->in_len += (size_t)n;
			continue;
		}
		/* The kernel says this of a server that ended before it had read all that we sent. */
		if (n < 0 && errno == ECONNRESET)
			return err_set(err, -ECONNRESET, "the switch ended before it read the request");
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return lost(err);
		rc = await(c->fd, POLLIN, deadline_ns);
		if (rc == -ETIMEDOUT)
			return err_set(err, rc, "no answer came in time");
		if (rc < 0)
			return lost(err);
	}
}

static int error_out(const json_t *error, struct err *err)
{
	const char *text = json_string_value(json_object_get(error, "message"));
	const char *hint =
		json_string_value(json_object_get(json_object_get(error, "data"), "hint"));
	int code = (int)json_integer_value(json_object_get(error, "code"));

	err_set(err, code < 0 ? code : -EPROTO, "%s", text ? text : "the server failed");
	if (hint)
		err_hint(err, "%s", hint);
	return code < 0 ? code : -EPROTO;
}

/* Reads the next line, a JSON object. */
static int read_doc(struct rpc_client *c, json_t **doc, uint64_t deadline_ns, struct err *err)
{
	size_t len = 0;
	char *line = NULL;
	int rc = read_line(c, &line, &len, deadline_ns, err);

	if (rc < 0)
		return rc;
	*doc = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	free(line);
	if (json_is_object(*doc))
		return 0;
	json_decref(*doc);
	return err_set(err, -EPROTO, "the answer is no JSON object");
}

/* Keeps the params of a notification. A call lasts seconds: more than EVENTS_MAX are the server's
 * mistake. */
static void event_keep(struct rpc_client *c, const json_t *doc)
{
	if (!c->events)
		c->events = json_array();
	if (json_array_size(c->events) < EVENTS_MAX)
		json_array_append(c->events, json_object_get(doc, "params"));
}

/* Reads until the answer to id. Lines with another id answer calls that timed out. */
static int read_answer(struct rpc_client *c, json_int_t id, json_t **result, uint64_t deadline_ns,
		       struct err *err)
{
	for (;;) {
		json_t *doc = NULL, *got, *error;
		int rc = read_doc(c, &doc, deadline_ns, err);

		if (rc < 0)
			return rc;
		got = json_object_get(doc, "id");
		error = json_object_get(doc, "error");
		if (json_object_get(doc, "method"))
			event_keep(c, doc);
		/* Without an id: the server could not read us, or refuses the connection. */
		if (json_is_null(got) ? !error : json_integer_value(got) != id) {
			json_decref(doc);
			/* Whoever never stops talking does not answer either. */
			if (left_ms(deadline_ns) == 0)
				return err_set(err, -ETIMEDOUT, "no answer came in time");
			continue;
		}
		rc = error ? error_out(error, err) : 0;
		if (rc == 0 && result)
			*result = json_incref(json_object_get(doc, "result"));
		json_decref(doc);
		if (rc == 0 && result && !*result)
			return err_set(err, -EPROTO, "the answer has neither result nor error");
		return rc;
	}
}

/* Sends request (stolen) as a line. */
static int send_request(struct rpc_client *c, json_t *request, uint64_t deadline_ns, struct err *err)
{
	char *text = request ? json_dumps(request, DUMP_FLAGS) : NULL;
	size_t len;
	int rc;

	json_decref(request);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	len = strlen(text);
	text[len] = '\n'; /* in the place of the final zero */
	rc = send_all(c, text, len + 1, deadline_ns);
	free(text);
	if (rc == -ETIMEDOUT)
		err_set(err, rc, "the request was not taken in time");
	return rc;
}

int rpc_tell(struct rpc_client *c, const char *method, json_t *params, struct err *err)
{
	int rc = send_request(c,
			      json_pack("{ss ss so}", "jsonrpc", "2.0", "method", method, "params",
					params ? params : json_object()),
			      deadline_in(c->timeout_ms), err);

	return rc == -EPIPE || rc == -ECONNRESET ? lost(err) : rc;
}

int rpc_event_next(struct rpc_client *c, int timeout_ms, json_t **event, struct err *err)
{
	uint64_t deadline_ns = deadline_in(timeout_ms);
	unsigned n_other = 0;

	for (;;) {
		json_t *doc = NULL;
		int rc = 0;

		*event = json_incref(json_array_get(c->events, 0));
		if (*event) {
			json_array_remove(c->events, 0);
			return 0;
		}
		rc = read_doc(c, &doc, deadline_ns, err);
		if (rc < 0)
			return rc;
		if (json_object_get(doc, "method"))
			event_keep(c, doc);
		else if (++n_other == OTHERS_MAX)
			rc = err_set(err, -EPROTO, "the server answers what nobody asked");
		json_decref(doc);
		if (rc < 0)
			return rc;
	}
}

static int call(struct rpc_client *c, const char *method, json_t *params, json_t **result, struct err *err)
{
	uint64_t deadline_ns = deadline_in(c->timeout_ms);
	int rc;

	rc = send_request(c,
			  json_pack("{ss sI ss so}", "jsonrpc", "2.0", "id", ++c->last_id, "method",
				    method, "params", params ? params : json_object()),
			  deadline_ns, err);
	if (rc == -ETIMEDOUT || rc == -ENOMEM)
		return rc;
	/* A server that refuses us says why before it hangs up: its words may lie there. */
	return read_answer(c, c->last_id, result, deadline_ns, err);
}

/* Whether it has ended while nobody asked anything. */
static bool has_ended(const struct rpc_client *c)
{
	char one;
	ssize_t n = recv(c->fd, &one, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static int connect_again(struct rpc_client *c, struct err *err)
{
	uint64_t deadline_ns = deadline_in(c->timeout_ms);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = fd < 0 ? -errno : connect_until(fd, &c->addr, deadline_ns);

	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		return lost(err);
	}
	close(c->fd);
	c->fd = fd;
	c->in_len = 0;
	return c->lease ? call(c, "lease.hold", json_incref(c->lease), NULL, err) : 0;
}

void rpc_reconnects(struct rpc_client *c)
{
	c->reconnects = true;
}

int rpc_call(struct rpc_client *c, const char *method, json_t *params, json_t **result,
	     struct err *err)
{
	json_t *again = json_incref(params);
	int rc = 0;

	if (c->reconnects && has_ended(c))
		rc = connect_again(c, err);
	if (rc == 0)
		rc = call(c, method, params, result, err);
	else
		json_decref(params);
	if (rc == -ECONNRESET && c->reconnects && connect_again(c, err) == 0)
		rc = call(c, method, json_incref(again), result, err);
	if (rc == 0 && !strcmp(method, "lease.hold")) {
		json_decref(c->lease);
		c->lease = json_incref(again);
	}
	json_decref(again);
	return rc;
}

int rpc_call_all(struct rpc_client *c, const char *method, json_t *params, json_t **items,
		 struct err *err)
{
	json_t *all = json_array(), *next = NULL;
	int rc = all ? 0 : err_set(err, -ENOMEM, "out of memory");

	for (unsigned n = 0; rc == 0; n++) {
		json_t *page_params = params ? json_copy(params) : json_object(), *page = NULL;

		if (next)
			json_object_set(page_params, "cursor", next);
		rc = rpc_call(c, method, page_params, &page, err);
		if (rc == 0 && json_array_extend(all, json_object_get(page, "items")) < 0)
			rc = err_set(err, -EPROTO, "the answer of %s has no items", method);
		json_decref(next);
		next = rc == 0 ? json_incref(json_object_get(page, "next")) : NULL;
		json_decref(page);
		if (rc == 0 && n == PAGES_MAX)
			rc = err_set(err, -EPROTO, "%s never comes to an end", method);
		if (!next || json_is_null(next))
			break;
	}
	json_decref(next);
	json_decref(params);
	if (rc == 0)
		*items = all;
	else
		json_decref(all);
	return rc;
}
