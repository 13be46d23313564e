/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's limits and refusals, one step of its loop at a time: what a line may hold, who finds no
 * descriptor free, who hangs up before or while it is answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "control/rpc/conn.h"

struct scene {
	char dir[32], path[64];
	struct loop *loop;
	struct rpc_server *server;
	int client;
	unsigned n_gone;
	int asked; /* what rpc_on_disconnect() said last */
	bool has_answer;
	struct rpc_call *later;
	bool cannot_save;
};

static void on_gone(void *arg)
{
	((struct scene *)arg)->n_gone++;
}

/* Wants to hear of the end, and of nothing else. */
static int do_lease(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct scene *s = rpc_ctx(call);

	s->asked = rpc_on_disconnect(call, on_gone, s);
	s->has_answer = rpc_has_answer(call);
	return 0;
}

static int do_later(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	((struct scene *)rpc_ctx(call))->later = call;
	return RPC_DEFERRED;
}

/* An answer of 200 KiB, with a descriptor: a few of them fill every socket. */
static int do_large(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	char *text = malloc(200 * 1024);

	memset(text, 'a', 200 * 1024 - 1);
	text[200 * 1024 - 1] = '\0';
	*result = json_pack("{ss}", "text", text);
	free(text);
	return rpc_give_fd(call, STDERR_FILENO);
}

static int save(void *arg, struct err *err)
{
	return ((struct scene *)arg)->cannot_save ? err_set(err, -ENOSPC, "there is no room") : 0;
}

static const struct method m_lease = {"lease", NULL, "x", NULL, 0, NULL};
static const struct method m_later = {"later", NULL, "x", NULL, METHOD_MUTATES, NULL};
static const struct method m_large = {"large", NULL, "x", NULL, 0, NULL};
static const struct rpc_method methods[] = {
	{&m_lease, do_lease}, {&m_later, do_later}, {&m_large, do_large}, {NULL, NULL}};

static int dial(struct scene *s)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(to.sun_path, s->path, sizeof(s->path));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct rpc_server_opts opts = {.methods = methods, .ctx = s, .after_change = save};
	struct err err = ERR_NONE;

	log_level_set(LOG_LEVEL_ERR);
	snprintf(s->dir, sizeof(s->dir), "/tmp/rpc-limits-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/s", s->dir);
	assert_int_equal(loop_create(&s->loop), 0);
	assert_int_equal(rpc_listen(s->path, &opts.listen_fd, &err), 0);
	assert_int_equal(rpc_server_create(s->loop, &opts, &s->server, &err), 0);
	s->client = dial(s);
	loop_once(s->loop, 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	if (s->client >= 0)
		close(s->client);
	rpc_server_destroy(s->server);
	loop_destroy(s->loop);
	unlink(s->path);
	rmdir(s->dir);
	free(s);
	return 0;
}

/* What the server says to that, "" for nothing. */
static const char *say(struct scene *s, const char *text)
{
	static char got[65536];
	ssize_t n;

	assert_int_equal(send(s->client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	for (unsigned i = 0; i < 8; i++)
		loop_once(s->loop, 0);
	n = recv(s->client, got, sizeof(got) - 1, 0);
	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void refused(struct scene *s, const char *line, const char *part)
{
	const char *got = say(s, line);

	if (!strstr(got, part))
		fail_msg("%.80s: \"%s\" is not in: %.200s", line, part, got);
}

static void envelopes_that_are_none_are_refused(void **state)
{
	struct scene *s = *state;

	refused(s, "7\n", "no JSON");
	refused(s, "[]\n", "batches are not served");
	refused(s, "{}\n", "must be \\\"2.0\\\"");
	refused(s, "{\"jsonrpc\":\"2.0\",\"method\":7}\n", "\\\"method\\\" must be a text");
	refused(s, "{\"jsonrpc\":\"2.0\",\"method\":\"lease\",\"id\":{}}\n", "\\\"id\\\" must be");
	refused(s, "{\"jsonrpc\":\"2.0\",\"method\":\"lease\",\"id\":[1]}\n", "\\\"id\\\" must be");
}

static void ids_of_up_to_256_bytes_are_taken(void **state)
{
	char line[512], id[300];

	for (int n = 256; n <= 257; n++) {
		memset(id, 'i', sizeof(id));
		id[n] = '\0';
		snprintf(line, sizeof(line),
			 "{\"jsonrpc\":\"2.0\",\"method\":\"lease\",\"id\":\"%s\"}\n", id);
		refused(*state, line, n == 256 ? "\"result\"" : "at most 256 bytes");
	}
}

static void more_values_than_can_be_decoded_are_refused(void **state)
{
	char *line = malloc(70000);

	memset(line, '[', 1);
	for (unsigned i = 0; i < 32800; i++)
		memcpy(line + 1 + 2 * i, "1,", 2);
	memcpy(line + 1 + 2 * 32800, "1]\n", 4);
	refused(*state, line, "more than 32768 values");
	free(line);
}

static void fifth_wish_to_hear_of_the_end_is_refused(void **state)
{
	struct scene *s = *state;

	for (unsigned i = 0; i < 5; i++) {
		refused(s, "{\"jsonrpc\":\"2.0\",\"method\":\"lease\",\"id\":1}\n", "\"result\"");
		assert_int_equal(s->asked, i < 4 ? 0 : -ENOSPC);
		assert_true(s->has_answer);
	}
	assert_string_equal(say(s, "{\"jsonrpc\":\"2.0\",\"method\":\"lease\"}\n"), "");
	assert_false(s->has_answer);
	close(s->client);
	s->client = -1;
	for (unsigned i = 0; i < 4; i++)
		loop_once(s->loop, 0);
	assert_int_equal(s->n_gone, 4);
}

static void who_has_hung_up_is_found_at_once(void **state)
{
	struct scene *s = *state;
	struct rpc_conn *c = LIST_FIRST(&s->server->conns);
	struct err err = ERR_NONE;

	say(s, "{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":1}\n");
	assert_non_null(s->later);
	assert_false(rpc_end_if_closed(c));
	close(s->client);
	s->client = -1;
	assert_true(rpc_end_if_closed(c));
	/* Its call still has to be answered, to nobody, who can be asked nothing. */
	assert_null(rpc_connection(s->later));
	assert_int_equal(rpc_on_disconnect(s->later, on_gone, s), -ENOTCONN);
	assert_int_equal(rpc_peer(s->later, &(struct ucred){0}), -ENOTCONN);
	assert_null(rpc_stream(s->later));
	err_set(&err, -ENODATA, "nothing");
	rpc_fail(s->later, &err);
	assert_int_equal(s->n_gone, 0);
}

static void second_descriptor_waits_for_the_first_to_be_read(void **state)
{
	const char *line = "{\"jsonrpc\":\"2.0\",\"method\":\"large\",\"id\":1}\n";
	char *got = malloc(1 << 20);
	struct scene *s = *state;
	unsigned n_large = 0;
	size_t total = 0;

	/* More than the socket takes: one's descriptor is on its way, the next one's waits. */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(send(s->client, line, strlen(line), 0), strlen(line));
		for (unsigned k = 0; k < 4; k++)
			loop_once(s->loop, 0);
	}
	for (unsigned i = 0; i < 100; i++) {
		ssize_t n;

		while ((n = recv(s->client, got + total, (1 << 20) - 1 - total, 0)) > 0)
			total += (size_t)n;
		loop_once(s->loop, 0);
	}
	got[total] = '\0';
	for (const char *at = got; (at = strstr(at, "\"text\"")); at++)
		n_large++;
	assert_in_range(n_large, 1, 3);
	assert_non_null(strstr(got, "another answer of this connection"));
	free(got);
}

static void client_without_a_descriptor_for_it_is_told(void **state)
{
	struct scene *s = *state;
	struct rlimit was, few;
	int fds[64], fd, n = 0;
	char got[256] = "";

	fd = dial(s);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = (struct rlimit){64, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < 64 && (fds[n] = dup(STDERR_FILENO)) >= 0)
		n++;
	loop_once(s->loop, 0);
	while (n)
		close(fds[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
	assert_non_null(strstr(got, "out of file descriptors"));
	assert_int_equal(recv(fd, got, sizeof(got), 0), 0);
	close(fd);
	/* The others go on, and so do new ones. */
	refused(s, "{\"jsonrpc\":\"2.0\",\"method\":\"lease\",\"id\":1}\n", "\"result\"");
	fd = dial(s);
	loop_once(s->loop, 0);
	assert_int_equal(s->server->n_conns, 2);
	close(fd);
}

/* As before a planned succession: whoever comes is the next process's, whoever asked is answered. */
static void server_that_is_about_to_end_takes_nobody_new(void **state)
{
	const char *line = "{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":1}\n";
	struct scene *s = *state;
	int fd;

	rpc_server_accept(s->server, false);
	fd = dial(s);
	loop_once(s->loop, 0);
	assert_int_equal(s->server->n_conns, 1);
	assert_true(rpc_server_at_rest(s->server));
	/* A request that is not read yet, half of one, one that is not answered. */
	assert_int_equal(send(s->client, line, 10, 0), 10);
	assert_false(rpc_server_at_rest(s->server));
	loop_once(s->loop, 0);
	assert_false(rpc_server_at_rest(s->server));
	say(s, line + 10);
	assert_non_null(s->later);
	assert_false(rpc_server_at_rest(s->server));
	rpc_reply(s->later, json_object());
	refused(s, "", "\"result\"");
	assert_true(rpc_server_at_rest(s->server));
	rpc_server_accept(s->server, true);
	loop_once(s->loop, 0);
	assert_int_equal(s->server->n_conns, 2);
	close(fd);
}

static void late_answer_of_a_change_that_cannot_be_saved_is_an_error(void **state)
{
	struct scene *s = *state;

	s->cannot_save = true;
	say(s, "{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":1}\n");
	assert_non_null(s->later);
	rpc_reply(s->later, json_object());
	refused(s, "", "no room");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(envelopes_that_are_none_are_refused),
		T(ids_of_up_to_256_bytes_are_taken),
		T(more_values_than_can_be_decoded_are_refused),
		T(fifth_wish_to_hear_of_the_end_is_refused),
		T(who_has_hung_up_is_found_at_once),
		T(second_descriptor_waits_for_the_first_to_be_read),
		T(client_without_a_descriptor_for_it_is_told),
		T(server_that_is_about_to_end_takes_nobody_new),
		T(late_answer_of_a_change_that_cannot_be_saved_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
