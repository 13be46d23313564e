/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/metrics_page.h"

#define MEMORY_BYTES (16 * 1024)
#define TYPE	     "text/plain; version=0.0.4; charset=utf-8"

/* One connection, from accept to close: libmicrohttpd's own time-out is of silence, which a byte now and
 * then puts off for ever. */
struct metrics_client {
	struct metrics *metrics;
	struct loop_timer *deadline;
	int fd; /* libmicrohttpd's */
};

struct metrics {
	struct daemon *daemon;
	struct MHD_Daemon *http;
	struct loop_fd *watch;
	struct loop_timer *timer;
	struct metrics_page *making; /* the page under way, or NULL */
	struct MHD_Response *page;   /* finished, while those who waited are answered */
	struct MHD_Connection *waiting[METRICS_CLIENTS];
	unsigned n_waiting;
	uint64_t deadline_ns;
	char where[64];
};

/* ---- HTTP ---- */

static void serve(struct metrics *m);

static void on_timer(void *arg)
{
	serve(arg);
}

static void on_ready(void *arg, int fd, uint32_t ready)
{
	serve(arg);
}

/* True while all places are taken. */
static bool is_full(const struct metrics *m)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(m->http, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info && info->num_connections >= METRICS_CLIENTS;
}

/* Does what is ready, and comes again when libmicrohttpd wants to. */
static void serve(struct metrics *m)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;
	bool was_full = is_full(m);

	MHD_run(m->http);
	/* It looks at the listening socket again at its next run, which nothing else would bring. */
	if (was_full && !is_full(m))
		MHD_run(m->http);
	loop_timer_del(m->timer);
	if (MHD_get_timeout(m->http, &wait_ms) == MHD_YES)
		loop_timer_add(m->daemon->loop, wait_ms * MS_NS, on_timer, m, &m->timer);
}

static void on_deadline(void *arg)
{
	const struct metrics_client *c = arg;
	struct metrics *m = c->metrics;

	LOG_INFO_RL("metrics: a client that took more than %u s for its request and page was cut off",
		    (unsigned)(m->deadline_ns / S_NS));
	shutdown(c->fd, SHUT_RDWR);
	serve(m); /* closes it, and c is gone */
}

static void client_begin(struct metrics *m, struct MHD_Connection *connection, void **slot)
{
	int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	struct metrics_client *c = calloc(1, sizeof(*c));

	*slot = c;
	if (c) {
		c->metrics = m;
		c->fd = fd;
	}
	if (!c || loop_timer_add(m->daemon->loop, m->deadline_ns, on_deadline, c, &c->deadline) < 0)
		shutdown(fd, SHUT_RDWR);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **slot,
			  enum MHD_ConnectionNotificationCode what)
{
	struct metrics_client *c = *slot;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		client_begin(arg, connection, slot);
	} else if (c) {
		loop_timer_del(c->deadline);
		free(c);
	}
}

/* The deadline is a connection's: who wants another page comes again. */
static void headers_add(struct MHD_Response *r)
{
	MHD_add_response_header(r, "Content-Type", TYPE);
	MHD_add_response_header(r, "Connection", "close");
}

static enum MHD_Result answer_text(struct MHD_Connection *c, unsigned status, const char *text)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc;

	if (!r)
		return MHD_NO;
	headers_add(r);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

/* Everybody who waits is answered from the finished page, or told that there is none. */
static void on_page(void *arg, char *text, size_t len)
{
	struct metrics *m = arg;

	m->making = NULL;
	if (text)
		m->page = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (m->page)
		headers_add(m->page);
	else
		free(text);
	for (unsigned i = 0; i < m->n_waiting; i++)
		MHD_resume_connection(m->waiting[i]);
	m->n_waiting = 0;
	/* Calls on_request() for those that were put aside. */
	serve(m);
	if (m->page)
		MHD_destroy_response(m->page);
	m->page = NULL;
}

static enum MHD_Result page_await(struct metrics *m, struct MHD_Connection *c)
{
	if (m->n_waiting == METRICS_CLIENTS)
		return answer_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many ask at once\n");
	if (!m->making && metrics_page_make(m->daemon, on_page, m, &m->making) < 0)
		return answer_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	MHD_suspend_connection(c);
	m->waiting[m->n_waiting++] = c;
	return MHD_YES;
}

/* Called for a request's head, then, with *seen set, when it is whole and again when it is resumed. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *body,
				  size_t *body_len, void **seen)
{
	static char mark;
	struct metrics *m = arg;

	if (!*seen) {
		*seen = &mark;
		return MHD_YES;
	}
	if (*body_len) {
		*body_len = 0; /* read and forgotten */
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET is served\n");
	if (strcmp(url, "/metrics") != 0)
		return answer_text(c, MHD_HTTP_NOT_FOUND, "metrics are at /metrics\n");
	if (m->page)
		return MHD_queue_response(c, MHD_HTTP_OK, m->page);
	return page_await(m, c);
}

static void on_message(void *arg, const char *fmt, va_list ap)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	/* Mostly, at each request, that sockets have no options where the process has no rights; it does without. */
	LOG_DEBUG("metrics: %s", text);
}

/* ---- life ---- */

static int http_start(struct metrics *m, int fd)
{
	const union MHD_DaemonInfo *info;

	m->http = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, m, MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)METRICS_CLIENTS, MHD_OPTION_NOTIFY_CONNECTION, on_connection, m,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES, MHD_OPTION_END);
	info = m->http ? MHD_get_daemon_info(m->http, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		return -EIO;
	return loop_fd_add(m->daemon->loop, info->epoll_fd, EPOLLIN, on_ready, m, &m->watch);
}

int metrics_start(struct daemon *d, int listen_fd, uint64_t deadline_ns, struct err *err)
{
	struct metrics *m = calloc(1, sizeof(*m));
	union metrics_address address = {0};
	socklen_t len = sizeof(address);
	int rc;

	if (!m) {
		close(listen_fd);
		return err_set(err, -ENOMEM, "out of memory");
	}
	m->daemon = d;
	m->deadline_ns = deadline_ns;
	d->metrics = m;
	getsockname(listen_fd, &address.sa, &len);
	metrics_address_text(&address, m->where, sizeof(m->where));
	rc = http_start(m, listen_fd);
	if (rc == 0)
		return 0;
	if (!m->http)
		close(listen_fd);
	metrics_stop(d);
	return err_set(err, rc, "--metrics: libmicrohttpd cannot start");
}

void metrics_stop(struct daemon *d)
{
	struct metrics *m = d->metrics;

	if (!m)
		return;
	d->metrics = NULL;
	metrics_page_free(m->making);
	for (unsigned i = 0; i < m->n_waiting; i++)
		MHD_resume_connection(m->waiting[i]);
	loop_timer_del(m->timer);
	loop_fd_del(m->watch);
	if (m->http)
		MHD_stop_daemon(m->http);
	free(m);
}

const char *metrics_where(const struct daemon *d)
{
	return d->metrics ? d->metrics->where : NULL;
}
