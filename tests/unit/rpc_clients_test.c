/* SPDX-License-Identifier: BSD-3-Clause */
/* The JSON-RPC server with clients that are wrong, silent, too many, or in a hurry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/rpc_fixture.h"

#define MAX_BYTES (1024 * 1024)

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

#define CLIENTS_MAX 256

/* As many clients as there may be; `ask`, where it is not "", is answered to each. */
static void crowd_open(const struct fixture *f, int fds[CLIENTS_MAX], const char *ask)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		fds[i] = raw(f);
		if (*ask)
			assert_non_null(strstr(say(fds[i], ask), "result"));
	}
}

static void crowd_close(const int fds[CLIENTS_MAX])
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		close(fds[i]);
	usleep(20000);
}

static void assert_served(const struct fixture *f)
{
	struct rpc_client *c = dial(f);

	assert_int_equal(rpc_call(c, "echo", NULL, NULL, NULL), 0);
	rpc_close(c);
}

static void clients_beyond_the_limit_are_told(void **state)
{
	int fds[CLIENTS_MAX], one_more;

	crowd_open(*state, fds, "");
	one_more = raw(*state);
	assert_non_null(strstr(say(one_more, ""), "256 clients are connected already"));
	close(one_more);
	crowd_close(fds);
}

static void silent_client_makes_room_for_a_new_one(void **state)
{
	int fds[CLIENTS_MAX];

	crowd_open(*state, fds, "");
	usleep(1100000);
	assert_served(*state);
	crowd_close(fds);
}

/* It is told and cut by who comes before its own end was heard of. */
static void silent_client_that_hung_up_makes_room(void **state)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"slow\"}\n";
	struct rpc_client *c;
	int fds[CLIENTS_MAX];

	crowd_open(*state, fds, "");
	usleep(1100000);
	assert_int_equal(send(fds[CLIENTS_MAX - 1], ask, sizeof(ask) - 1, 0), sizeof(ask) - 1);
	usleep(50000);
	c = dial(*state);
	close(fds[0]);
	fds[0] = -1;
	assert_int_equal(rpc_call(c, "echo", NULL, NULL, NULL), 0);
	rpc_close(c);
	crowd_close(fds);
}

static void clients_that_only_look_make_room_for_an_admin(void **state)
{
	int fds[CLIENTS_MAX];

	fixture_role = ROLE_VIEW;
	crowd_open(*state, fds, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.list\"}\n");
	fixture_role = ROLE_ADMIN;
	assert_served(*state);
	crowd_close(fds);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
