/* SPDX-License-Identifier: BSD-3-Clause */
/* The client of a guest's agent, with an honest and with a hostile one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/channel_fixture.h"
#include "vm-launcher/agent.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
