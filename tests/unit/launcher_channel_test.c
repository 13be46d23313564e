/* SPDX-License-Identifier: BSD-3-Clause */
/* QMP, and the lines that it shares with the agent, with an honest and with a hostile other side. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/channel_fixture.h"
#include "vm-launcher/line_reader.h"
#include "vm-launcher/qmp.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"

static void qmp_ready(struct fixture *f)
{
	say(f, GREETING);
	assert_string_equal(heard(f), "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
	say(f, "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(f->n_ready, 1);
}

static void greeting_in_single_bytes_is_understood(void **state)
{
	struct fixture *f = *state;

	for (const char *p = GREETING; *p; p++)
		assert_int_equal(send(f->peer, p, 1, 0), 1);
	turn(f);
	assert_string_equal(heard(f), "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
}

static void answers_find_their_commands(void **state)
{
	struct fixture *f = *state;

	qmp_ready(f);
	qmp_call(f->qmp, "stop", NULL, on_answer, f);
	assert_string_equal(heard(f), "{\"execute\":\"stop\",\"id\":2}\n");
	say(f, "{\"return\": {}, \"id\": 77}\n{\"return\": {}}\n{\"timestamp\": 1}\n");
	assert_int_equal(f->n_answers, 0);
	say(f, "{\"event\": \"STOP\"}\n{\"error\": {\"desc\": \"no\"}, \"id\": 2}\n");
	assert_int_equal(f->n_events, 1);
	assert_int_equal(f->n_answers, 1);
	assert_string_equal(f->last, "QEMU says: no");
}

static void second_greeting_is_ignored(void **state)
{
	struct fixture *f = *state;

	qmp_ready(f);
	say(f, GREETING GREETING);
	assert_int_equal(f->n_ready, 1);
	assert_string_equal(heard(f), "");
}

static void text_that_is_no_json_ends_qmp(void **state)
{
	struct fixture *f = *state;

	qmp_ready(f);
	qmp_call(f->qmp, "stop", NULL, on_answer, f);
	say(f, "[1, 2]\n");
	assert_int_equal(f->n_ended, 1);
	assert_string_equal(f->last, "it sent something that is not a JSON object");
	assert_int_equal(f->n_answers, 1); /* failed */
}

static void line_without_end_ends_qmp(void **state)
{
	struct fixture *f = *state;
	static char junk[65536];

	memset(junk, 'x', sizeof(junk));
	for (int i = 0; i < 40 && !f->n_ended; i++) {
		if (send(f->peer, junk, sizeof(junk), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			assert_int_equal(errno, EAGAIN);
		turn(f);
	}
	assert_int_equal(f->n_ended, 1);
	assert_string_equal(f->last, "it sent a line that is too long");
}

static void deep_nesting_ends_qmp_without_harm(void **state)
{
	struct fixture *f = *state;
	static char deep[100002];

	memset(deep, '[', 100000);
	deep[100000] = '\n';
	for (size_t at = 0; at < 100001;) {
		ssize_t n = send(f->peer, deep + at, 100001 - at, MSG_DONTWAIT);

		at += n > 0 ? (size_t)n : 0;
		turn(f);
	}
	turn(f);
	assert_int_equal(f->n_ended, 1);
}

static void end_of_qemu_fails_what_waits(void **state)
{
	struct fixture *f = *state;

	qmp_ready(f);
	qmp_call(f->qmp, "stop", NULL, on_answer, f);
	close(f->peer);
	f->peer = -1;
	turn(f);
	assert_int_equal(f->n_answers, 1);
	assert_int_equal(f->n_ended, 1);
}

static int stop_at_second(void *arg, char *line, size_t len)
{
	return ++*(int *)arg == 2 ? -ECANCELED : 0;
}

static void reader_stops_when_told(void **state)
{
	struct line_reader r;
	int n = 0;

	line_reader_init(&r, 100);
	assert_int_equal(line_reader_feed(&r, "a\nb\nc\n", 6, stop_at_second, &n), -ECANCELED);
	assert_int_equal(n, 2);
	line_reader_free(&r);
}

static void commands_wait_for_a_peer_that_reads_late(void **state)
{
	struct fixture *f = *state;
	char text[10001], buf[65536];
	unsigned n_lines = 0;
	ssize_t n;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (unsigned i = 0; i < 60; i++)
		qmp_call(f->qmp, "x", json_pack("{ss}", "text", text), on_answer, f);
	for (unsigned i = 0; i < 100; i++) {
		loop_once(f->loop, 0);
		while ((n = recv(f->peer, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			for (ssize_t k = 0; k < n; k++)
				n_lines += buf[k] == '\n';
	}
	assert_int_equal(n_lines, 60);
	assert_int_equal(f->n_answers + f->n_ended, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		QMP(greeting_in_single_bytes_is_understood),
		QMP(answers_find_their_commands),
		QMP(second_greeting_is_ignored),
		QMP(text_that_is_no_json_ends_qmp),
		QMP(line_without_end_ends_qmp),
		QMP(deep_nesting_ends_qmp_without_harm),
		QMP(end_of_qemu_fails_what_waits),
		QMP(commands_wait_for_a_peer_that_reads_late),
		cmocka_unit_test(reader_stops_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
