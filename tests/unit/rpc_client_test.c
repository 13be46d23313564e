/* SPDX-License-Identifier: BSD-3-Clause */
/* The JSON-RPC client and servers that lie, talk without end, or stop in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/rpc/client.h"
#include "tests/unit/rpc_liar.h"

#define MIB	   (1024 * 1024)
#define EVENTS_MAX 4096 /* that the client keeps while it waits for an answer */
#define OTHERS_MAX 64	/* answers that nobody asked for, between two events */

static const char event[] = "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{}}\n";
static const char other[] = "{\"jsonrpc\":\"2.0\",\"id\":99999,\"result\":{}}\n";

/* One call to a server that talks so; what comes of it. */
static int call(struct rpc_liar *l, void (*talk)(int fd), struct rpc_client **c, struct err *err)
{
	json_t *result = NULL;
	int rc;

	*err = (struct err)ERR_NONE;
	rpc_liar_begin(l, talk);
	assert_int_equal(rpc_connect(l->path, 5000, c, err), 0);
	rpc_timeout_set(*c, 10000);
	rc = rpc_call(*c, "m", NULL, &result, err);
	json_decref(result);
	return rc;
}

static void over(struct rpc_liar *l, struct rpc_client *c)
{
	rpc_close(c);
	rpc_liar_end(l);
}

static void wait_for_its_end(int fd)
{
	char byte;

	while (read(fd, &byte, 1) == 1)
		;
}

static void never_ends_its_line(int fd)
{
	char line[512], *text = malloc(MIB);

	memset(text, 'x', MIB);
	liar_hears(fd, line, sizeof(line));
	for (unsigned i = 0; i < 4; i++)
		liar_says(fd, text, MIB);
	free(text);
	wait_for_its_end(fd);
}

static void line_without_end_is_given_up(void **state)
{
	struct rpc_client *c;
	struct rpc_liar l;
	struct err err;

	assert_int_equal(call(&l, never_ends_its_line, &c, &err), -EMSGSIZE);
	assert_non_null(strstr(err.text, "larger than 1 MiB"));
	over(&l, c);
}

static void says_no_json(int fd)
{
	static const char zeros[] = "{\"id\":1,\0\"result\":{}}                                  \n";
	char line[512];

	for (unsigned i = 0; liar_hears(fd, line, sizeof(line)); i++)
		switch (i) {
		case 0: liar_says(fd, zeros, sizeof(zeros) - 1); break;
		case 1: liar_says_text(fd, "\n"); break;
		case 2: liar_says_text(fd, "[]\n"); break;
		case 3: liar_says_text(fd, "{\"id\":4,\"id\":4,\"result\":{}}\n"); break;
		case 4: liar_says_text(fd, "\"\xff\xfe\"\n"); break;
		default: liar_answers(fd, line, "{}");
		}
}

/* And the connection goes on. */
static void what_is_no_object_is_refused(void **state)
{
	struct rpc_client *c;
	struct rpc_liar l;
	struct err err;

	assert_int_equal(call(&l, says_no_json, &c, &err), -EPROTO);
	assert_non_null(strstr(err.text, "no JSON object"));
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(rpc_call(c, "m", NULL, NULL, &err), -EPROTO);
	assert_int_equal(rpc_call(c, "m", NULL, NULL, &err), 0);
	over(&l, c);
}

static void stops_in_the_middle(int fd)
{
	char line[512];

	liar_hears(fd, line, sizeof(line));
	liar_says_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"resu");
}

static void half_a_line_is_none(void **state)
{
	struct rpc_client *c;
	struct rpc_liar l;
	struct err err;

	assert_int_equal(call(&l, stops_in_the_middle, &c, &err), -EPIPE);
	over(&l, c);
}

static void answers_others(int fd)
{
	char line[512];

	liar_hears(fd, line, sizeof(line));
	for (unsigned i = 0; i < 3000; i++) {
		liar_says(fd, other, sizeof(other) - 1);
		usleep(1000);
	}
}

static void who_answers_others_all_the_time_does_not_answer(void **state)
{
	struct err err = ERR_NONE;
	struct rpc_client *c;
	struct rpc_liar l;

	rpc_liar_begin(&l, answers_others);
	assert_int_equal(rpc_connect(l.path, 5000, &c, &err), 0);
	rpc_timeout_set(c, 300);
	assert_int_equal(rpc_call(c, "m", NULL, NULL, &err), -ETIMEDOUT);
	over(&l, c);
}

static void tells_of_everything(int fd)
{
	char line[512];

	liar_hears(fd, line, sizeof(line));
	for (unsigned i = 0; i < EVENTS_MAX + 500; i++)
		liar_says(fd, event, sizeof(event) - 1);
	liar_answers(fd, line, "{}");
	wait_for_its_end(fd);
}

static void events_of_one_call_have_an_end(void **state)
{
	struct rpc_client *c;
	struct rpc_liar l;
	struct err err;
	json_t *params;
	unsigned n = 0;

	assert_int_equal(call(&l, tells_of_everything, &c, &err), 0);
	while (rpc_event_next(c, 0, &params, &err) == 0 && n++ <= EVENTS_MAX)
		json_decref(params);
	assert_int_equal(n, EVENTS_MAX);
	over(&l, c);
}

static void answers_before_it_is_asked(int fd)
{
	char line[512];

	liar_hears(fd, line, sizeof(line));
	liar_answers(fd, line, "{}");
	for (unsigned k = 0; k < 2; k++) {
		for (unsigned i = 0; i < OTHERS_MAX - 1 + k; i++)
			liar_says(fd, other, sizeof(other) - 1);
		liar_says(fd, event, sizeof(event) - 1);
	}
	wait_for_its_end(fd);
}

static void stream_of_what_nobody_asked_is_given_up(void **state)
{
	struct rpc_client *c;
	struct rpc_liar l;
	struct err err;
	json_t *params;

	assert_int_equal(call(&l, answers_before_it_is_asked, &c, &err), 0);
	assert_int_equal(rpc_event_next(c, 5000, &params, &err), 0);
	json_decref(params);
	assert_int_equal(rpc_event_next(c, 5000, &params, &err), -EPROTO);
	assert_non_null(strstr(err.text, "what nobody asked"));
	over(&l, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_without_end_is_given_up),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(half_a_line_is_none),
		cmocka_unit_test(who_answers_others_all_the_time_does_not_answer),
		cmocka_unit_test(events_of_one_call_have_an_end),
		cmocka_unit_test(stream_of_what_nobody_asked_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
