/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients of the control socket that send what is no request, too much, or never read.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "control/rpc/client.h"
#include "tests/evil/raw.h"

#define NOBODY	65534
#define MANY	4096

/*
 * Each handler ends within 20 ms, so a client who comes while others ask the worst waits for one of theirs
 * and for its own. Half of the answers must come within that: it takes an attack that goes on all the time to
 * be late in the middle, not others who have the CPU for a moment. What the slowest may take can be said only
 * of a machine of one's own; more than a second would be a client who starves.
 */
#define USUAL_NS (40 * MS_NS)
#define LATE_NS	 S_NS

/* ---- somebody else, who asks `status` meanwhile ---- */

struct witness {
	struct scene s;
	atomic_bool stop;
	uint64_t took_ns[MANY]; /* of the first ones */
	atomic_uint n, n_refused;
	pthread_t thread;
};

static void *ask(void *arg)
{
	struct witness *w = arg;

	while (!atomic_load(&w->stop)) {
		uint64_t start_ns = loop_now_ns(), took_ns;
		struct err err = ERR_NONE;
		struct rpc_client *c;

		if (rpc_connect(w->s.socket, 5000, &c, &err) == 0) {
			if (rpc_call(c, "daemon.status", NULL, NULL, &err) != 0)
				atomic_fetch_add(&w->n_refused, 1);
			rpc_close(c);
		}
		took_ns = loop_now_ns() - start_ns;
		w->took_ns[atomic_load(&w->n) % MANY] = took_ns;
		atomic_fetch_add(&w->n, 1);
		usleep(2000);
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static struct witness *witness_start(struct scene *s)
{
	struct witness *w = calloc(1, sizeof(*w));

	w->s = *s;
	pthread_create(&w->thread, NULL, ask, w);
	return w;
}

/* may_refuse: all places are taken by others now and then. */
static void witness_end(struct scene *s, struct witness *w, bool may_refuse)
{
	unsigned n;

	while (atomic_load(&w->n) < 10)
		usleep(1000);
	atomic_store(&w->stop, true);
	pthread_join(w->thread, NULL);
	n = atomic_load(&w->n) < MANY ? atomic_load(&w->n) : MANY;
	qsort(w->took_ns, n, sizeof(*w->took_ns), by_size);
	snprintf(s->report->said, sizeof(s->report->said),
		 "%u others were answered, half of them within %.1f ms, the slowest in %.1f ms",
		 atomic_load(&w->n) - atomic_load(&w->n_refused), (double)w->took_ns[n / 2] / 1e6,
		 (double)w->took_ns[n - 1] / 1e6);
	if (w->took_ns[n / 2] > USUAL_NS || w->took_ns[n - 1] > LATE_NS)
		evil_fail(s, "%s", s->report->said);
	if (atomic_load(&w->n_refused) && !may_refuse)
		evil_fail(s, "%u others were refused", atomic_load(&w->n_refused));
}

/* ---- a client by hand ---- */

static int client(struct scene *s)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(sun.sun_path, s->socket, strlen(s->socket) + 1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		evil_fail(s, "connect: %s", strerror(errno));
	return fd;
}

/* False once the daemon has closed. */
static bool put(int fd, const char *bytes, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = send(fd, bytes + done, n - done, MSG_NOSIGNAL);

		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

/* The next line, or "" when the daemon closes; fails the case when neither comes. */
static const char *line(struct scene *s, int fd)
{
	static char text[1 << 20];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	while (n < sizeof(text) - 1 && (!n || text[n - 1] != '\n')) {
		ssize_t got;

		if (poll(&p, 1, 5000) != 1)
			evil_fail(s, "no answer came");
		got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	return text;
}

enum {
	J_DEPTH,
	J_UTF8,
	J_DUPLICATES,
	J_HUGE_INTEGER,
	J_HUGE_REAL,
	J_ZERO_BYTE,
	J_BATCH,
	J_VALUES,
	J_NAME
};

/* Writes the text of a case to bytes, without an end of line; returns how many bytes. */
static size_t text_make(unsigned arg, char *bytes, size_t size)
{
	size_t n = 0;

	switch (arg) {
	case J_DEPTH:
		memset(bytes, '[', 100000);
		n = 100000;
		break;
	case J_UTF8:
		n = (size_t)snprintf(bytes, size,
				     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\x28\xff\"}");
		break;
	case J_DUPLICATES:
		n = (size_t)snprintf(
			bytes, size,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"port.list\",\"method\":\"port.del\"}");
		break;
	case J_HUGE_INTEGER:
	case J_HUGE_REAL:
		n = (size_t)snprintf(bytes, size,
				     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"port.list\","
				     "\"params\":{\"limit\":1");
		if (arg == J_HUGE_INTEGER) {
			memset(bytes + n, '0', 500000);
			n += 500000;
		} else {
			n += (size_t)snprintf(bytes + n, 16, "e999999999");
		}
		memcpy(bytes + n, "}}", 2);
		n += 2;
		break;
	case J_ZERO_BYTE:
		memcpy(bytes, "{\"id\":\0}", 8);
		n = 8;
		break;
	case J_BATCH:
		n = (size_t)snprintf(bytes, size,
				     "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"port.list\"}]");
		break;
	case J_VALUES:
		bytes[n++] = '[';
		for (unsigned i = 0; i < 500000; i++)
			bytes[n++] = i % 2 ? ',' : '1';
		bytes[n++] = '1';
		bytes[n++] = ']';
		break;
	case J_NAME: /* half a megabyte of a method's name: not all of it comes back */
		n = (size_t)snprintf(bytes, size,
				     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"");
		memset(bytes + n, 'x', 500000);
		n += 500000;
		memcpy(bytes + n, "\"}", 2);
		n += 2;
		break;
	}
	return n;
}

/* One line, one error. */
static void text(struct scene *s)
{
	static const char *const wants[] = {
		[J_DEPTH] = "nest",
		[J_UTF8] = "-32700",
		[J_DUPLICATES] = "duplicate",
		[J_HUGE_INTEGER] = "-32700",
		[J_HUGE_REAL] = "-32700",
		[J_ZERO_BYTE] = "-32700",
		[J_BATCH] = "batches are not served",
		[J_VALUES] = "values",
		[J_NAME] = "error",
	};
	static char bytes[1 << 20];
	size_t n = text_make(s->c->arg, bytes, sizeof(bytes));
	struct witness *w = witness_start(s);
	int fd = client(s);
	const char *answer;

	bytes[n++] = '\n';
	put(fd, bytes, n);
	answer = line(s, fd);
	if (!strstr(answer, "\"error\"") || !strstr(answer, wants[s->c->arg]))
		evil_fail(s, "the answer was %.200s", answer);
	if (strlen(answer) > 4096)
		evil_fail(s, "the answer has %zu bytes", strlen(answer));
	witness_end(s, w, false);
}

/* 100 MB without an end of line. */
static void hundred_megabytes(struct scene *s)
{
	struct witness *w = witness_start(s);
	static char bytes[1 << 20];
	int fd = client(s);
	unsigned n = 0;

	memset(bytes, s->c->arg ? ' ' : '1', sizeof(bytes));
	bytes[0] = '[';
	while (n < 100 && put(fd, bytes, sizeof(bytes)))
		n++;
	if (n == 100)
		evil_fail(s, "100 MB were taken");
	witness_end(s, w, false);
}

/* Requests as fast as they go, with or without reading the answers. */
static void many_requests(struct scene *s)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.list\"}\n";
	struct witness *w = witness_start(s);
	uint64_t end_ns = loop_now_ns() + S_NS;
	static char in[1 << 20];
	int fd = client(s);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (loop_now_ns() < end_ns) {
		ssize_t n = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		if (s->c->arg) {
			while (recv(fd, in, sizeof(in), 0) > 0)
				;
		} else if (n < 0) {
			usleep(1000);
		}
	}
	witness_end(s, w, false);
}

/* More clients than there are places, all of them silent. Whoever asks is served. */
static void idle_clients(struct scene *s)
{
	struct rlimit lim = {8192, 8192};
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	unsigned n = 0;
	static int fds[5000];
	struct witness *w;

	if (setrlimit(RLIMIT_NOFILE, &lim) < 0 && getrlimit(RLIMIT_NOFILE, &lim) < 0)
		evil_fail(s, "no limit of descriptors");
	memcpy(sun.sun_path, s->socket, strlen(s->socket) + 1);
	for (unsigned i = 0; i < 5000; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		while (connect(fds[i], (struct sockaddr *)&sun, sizeof(sun)) < 0 && errno == EAGAIN)
			usleep(500);
		n += fds[i] >= 0;
	}
	if (n < 5000)
		evil_fail(s, "only %u descriptors here", n);
	usleep(1100000); /* a silent client may be cut off after a second */
	w = witness_start(s);
	usleep(300000);
	witness_end(s, w, false);
}

/* Another user gets nowhere: not to the daemon, nor to a port. */
static void other_user(struct scene *s)
{
	const char *paths[] = {s->socket, s->path};
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		snprintf(s->report->said, sizeof(s->report->said),
			 "skipped: only root can become somebody else");
		return;
	}
	pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(10);
		for (unsigned i = 0; i < 2; i++) {
			struct sockaddr_un sun = {.sun_family = AF_UNIX};
			int fd = socket(AF_UNIX, SOCK_STREAM, 0);

			memcpy(sun.sun_path, paths[i], strlen(paths[i]) + 1);
			if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
				_exit(20 + (int)i);
			if (errno != EACCES)
				_exit(30 + (int)i);
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		evil_fail(s, "another user's connection to the %s was not refused (%d)",
			  WEXITSTATUS(status) % 10 ? "port" : "daemon", WEXITSTATUS(status));
}

/* 253 descriptors with every request. */
static void descriptors(struct scene *s)
{
	static const char request[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\"}\n";
	struct fe fe = {.fd = client(s)};
	int fds[253];

	for (unsigned i = 0; i < 253; i++)
		fds[i] = fe.fd;
	for (unsigned i = 0; i < 20; i++) {
		int rc = fd_msg_send(fe.fd, request, sizeof(request) - 1, fds, 253, SEND_MS);

		if (rc < 0)
			evil_fail(s, "sendmsg: %s", strerror(-rc));
		line(s, fe.fd);
	}
}

#define MANY_MACS 1000000

/* A table of a million addresses on a bridge of its own, learned from frames. */
static void table_fill(struct scene *s, struct fe *fe)
{
	uint8_t f[60] = BROADCAST "\x02\0\0\0\0\0\x88\xb6";
	uint64_t end_ns = loop_now_ns() + 20 * S_NS;

	for (uint32_t i = 0; i < MANY_MACS && loop_now_ns() < end_ns; i++) {
		memcpy(f + 8, &i, 4);
		while (!fe_send(fe, 0, f, sizeof(f)))
			sched_yield();
	}
}

static void half_read_list(struct scene *s)
{
	static const char request[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fdb.list\",\"params\":{\"bridge\":\"evil-many\",\"limit\":1000}}\n";
	struct witness *w;
	struct fe_opts o = {0};
	struct err err = ERR_NONE;
	char path[128], in[65536];
	char cursor_text[32] = "0", *cursor = cursor_text;
	struct fe *fe;
	json_t *page;
	size_t n = 0;
	int fd;

	json_decref(evil_call(s, "bridge.add",
			      json_pack("{ss si}", "name", "evil-many", "max_macs", 1 << 20)));
	snprintf(path, sizeof(path), "%s/evil-many.sock", s->run_dir);
	json_decref(
		evil_call(s, "port.add",
			  json_pack("{ss ss ss ss sb}", "name", "evil-many", "bridge", "evil-many",
				    "type", "vhost-user", "path", path, "listen", 1)));
	o.path = path;
	if (fe_open(&o, &fe, &err) < 0)
		evil_fail(s, "%s", err.text);
	table_fill(s, fe);
	fd = client(s);
	w = witness_start(s);
	for (unsigned i = 0; i < 100; i++)
		put(fd, request, sizeof(request) - 1);
	recv(fd, in, sizeof(in), 0);
	/* Half of it is never read. Others read theirs meanwhile. */
	for (unsigned i = 0; i < 100 && cursor; i++) {
		page = json_pack("{ss si}", "bridge", "evil-many", "limit", 1000);
		if (i)
			json_object_set_new(page, "cursor", json_string(cursor));
		page = evil_call(s, "fdb.list", page);
		n += json_array_size(json_object_get(page, "items"));
		snprintf(cursor_text, sizeof(cursor_text), "%s",
			 json_string_value(json_object_get(page, "next"))
				 ? json_string_value(json_object_get(page, "next"))
				 : "");
		cursor = cursor_text[0] ? cursor_text : NULL;
		json_decref(page);
	}
	if (n < 50000)
		evil_fail(s, "100 pages of the table had %zu addresses", n);
	witness_end(s, w, false);
	fe_close(fe);
	json_decref(evil_call(s, "port.del", json_pack("{ss}", "name", "evil-many")));
	json_decref(evil_call(s, "bridge.del", json_pack("{ss}", "name", "evil-many")));
}

#define ERROR "one error, in a few words; others are answered meanwhile"

const struct evil_case evil_control[] = {
	{"depth", "a request nested 10^5 deep", ERROR, text, NULL, NULL, J_DEPTH},
	{"utf-8", "a request that is no UTF-8", ERROR, text, NULL, NULL, J_UTF8},
	{"duplicate-keys", "a request that names two methods", ERROR, text, NULL, NULL,
	 J_DUPLICATES},
	{"huge-integer", "a number of 500,000 digits", ERROR, text, NULL, NULL, J_HUGE_INTEGER},
	{"huge-real", "a number with an exponent of 999,999,999", ERROR, text, NULL, NULL,
	 J_HUGE_REAL},
	{"zero-byte", "a zero byte in a request", ERROR, text, NULL, NULL, J_ZERO_BYTE},
	{"batch", "a batch of requests", ERROR, text, NULL, NULL, J_BATCH},
	{"values", "a request of 250,000 values", ERROR, text, NULL, NULL, J_VALUES},
	{"method-name", "a method whose name has 500,000 bytes", ERROR, text, NULL, NULL, J_NAME},
	{"100-mb", "100 MB of JSON without an end of line",
	 "the client is cut off; others are answered meanwhile", hundred_megabytes, NULL, NULL, 0},
	{"100-mb-of-blanks", "100 MB of blanks",
	 "the client is cut off; others are answered meanwhile", hundred_megabytes, NULL, NULL, 1},
	{"requests", "requests as fast as they go for a second, answers read",
	 "others are answered meanwhile", many_requests, NULL, NULL, 1},
	{"requests-unread", "requests as fast as they go, answers never read",
	 "the client is cut off or waits; others are answered meanwhile", many_requests, NULL, NULL,
	 0},
	{"idle-clients", "5,000 clients that never say anything",
	 "they make room for those who ask", idle_clients, NULL, NULL},
	{"half-read-list", "a reader that stops in the middle of a million addresses",
	 "the client is cut off; others are answered meanwhile", half_read_list, NULL, NULL},
	{"descriptors", "253 descriptors with a request, 20 times", "they are closed", descriptors,
	 NULL, NULL},
	{"other-user", "another user's connections to the daemon and to a port",
	 "they are refused by the file's mode", other_user, NULL, NULL},
	{0},
};
