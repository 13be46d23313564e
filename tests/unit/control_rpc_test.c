/* SPDX-License-Identifier: BSD-3-Clause */
/* The JSON-RPC server with honest and hostile clients, and the client library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "control/rpc/client.h"
#include "control/rpc/server.h"

#define MAX_BYTES (1024 * 1024)

/* A server in a thread of its own, and what its handlers saw. */
struct fixture {
	char dir[32], path[64];
	struct loop *loop;
	struct rpc_server *server;
	pthread_t thread;
	struct loop_timer *timer;
	struct rpc_call *deferred;
	unsigned n_changes, n_gone;
	int change_result;
};

static int do_echo(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	*result = json_deep_copy(params);
	return 0;
}

static int do_fail(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	err_set(err, -ENOENT, "thing \"x\": is not there");
	err_hint(err, "make it first");
	return -ENOENT;
}

static int do_change(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	return 0;
}

static void answer_later(void *arg)
{
	struct fixture *f = arg;

	rpc_reply(f->deferred, json_pack("{ss}", "said", "later"));
}

static int do_later(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct fixture *f = rpc_ctx(call);

	f->deferred = call;
	loop_timer_add(f->loop, 20 * MS_NS, answer_later, f, &f->timer);
	return RPC_DEFERRED;
}

static int do_large(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	char *text = malloc(RPC_REPLY_MAX_BYTES + 1);

	memset(text, 'a', RPC_REPLY_MAX_BYTES);
	text[RPC_REPLY_MAX_BYTES] = '\0';
	*result = json_pack("{ss}", "text", text);
	free(text);
	return 0;
}

static int do_page(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	const char *at = json_string_value(json_object_get(params, "cursor"));

	*result = !at ? json_pack("{s[ii]ss}", "items", 1, 2, "next", "a")
		      : json_pack("{s[i]sn}", "items", 3, "next");
	return 0;
}

static int do_fd(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	int fd = rpc_take_fd(call, 0);
	ssize_t n = fd >= 0 ? write(fd, "hello", 5) : -1;

	close(fd);
	*result = json_pack("{si}", "n", (int)n);
	return 0;
}

static void on_gone(void *arg)
{
	struct fixture *f = arg;

	f->n_gone++;
}

static int do_lease(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	rpc_on_disconnect(call, on_gone, rpc_ctx(call));
	return 0;
}

/* Gives something for as long as the client is connected, with an answer that is too large. */
static int do_give(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	rpc_on_disconnect(call, on_gone, rpc_ctx(call));
	assert_int_equal(rpc_give_fd(call, STDERR_FILENO), 0);
	return do_large(call, params, result, err);
}

static int do_gone(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	*result = json_pack("{si}", "n", (int)((struct fixture *)rpc_ctx(call))->n_gone);
	return 0;
}

static int do_slow(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	usleep(200 * 1000);
	return 0;
}

static int do_stop(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	loop_stop(((struct fixture *)rpc_ctx(call))->loop, 0);
	return 0;
}

static const struct param echo_params[] = {
	{"text", PARAM_STRING, 0, 0, 0, NULL, "x"},
	{"n", PARAM_INT, 0, 1, 9, NULL, "x"},
	{.name = NULL},
};
static const struct param page_params[] = {
	{"cursor", PARAM_STRING, 0, 0, 0, NULL, "x"},
	{.name = NULL},
};
static const struct method rows[] = {
	{"echo", NULL, "x", echo_params, 0, NULL},
	{"fail", NULL, "x", NULL, 0, NULL},
	{"change", NULL, "x", NULL, METHOD_MUTATES, NULL},
	{"later", NULL, "x", NULL, 0, NULL},
	{"large", NULL, "x", NULL, 0, NULL},
	{"page", NULL, "x", page_params, METHOD_PAGED, NULL},
	{"fd", NULL, "x", NULL, 0, NULL},
	{"lease", NULL, "x", NULL, 0, NULL},
	{"gone", NULL, "x", NULL, 0, NULL},
	{"stop", NULL, "x", NULL, 0, NULL},
	{"give", NULL, "x", NULL, 0, NULL},
	{"slow", NULL, "x", NULL, 0, NULL},
};
static const struct rpc_method methods[] = {
	{&rows[0], do_echo},  {&rows[1], do_fail}, {&rows[2], do_change}, {&rows[3], do_later},
	{&rows[4], do_large}, {&rows[5], do_page}, {&rows[6], do_fd},	  {&rows[7], do_lease},
	{&rows[8], do_gone},  {&rows[9], do_stop}, {&rows[10], do_give},  {&rows[11], do_slow},
	{NULL, NULL},
};

static int after_change(void *ctx, struct err *err)
{
	struct fixture *f = ctx;

	f->n_changes++;
	return f->change_result ? err_set(err, f->change_result, "could not be saved") : 0;
}

static _Atomic enum role role_now; /* of who connects */

static enum role role_of(void *ctx, const struct rpc_peer *peer)
{
	return role_now;
}

static void *serve(void *arg)
{
	loop_run(((struct fixture *)arg)->loop);
	return NULL;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rpc_server_opts opts = {
		.methods = methods, .ctx = f, .after_change = after_change, .role = role_of};

	role_now = ROLE_ADMIN;
	log_level_set(LOG_LEVEL_ERR);
	snprintf(f->dir, sizeof(f->dir), "/tmp/rpc-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sub/sock", f->dir);
	assert_int_equal(loop_create(&f->loop), 0);
	assert_int_equal(rpc_listen(f->path, &opts.listen_fd, NULL), 0);
	assert_int_equal(rpc_server_create(f->loop, &opts, &f->server, NULL), 0);
	pthread_create(&f->thread, NULL, serve, f);
	*state = f;
	return 0;
}

static struct rpc_client *dial(const struct fixture *f)
{
	struct rpc_client *c = NULL;
	struct err err = ERR_NONE;

	if (rpc_connect(f->path, 1000, &c, &err) < 0)
		fail_msg("%s", err.text);
	rpc_timeout_set(c, 5000);
	return c;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct rpc_client *c = dial(f);
	char sub[80];

	rpc_call(c, "stop", NULL, NULL, NULL);
	pthread_join(f->thread, NULL);
	rpc_close(c);
	rpc_server_destroy(f->server);
	loop_destroy(f->loop);
	unlink(f->path);
	snprintf(sub, sizeof(sub), "%s/sub", f->dir);
	rmdir(sub);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int raw(const struct fixture *f)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = 5};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

/* Sends text and returns what comes back, up to one line's end or the connection's. */
static const char *say(int fd, const char *text)
{
	static char buf[4096];
	size_t len = 0;

	if (*text && send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return "cut";
	while (len < sizeof(buf) - 1) {
		ssize_t n = recv(fd, buf + len, 1, 0);

		if (n <= 0 || buf[len] == '\n')
			break;
		len++;
	}
	buf[len] = '\0';
	return buf;
}

static void expect(const struct fixture *f, const char *line, const char *part)
{
	int fd = raw(f);
	const char *got = say(fd, line);

	if (!strstr(got, part))
		fail_msg("no \"%s\" in \"%s\"", part, got);
	close(fd);
}

static void call_returns_the_result(void **state)
{
	struct rpc_client *c = dial(*state);
	json_t *result = NULL;

	assert_int_equal(rpc_call(c, "echo", json_pack("{ss}", "text", "hi"), &result, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(result, "text")), "hi");
	json_decref(result);
	rpc_close(c);
}

static void errors_carry_code_sentence_and_hint(void **state)
{
	struct rpc_client *c = dial(*state);
	struct err err = ERR_NONE;

	assert_int_equal(rpc_call(c, "fail", NULL, NULL, &err), -ENOENT);
	assert_string_equal(err.text, "thing \"x\": is not there");
	assert_string_equal(err.hint, "make it first");
	rpc_close(c);
}

static void bad_params_are_refused_by_name(void **state)
{
	expect(*state, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\",\"params\":{\"n\":10}}\n",
	       "\"id\":7,\"error\":{\"code\":-32602,\"message\":\"n: 10 is outside 1-9\"}");
}

static void change_is_saved_before_the_reply(void **state)
{
	struct fixture *f = *state;
	struct rpc_client *c = dial(f);
	struct err err = ERR_NONE;

	assert_int_equal(rpc_call(c, "change", NULL, NULL, NULL), 0);
	assert_int_equal(f->n_changes, 1);
	f->change_result = -ENOSPC;
	assert_int_equal(rpc_call(c, "change", NULL, NULL, &err), -ENOSPC);
	assert_string_equal(err.text, "could not be saved");
	rpc_close(c);
}

static void deferred_answer_comes_later(void **state)
{
	struct rpc_client *c = dial(*state);
	json_t *result = NULL;

	assert_int_equal(rpc_call(c, "later", NULL, &result, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(result, "said")), "later");
	json_decref(result);
	rpc_close(c);
}

static void deferred_answer_to_nobody_is_harmless(void **state)
{
	struct rpc_client *c = dial(*state), *other;

	rpc_timeout_set(c, 1);
	assert_int_equal(rpc_call(c, "later", NULL, NULL, NULL), -ETIMEDOUT);
	rpc_close(c);
	usleep(40000);
	other = dial(*state);
	assert_int_equal(rpc_call(other, "echo", NULL, NULL, NULL), 0);
	rpc_close(other);
}

static void too_large_reply_becomes_an_error(void **state)
{
	struct rpc_client *c = dial(*state);
	struct err err = ERR_NONE;

	assert_int_equal(rpc_call(c, "large", NULL, NULL, &err), -EMSGSIZE);
	rpc_close(c);
}

static void pages_are_stitched(void **state)
{
	struct rpc_client *c = dial(*state);
	json_t *items = NULL;

	assert_int_equal(rpc_call_all(c, "page", NULL, &items, NULL), 0);
	assert_int_equal(json_array_size(items), 3);
	json_decref(items);
	rpc_close(c);
}

static void descriptors_travel_with_their_call(void **state)
{
	struct rpc_client *c = dial(*state);
	int p[2];
	char buf[8];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(rpc_call_fds(c, "fd", NULL, &p[1], 1, NULL, NULL), 0);
	close(p[1]);
	assert_int_equal(read(p[0], buf, sizeof(buf)), 5);
	assert_int_equal(read(p[0], buf, sizeof(buf)), 0); /* the server kept no copy */
	close(p[0]);
	rpc_close(c);
}

static void owner_hears_of_a_lease_that_ends(void **state)
{
	struct rpc_client *holder = dial(*state), *c = dial(*state);
	json_t *result = NULL;

	assert_int_equal(rpc_call(holder, "lease", NULL, NULL, NULL), 0);
	rpc_close(holder);
	assert_int_equal(rpc_call(c, "gone", NULL, &result, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(result, "n")), 1);
	json_decref(result);
	rpc_close(c);
}

static void what_cannot_be_answered_is_undone(void **state)
{
	struct rpc_client *c = dial(*state);
	json_t *result = NULL;

	assert_int_equal(rpc_call(c, "lease", NULL, NULL, NULL), 0);
	assert_int_equal(rpc_call(c, "give", NULL, NULL, NULL), -EMSGSIZE);
	assert_int_equal(rpc_client_take_fd(c), -1);
	/* That of the call, and not the lease that was there before. */
	assert_int_equal(rpc_call(c, "gone", NULL, &result, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(result, "n")), 1);
	json_decref(result);
	rpc_close(c);
}

static void garbage_is_refused_and_the_connection_goes_on(void **state)
{
	int fd = raw(*state);

	assert_non_null(strstr(say(fd, "}{ nonsense\n"), "-32700"));
	assert_non_null(strstr(say(fd, "{\"a\":1,\"a\":2}\n"), "-32700"));
	assert_non_null(strstr(say(fd, "\"\xff\xfe\"\n"), "-32700"));
	assert_non_null(strstr(say(fd, "[]\n"), "batches are not served"));
	assert_non_null(strstr(say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ecko\"}\n"),
			       "did you mean \\\"echo\\\""));
	assert_non_null(strstr(say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n"),
			       "\"result\":{}"));
	close(fd);
}

static void deep_nesting_is_refused(void **state)
{
	char line[300];

	memset(line, '[', sizeof(line));
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = '\0';
	expect(*state, line, "nested more than 64 deep");
}

static void request_without_end_is_cut(void **state)
{
	char *line = malloc(2 * MAX_BYTES);
	int fd = raw(*state);

	memset(line, ' ', 2 * MAX_BYTES);
	assert_true(send(fd, line, 2 * MAX_BYTES, MSG_NOSIGNAL) >= MAX_BYTES);
	assert_non_null(strstr(say(fd, ""), "larger than 1 MiB"));
	close(fd);
	free(line);
}

static void client_that_never_reads_is_cut(void **state)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.list\"}\n";
	uint64_t start_ns = loop_now_ns();
	int fd = raw(*state);
	ssize_t n = 0;

	for (unsigned i = 0; i < 100000 && n >= 0; i++)
		n = send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL);
	assert_int_equal(n, -1);
	/* For what had piled up, not for how long it had lain there. */
	assert_true(loop_now_ns() - start_ns < 5 * S_NS);
	close(fd);
}

static void clients_beyond_the_limit_are_told(void **state)
{
	int fds[257];
	const char *got;

	for (unsigned i = 0; i < 257; i++)
		fds[i] = raw(*state);
	got = say(fds[256], "");
	assert_non_null(strstr(got, "256 clients are connected already"));
	for (unsigned i = 0; i < 257; i++)
		close(fds[i]);
	usleep(20000);
}

static void silent_client_makes_room_for_a_new_one(void **state)
{
	struct rpc_client *c;
	int fds[256];

	for (unsigned i = 0; i < 256; i++)
		fds[i] = raw(*state);
	usleep(1100000);
	c = dial(*state);
	assert_int_equal(rpc_call(c, "echo", NULL, NULL, NULL), 0);
	rpc_close(c);
	for (unsigned i = 0; i < 256; i++)
		close(fds[i]);
	usleep(20000);
}

/* It is told and cut by who comes before its own end was heard of. */
static void silent_client_that_hung_up_makes_room(void **state)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"slow\"}\n";
	struct rpc_client *c;
	int fds[256];

	for (unsigned i = 0; i < 256; i++)
		fds[i] = raw(*state);
	usleep(1100000);
	assert_int_equal(send(fds[255], ask, sizeof(ask) - 1, 0), sizeof(ask) - 1);
	usleep(50000);
	c = dial(*state);
	close(fds[0]);
	assert_int_equal(rpc_call(c, "echo", NULL, NULL, NULL), 0);
	rpc_close(c);
	for (unsigned i = 1; i < 256; i++)
		close(fds[i]);
	usleep(20000);
}

static void clients_that_only_look_make_room_for_an_admin(void **state)
{
	struct rpc_client *c;
	int fds[256];

	role_now = ROLE_VIEW;
	for (unsigned i = 0; i < 256; i++) {
		fds[i] = raw(*state);
		assert_non_null(strstr(say(fds[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.list\"}\n"),
				       "result"));
	}
	role_now = ROLE_ADMIN;
	c = dial(*state);
	assert_int_equal(rpc_call(c, "echo", NULL, NULL, NULL), 0);
	rpc_close(c);
	for (unsigned i = 0; i < 256; i++)
		close(fds[i]);
	usleep(20000);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	int fd = raw(*state);
	char ask[100], want[32];

	for (unsigned i = 0; i < 100; i++) {
		int n = snprintf(ask, sizeof(ask),
				 "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"echo\"}\n", i);

		assert_int_equal(send(fd, ask, (size_t)n, 0), n);
	}
	for (unsigned i = 0; i < 100; i++) {
		snprintf(want, sizeof(want), "\"id\":%u,", i);
		assert_non_null(strstr(say(fd, ""), want));
	}
	close(fd);
}

static void half_closed_client_gets_its_answer(void **state)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}";
	int fd = raw(*state);

	assert_true(send(fd, ask, sizeof(ask) - 1, 0) > 0);
	shutdown(fd, SHUT_WR);
	assert_non_null(strstr(say(fd, ""), "later"));
	close(fd);
}

static void served_socket_is_not_taken_over(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_NONE;
	int fd;

	assert_int_equal(rpc_listen(f->path, &fd, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "somebody serves"));
}

static void dead_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "%s/dead", f->dir);
	assert_int_equal(rpc_listen(path, &fd, NULL), 0);
	close(fd);
	assert_int_equal(rpc_listen(path, &fd, NULL), 0);
	close(fd);
	unlink(path);
}

static void path_too_long_is_refused_in_words(void **state)
{
	char path[200] = "/tmp/";
	struct err err = ERR_NONE;
	int fd;

	memset(path + 5, 'x', 150);
	assert_int_equal(rpc_listen(path, &fd, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "has 155 bytes, more than 107"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(call_returns_the_result),
		TEST(errors_carry_code_sentence_and_hint),
		TEST(bad_params_are_refused_by_name),
		TEST(change_is_saved_before_the_reply),
		TEST(deferred_answer_comes_later),
		TEST(deferred_answer_to_nobody_is_harmless),
		TEST(too_large_reply_becomes_an_error),
		TEST(pages_are_stitched),
		TEST(descriptors_travel_with_their_call),
		TEST(owner_hears_of_a_lease_that_ends),
		TEST(what_cannot_be_answered_is_undone),
		TEST(garbage_is_refused_and_the_connection_goes_on),
		TEST(deep_nesting_is_refused),
		TEST(request_without_end_is_cut),
		TEST(client_that_never_reads_is_cut),
		TEST(clients_beyond_the_limit_are_told),
		TEST(silent_client_makes_room_for_a_new_one),
		TEST(silent_client_that_hung_up_makes_room),
		TEST(clients_that_only_look_make_room_for_an_admin),
		TEST(pipelined_requests_are_answered_in_order),
		TEST(half_closed_client_gets_its_answer),
		TEST(served_socket_is_not_taken_over),
		TEST(dead_socket_is_replaced),
		TEST(path_too_long_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
