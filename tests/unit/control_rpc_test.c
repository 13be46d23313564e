/* SPDX-License-Identifier: BSD-3-Clause */
/* The JSON-RPC server and the client library: calls and their answers, and the socket. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "tests/unit/rpc_fixture.h"

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

/* No request has any: none is kept open, whatever it came with. */
static void descriptors_of_a_client_are_closed(void **state)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n";
	int fd = raw(*state), p[2];
	char buf[8];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(fd_msg_send(fd, request, sizeof(request) - 1, (int[]){p[1], p[1]}, 2, 5000), 0);
	assert_non_null(strstr(say(fd, ""), "result"));
	close(p[1]);
	assert_int_equal(read(p[0], buf, sizeof(buf)), 0); /* the end: nobody else can write */
	close(p[0]);
	close(fd);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

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
		TEST(descriptors_of_a_client_are_closed),
		TEST(owner_hears_of_a_lease_that_ends),
		TEST(what_cannot_be_answered_is_undone),
		TEST(served_socket_is_not_taken_over),
		TEST(dead_socket_is_replaced),
		TEST(path_too_long_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
