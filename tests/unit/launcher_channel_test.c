/* SPDX-License-Identifier: BSD-3-Clause */
/* QMP and agent with an honest and with a hostile other side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm-launcher/agent.h"
#include "vm-launcher/line_reader.h"
#include "vm-launcher/qmp.h"

/* A channel under test, the other end of its socket, and what it told. */
struct fixture {
	struct loop *loop;
	int peer;
	struct qmp *qmp;
	struct agent *agent;
	unsigned n_ready, n_lost, n_ended, n_events, n_answers;
	char last[400]; /* event's name, why it ended, or an answer's error */
	json_int_t status;
	char out[64];
};

static void on_ready(void *arg)
{
	((struct fixture *)arg)->n_ready++;
}

static void on_lost(void *arg)
{
	((struct fixture *)arg)->n_lost++;
}

static void on_event(void *arg, const char *name, const json_t *data)
{
	struct fixture *f = arg;

	f->n_events++;
	snprintf(f->last, sizeof(f->last), "%s", name);
}

static void on_ended(void *arg, const char *why)
{
	struct fixture *f = arg;

	f->n_ended++;
	snprintf(f->last, sizeof(f->last), "%s", why);
}

static void on_answer(void *arg, const json_t *result, const struct err *err)
{
	struct fixture *f = arg;
	const char *out = json_string_value(json_object_get(result, "out"));

	f->n_answers++;
	f->status = result ? json_integer_value(json_object_get(result, "status")) : -1;
	snprintf(f->out, sizeof(f->out), "%s", out ? out : "");
	snprintf(f->last, sizeof(f->last), "%s", result ? "" : err->text);
}

static int create(struct fixture **out, int agent)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct qmp_opts qopts = {on_ready, on_event, on_ended, f};
	const struct agent_opts aopts = {on_ready, on_lost, f};
	int pair[2];

	if (!f || loop_create(&f->loop) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	f->peer = pair[1];
	*out = f;
	return agent ? agent_create(f->loop, pair[0], &aopts, &f->agent)
		     : qmp_create(f->loop, pair[0], &qopts, &f->qmp);
}

static int set_up_qmp(void **state)
{
	return create((struct fixture **)state, 0);
}

static int set_up_agent(void **state)
{
	return create((struct fixture **)state, 1);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	qmp_destroy(f->qmp);
	agent_destroy(f->agent);
	loop_destroy(f->loop);
	if (f->peer >= 0)
		close(f->peer);
	free(f);
	return 0;
}

static void turn(struct fixture *f)
{
	for (int i = 0; i < 5; i++)
		loop_once(f->loop, 5);
}

static void say(struct fixture *f, const char *text)
{
	assert_int_equal(send(f->peer, text, strlen(text), 0), strlen(text));
	turn(f);
}

/* What came from the channel, NUL-terminated, in a buffer of its own. */
static const char *heard(struct fixture *f)
{
	static char buf[4096];
	ssize_t n;

	turn(f);
	n = recv(f->peer, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

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

/* Answers the sync that is out, as Debian's qemu-ga does: first an error about the 0xff. */
static void agent_ready(struct fixture *f)
{
	char answer[128];
	const char *id;

	agent_port_opened(f->agent);
	id = strstr(heard(f), "\"id\":");
	assert_non_null(id);
	snprintf(
		answer, sizeof(answer),
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"stray\"}}\n\xff{\"return\": "
		"%ld}\n",
		strtol(id + 5, NULL, 10));
	say(f, answer);
	assert_int_equal(f->n_ready, 1);
}

static void agent_syncs_before_it_is_ready(void **state)
{
	struct fixture *f = *state;

	agent_port_opened(f->agent);
	assert_int_equal((unsigned char)heard(f)[0], 0xff);
	say(f, "{\"return\": 4711}\n{\"return\": {}}\nnoise\n");
	assert_int_equal(f->n_ready, 0);
	agent_call(f->agent, "guest-ping", NULL, 100, on_answer, f);
	assert_string_equal(f->last, "the guest's agent does not answer (yet)");
}

static void half_a_line_before_the_sync_is_forgotten(void **state)
{
	struct fixture *f = *state;

	say(f, "{\"return\": {\"half\": ");
	agent_ready(f);
}

static void program_runs_to_its_end(void **state)
{
	struct fixture *f = *state;
	json_t *argv = json_pack("[s,s]", "ls", "/");

	agent_ready(f);
	agent_exec(f->agent, argv, NULL, 5000, on_answer, f);
	json_decref(argv);
	assert_string_equal(heard(f), "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"ls\","
				      "\"arg\":[\"/\"],\"capture-output\":true}}\n");
	say(f, "{\"return\": {\"pid\": 12}}\n");
	assert_non_null(strstr(heard(f), "guest-exec-status"));
	say(f, "{\"return\": {\"exited\": false}}\n");
	assert_int_equal(f->n_answers, 0);
	usleep(30000);
	assert_non_null(strstr(heard(f), "\"pid\":12"));
	say(f, "{\"return\": {\"exited\": true, \"exitcode\": 3, \"out-data\": \"aGk=\"}}\n");
	assert_int_equal(f->n_answers, 1);
	assert_int_equal(f->status, 3);
	assert_string_equal(f->out, "aGk=");
}

static void input_goes_with_the_start(void **state)
{
	struct fixture *f = *state;
	json_t *argv = json_pack("[s]", "cat"), *input = json_string("aGk=");

	agent_ready(f);
	agent_exec(f->agent, argv, input, 5000, on_answer, f);
	json_decref(argv);
	json_decref(input);
	assert_string_equal(heard(f), "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"cat\","
				      "\"arg\":[],\"capture-output\":true,\"input-data\":\"aGk=\"}}\n");
	agent_port_closed(f->agent);
	assert_int_equal(f->n_answers, 1);
}

static void silent_agent_fails_its_command_and_is_synced_again(void **state)
{
	struct fixture *f = *state;

	agent_ready(f);
	agent_call(f->agent, "guest-ping", NULL, 200, on_answer, f);
	agent_call(f->agent, "guest-info", NULL, 200, on_answer, f);
	assert_non_null(strstr(heard(f), "guest-ping"));
	usleep(250000);
	turn(f);
	assert_int_equal(f->n_answers, 2);
	assert_int_equal(f->n_lost, 1);
	assert_string_equal(f->last, "the guest's agent did not answer in time");
	assert_int_equal((unsigned char)heard(f)[0], 0xff);
}

static void hostile_agent_is_survived(void **state)
{
	static const char *const lines[] = {
		"null\n",
		"[]\n",
		"{\"return\": 1e999}\n",
		"{\"return\": {\"pid\": \"x\"}}\n",
		"\xff\xff\xff\n",
		"{\"return\": {\"exited\": 1}}\n",
		"{}\n",
		"\n\n\r\n",
		"{\"error\": []}\n",
		"{\"return\": {\"exited\": true, \"out-data\": 5}}\n",
	};
	struct fixture *f = *state;

	agent_ready(f);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		json_t *argv = json_pack("[s]", "x");

		agent_exec(f->agent, argv, NULL, 1000, on_answer, f);
		json_decref(argv);
		say(f, lines[i]);
		say(f, lines[(i + 3) % 10]);
	}
	assert_int_equal(f->n_ended, 0);
	heard(f);
	agent_port_closed(f->agent);
	usleep(20000);
	turn(f);
	/* Whatever they became, every run has ended. */
	assert_int_equal(f->n_answers, sizeof(lines) / sizeof(lines[0]));
}

static void answer_that_is_too_long_costs_only_its_command(void **state)
{
	struct fixture *f = *state;
	static char junk[65536];

	agent_ready(f);
	agent_call(f->agent, "guest-info", NULL, 5000, on_answer, f);
	memset(junk, 'x', sizeof(junk));
	for (size_t sent = 0; sent < (4 << 20) + sizeof(junk);) {
		ssize_t n = send(f->peer, junk, sizeof(junk), MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		loop_once(f->loop, 0);
	}
	while (send(f->peer, "\n", 1, MSG_DONTWAIT) != 1)
		loop_once(f->loop, 0);
	for (int i = 0; i < 1000 && !f->n_answers; i++)
		loop_once(f->loop, 5);
	assert_string_equal(f->last, "the guest's agent answered with more than 4 MiB");
	agent_call(f->agent, "guest-ping", NULL, 1000, on_answer, f);
	say(f, "{\"return\": {}}\n");
	assert_int_equal(f->n_answers, 2);
	assert_string_equal(f->last, "");
	assert_int_equal(f->n_lost, 0);
}

static void queue_of_commands_is_bounded(void **state)
{
	struct fixture *f = *state;

	agent_ready(f);
	for (int i = 0; i < 40; i++)
		agent_call(f->agent, "guest-ping", NULL, 1000, on_answer, f);
	assert_string_equal(f->last, "32 commands wait for the guest's agent already");
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

#define QMP(name)   cmocka_unit_test_setup_teardown(name, set_up_qmp, tear_down)
#define AGENT(name) cmocka_unit_test_setup_teardown(name, set_up_agent, tear_down)

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

/* What an agent may say that is none: it ends up on a terminal and in JSON. */
static void words_of_an_agent_are_cleaned(void **state)
{
	struct fixture *f = *state;
	char line[1200], letters[401] = "";
	json_t *text;

	agent_ready(f);
	for (int i = 0; i < 400; i += 2)
		memcpy(letters + i, "\xc3\xa9", 3);
	snprintf(line, sizeof(line), "{\"error\": {\"desc\": \"\\u001b[31mx\\r\\n%s\"}}\n", letters);
	agent_call(f->agent, "guest-ping", NULL, 1000, on_answer, f);
	heard(f);
	say(f, line);
	assert_int_equal(f->n_answers, 1);
	assert_null(strchr(f->last, 0x1b));
	assert_non_null(strstr(f->last, "says: ?[31mx  \xc3\xa9"));
	text = json_string(f->last); /* NULL for half a letter */
	assert_non_null(text);
	json_decref(text);
}

/* Cut in the middle of a letter it would be no text any more: an answer without output, and not none. */
static void output_that_is_no_base64_is_an_answer(void **state)
{
	struct fixture *f = *state;
	char *line = calloc(1, AGENT_OUTPUT_MAX * 4);
	json_t *argv = json_pack("[s]", "/bin/true");
	size_t len;

	agent_ready(f);
	agent_exec(f->agent, argv, NULL, 30000, on_answer, f);
	json_decref(argv);
	heard(f);
	say(f, "{\"return\": {\"pid\": 7}}\n");
	while (!strstr(heard(f), "guest-exec-status"))
		;
	len = (size_t)snprintf(line, AGENT_OUTPUT_MAX,
			       "{\"return\": {\"exited\": true, \"exitcode\": 3, \"out-data\": \"x");
	for (; len < AGENT_OUTPUT_MAX * 3; len += 2)
		memcpy(line + len, "\xc3\xa9", 2);
	memcpy(line + len, "\"}}\n", 5);
	for (size_t sent = 0; line[sent];) {
		ssize_t n = send(f->peer, line + sent, strlen(line + sent), MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		turn(f);
	}
	for (int i = 0; i < 100 && !f->n_answers; i++)
		turn(f);
	assert_int_equal(f->n_answers, 1);
	assert_int_equal(f->status, 3);
	assert_string_equal(f->out, "");
	free(line);
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
		AGENT(agent_syncs_before_it_is_ready),
		AGENT(half_a_line_before_the_sync_is_forgotten),
		AGENT(program_runs_to_its_end),
		AGENT(input_goes_with_the_start),
		AGENT(silent_agent_fails_its_command_and_is_synced_again),
		AGENT(hostile_agent_is_survived),
		AGENT(answer_that_is_too_long_costs_only_its_command),
		AGENT(queue_of_commands_is_bounded),
		AGENT(words_of_an_agent_are_cleaned),
		AGENT(output_that_is_no_base64_is_an_answer),
		cmocka_unit_test(reader_stops_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
