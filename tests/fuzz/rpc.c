/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON-RPC: what a client sends, in pieces of any size, with descriptors, against the server with all
 * methods of the daemon and of a VM's supervisor.
 *
 * Input    8 bytes say in turn what handlers do (answer, fail, later, take and give descriptors …), one
 *          the client's role, one in which pieces the rest is sent; the rest is what is sent.
 * How      Handlers see only what the row of their method lets pass (checked again here). Each answer is
 *          one line of JSON-RPC, and there are as many as requests that want one.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/fd_msg.h"
#include "base/log.h"
#include "control/rpc/conn.h"
#include "control/rpc/methods.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/rpc_rows.h"

#define DEFERRED_MAX 64

static struct loop *loop;
static struct rpc_server *server;
static uint8_t script[8];
static unsigned n_calls, n_deferred, n_gone;
static struct rpc_call *deferred[DEFERRED_MAX];
static struct rpc_conn *stream;

static void on_gone(void *arg)
{
	n_gone++;
	stream = NULL;
}

/* Nothing passes that is not in the row, nor is anything missing. */
static void params_check(const struct method *m, const json_t *params)
{
	struct err err = ERR_NONE;
	const char *key;
	json_t *value;

	FUZZ_CHECK(json_is_object(params), "%s", m->rpc);
	json_object_foreach ((json_t *)params, key, value) {
		const struct param *p = method_param(m, key);

		FUZZ_CHECK(p && !(p->flags & PARAM_CLI_ONLY), "%s was given %s", m->rpc, key);
		FUZZ_CHECK(param_check(p, value, &err) == 0, "%s: %s", key, err.text);
		if (p->type == PARAM_INT && (p->min || p->max))
			FUZZ_CHECK(json_integer_value(value) >= p->min &&
					   json_integer_value(value) <= p->max,
				   "%s", key);
	}
	for (const struct param *p = m->params; p && p->name; p++)
		FUZZ_CHECK(!(p->flags & PARAM_REQUIRED) || json_object_get(params, p->name),
			   "%s lacks %s", m->rpc, p->name);
}

static int fail(const json_t *params, struct err *err)
{
	const char *text = json_string_value(json_object_get(params, "name"));

	err_set(err, -ENOENT, "thing \"%.10s\" is not there", text ? text : "?");
	return err_hint(err, "make it first, \"%.5s\"", text ? text : "");
}

static int do_any(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	uint8_t what = script[n_calls++ % sizeof(script)];

	params_check(call->method->method, params);
	switch (what % 8) {
	case 0:
		return fail(params, err);
	case 1:
		if (n_deferred == DEFERRED_MAX)
			return 0;
		deferred[n_deferred++] = call;
		return RPC_DEFERRED;
	case 2:
	case 3:
		rpc_give_fd(call, STDERR_FILENO);
		return 0;
	case 4: {
		static char text[RPC_REPLY_MAX_BYTES + 1];

		memset(text, 'a', sizeof(text) - 1);
		text[what == 4 ? sizeof(text) - 1 : what * 16u] = '\0';
		*result = json_pack("{ss}", "text", text);
		return 0;
	}
	case 5:
		rpc_on_disconnect(call, on_gone, NULL);
		stream = rpc_stream(call);
		return 0;
	default:
		*result = json_deep_copy(params);
		return 0;
	}
}

static int after_change(void *ctx, struct err *err)
{
	return n_calls % 5 ? 0 : err_set(err, -EIO, "cannot be saved");
}

/* Answers all that wait. */
static void deferred_answer(void)
{
	struct err err = ERR_NONE;

	err_set(&err, -ETIMEDOUT, "took too long");
	while (n_deferred) {
		struct rpc_call *call = deferred[--n_deferred];

		if (n_deferred % 3)
			rpc_fail(call, &err);
		else
			rpc_reply(call, json_pack("{si}", "n", (int)n_deferred));
	}
}

static void begin(void)
{
	static struct rpc_method rows[RPC_ROWS + 1];
	struct rpc_server_opts opts = {
		.listen_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), /* nobody connects there */
		.methods = rows,
		.after_change = after_change,
	};
	struct err err = ERR_NONE;

	for (unsigned i = 0; i < RPC_ROWS; i++)
		rows[i] = (struct rpc_method){rpc_rows[i], do_any};
	log_level_set(LOG_LEVEL_ERR);
	FUZZ_CHECK(loop_create(&loop) == 0, "no loop");
	FUZZ_CHECK(rpc_server_create(loop, &opts, &server, &err) == 0, "%s", err.text);
	/* Without a bin descriptors are closed at once: threads would be another matter each time. */
	discard_destroy(server->bin);
	server->bin = NULL;
	n_calls = n_deferred = n_gone = 0;
	stream = NULL;
}

/* ---- answers ---- */

static char *got;
static size_t n_got;

static void got_add(int fd)
{
	char control[CMSG_SPACE(8 * sizeof(int))], buf[65536];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t n;

	while ((n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) > 0) {
		for (struct cmsghdr *h = CMSG_FIRSTHDR(&msg); h; h = CMSG_NXTHDR(&msg, h)) {
			int given;

			memcpy(&given, CMSG_DATA(h), sizeof(given));
			close(given);
		}
		got = realloc(got, n_got + (size_t)n);
		memcpy(got + n_got, buf, (size_t)n);
		n_got += (size_t)n;
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
	}
}

/* One line from the server; true: an answer, and no notification. */
static bool answer_check(const char *line, size_t len)
{
	json_t *doc = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *error = json_object_get(doc, "error");
	const char *version = json_string_value(json_object_get(doc, "jsonrpc"));
	bool is_answer = json_object_get(doc, "id") != NULL;

	FUZZ_CHECK(version && !strcmp(version, "2.0"), "%.*s", (int)len, line);
	FUZZ_CHECK(!is_answer || !error != !json_object_get(doc, "result"), "%.*s", (int)len, line);
	FUZZ_CHECK(!error || (json_is_integer(json_object_get(error, "code")) &&
			      json_string_length(json_object_get(error, "message"))),
		   "%.*s", (int)len, line);
	FUZZ_CHECK(len <= RPC_REPLY_MAX_BYTES, "an answer of %zu bytes", len);
	json_decref(doc);
	return is_answer;
}

static unsigned answers_check(void)
{
	unsigned n = 0;

	for (size_t at = 0; at < n_got;) {
		char *end = memchr(got + at, '\n', n_got - at);

		FUZZ_CHECK(end, "half a line");
		n += answer_check(got + at, (size_t)(end - got) - at);
		at = (size_t)(end - got) + 1;
	}
	free(got);
	got = NULL;
	n_got = 0;
	return n;
}

/* ---- what is wanted ---- */

static bool wants_answer(const char *line, size_t len)
{
	json_t *doc = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *version = json_string_value(json_object_get(doc, "jsonrpc"));
	bool is_notification = json_is_object(doc) && !json_object_get(doc, "id") && version &&
			       !strcmp(version, "2.0") &&
			       json_is_string(json_object_get(doc, "method"));

	json_decref(doc);
	return !is_notification;
}

/* Of the lines that are not blank. Notifications nested too deep are answered: nobody has read them. */
static void wanted_count(const char *text, size_t size, unsigned *least, unsigned *most)
{
	*least = *most = 0;
	for (size_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t len = end ? (size_t)(end - text) - at : size - at, k = 0;

		while (k < len && strchr(" \t\r", text[at + k]) && text[at + k])
			k++;
		if (k < len) {
			*least += wants_answer(text + at, len);
			++*most;
		}
		at += len + 1;
	}
}

static void rounds(int fd, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		loop_once(loop, 0);
		if (fd >= 0)
			got_add(fd);
	}
}

/* Sends the text in pieces, some with descriptors. */
static void text_send(int fd, const char *text, size_t size, uint8_t how)
{
	static const size_t pieces[] = {65536, 1, 7, 100};
	size_t piece = pieces[how % 4];
	union fd_msg_control control;
	const int fds[2] = {STDERR_FILENO, STDERR_FILENO};

	for (size_t at = 0; at < size;) {
		size_t here = at < 100 ? piece : piece * 50;
		struct iovec iov = {(char *)text + at, size - at < here ? size - at : here};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n;

		if (how & 16 && at < 400)
			fd_msg_attach(&msg, &control, fds, 2);
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		at += n > 0 ? (size_t)n : 0;
		rounds(fd, n > 0 && piece < 100 && at % 4 ? 0 : 2);
		if (n < 0 && errno != EAGAIN)
			break; /* the server has cut us */
	}
}

static int client_connect(uint8_t role)
{
	int pair[2];

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0,
		   "%d", errno);
	FUZZ_CHECK(conn_create(server, pair[1], ROLE_VIEW + role % 3, 1000) == 0, "no connection");
	return pair[0];
}

static void conversation(int fd, const char *text, size_t size, uint8_t how)
{
	unsigned least, most, n_answers;

	text_send(fd, text, size, how);
	shutdown(fd, SHUT_WR);
	/* Lines go 16 a round, no more while 32 calls wait; what came with descriptors is read by itself. */
	for (unsigned i = 0; i < size + 64 && server->n_conns; i++) {
		deferred_answer();
		rounds(fd, 1);
		if (stream && i == 0)
			rpc_notify(stream, "{\"jsonrpc\":\"2.0\",\"method\":\"event\"}", 34);
	}
	got_add(fd);
	FUZZ_CHECK(!server->n_conns, "a connection that has ended is still there");
	wanted_count(text, size, &least, &most);
	n_answers = answers_check();
	FUZZ_CHECK(n_answers >= least && n_answers <= most, "%u answers to %u to %u requests",
		   n_answers, least, most);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	const int n_fds = fds_open();
	uint8_t role, how;
	int fd;

	in_bytes(&in, script, sizeof(script));
	role = in_u8(&in);
	how = in_u8(&in);
	begin();
	fd = client_connect(role);
	if (how & 8) {
		/* Gone before its answers. */
		text_send(fd, (const char *)in.at, in.left, how);
		close(fd);
		rounds(-1, 4);
		deferred_answer();
		rounds(-1, 2);
		free(got);
		got = NULL;
		n_got = 0;
	} else {
		conversation(fd, (const char *)in.at, in.left, how);
		close(fd);
	}
	rpc_server_destroy(server);
	deferred_answer(); /* to nobody */
	loop_destroy(loop);
	FUZZ_CHECK(fds_open() == n_fds, "%d descriptors were leaked", fds_open() - n_fds);
	return 0;
}
