/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper between who wants a device and who opens it: hostile and late answers, one that dies in the middle, one that
 * never comes to an end, one that asks all the time.
 *
 * How      Both processes are ends of channels that the test holds; the spare's pid is a child's that sleeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "control/keeper/internal.h"

struct scene {
	struct keeper k;
	struct packet active, spare;
	int forwards, opens; /* their ends */
};

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	pid_t pid = fork(); /* before there is anything that it would have a copy of */
	int pair[2];

	if (pid == 0) {
		pause();
		_exit(0);
	}
	log_level_set(LOG_LEVEL_ERR);
	assert_int_equal(loop_create(&s->k.loop), 0);
	assert_int_equal(channel_pair(pair), 0);
	s->active = (struct packet){.pid = getpid(), .channel = pair[0], .ready = true};
	s->forwards = pair[1];
	assert_int_equal(channel_pair(pair), 0);
	s->spare = (struct packet){.pid = pid, .channel = pair[0], .warm = true};
	s->opens = pair[1];
	s->k.active = &s->active;
	s->k.spare = &s->spare;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	kill(s->spare.pid, SIGKILL);
	waitpid(s->spare.pid, NULL, 0);
	loop_destroy(s->k.loop);
	close(s->active.channel);
	close(s->spare.channel);
	close(s->forwards);
	close(s->opens);
	free(s);
	return 0;
}

static void asks(struct scene *s, uint32_t number)
{
	const struct channel_device d = {.number = number, .device = "net_null1"};

	opening_ask(&s->k, &d);
}

static void answers(struct scene *s, uint32_t number, int result)
{
	const struct channel_opened o = {.number = number, .result = result, .text = "said"};

	opening_answered(&s->k, &o);
}

/* What whoever forwards is told next; 0: nothing. */
static int hears(struct scene *s, uint32_t *number, char text[384])
{
	struct channel_msg m;

	if (channel_receive(s->forwards, &m, false) <= 0)
		return 0;
	assert_int_equal(m.type, CHANNEL_OPENED);
	*number = m.opened.number;
	memcpy(text, m.opened.text, sizeof(m.opened.text));
	return m.opened.result < 0 ? m.opened.result : 1;
}

static void assert_hears(struct scene *s, uint32_t number, int result, const char *part)
{
	char text[384] = "";
	uint32_t got = 0;

	assert_int_equal(hears(s, &got, text), result < 0 ? result : 1);
	assert_int_equal(got, number);
	if (!strstr(text, part))
		fail_msg("no <%s> in <%s>", part, text);
}

static void assert_hears_nothing(struct scene *s)
{
	char text[384];
	uint32_t number;

	assert_int_equal(hears(s, &number, text), 0);
}

/* What the one that opens is told next; 0: nothing. */
static uint32_t is_told(struct scene *s)
{
	struct channel_msg m;

	return channel_receive(s->opens, &m, false) > 0 ? m.type : 0;
}

static void question_and_answer_pass(void **state)
{
	struct scene *s = *state;

	asks(s, 5);
	assert_int_equal(is_told(s), CHANNEL_OPEN);
	assert_hears_nothing(s);
	answers(s, 5, 0);
	assert_hears(s, 5, 0, "said");
	asks(s, 6);
	assert_int_equal(is_told(s), CHANNEL_OPEN);
	answers(s, 6, -ENODEV);
	assert_hears(s, 6, -ENODEV, "said");
	assert_true(s->k.opening.is_open && s->k.opening.state == OPENING_NONE);
}

static void answers_that_nobody_waits_for_are_nothing(void **state)
{
	struct scene *s = *state;

	answers(s, 5, 0);
	assert_false(s->k.opening.is_open);
	asks(s, 5);
	answers(s, 4, 0);
	answers(s, 0, 0);
	assert_hears_nothing(s);
	assert_true(s->k.opening.state == OPENING_ASKED && !s->k.opening.is_open);
	answers(s, 5, 0);
	answers(s, 5, 0);
	assert_hears(s, 5, 0, "said");
	assert_hears_nothing(s);
}

static void one_at_a_time(void **state)
{
	struct scene *s = *state;

	asks(s, 5);
	asks(s, 6);
	assert_hears(s, 6, -EBUSY, "another device is just being opened");
	answers(s, 5, 0);
	assert_hears(s, 5, 0, "said");
}

static void nothing_opens_while_the_switch_changes_hands(void **state)
{
	struct scene *s = *state;

	s->k.succession.state = SUCCESSION_ASKED;
	asks(s, 5);
	assert_hears(s, 5, -EAGAIN, "just being restarted");
	s->k.succession.state = SUCCESSION_NONE;
	s->k.takeover.state = TAKEOVER_CHECKING;
	asks(s, 6);
	assert_hears(s, 6, -EAGAIN, "just being restarted");
	assert_int_equal(is_told(s), 0);
}

static void who_dies_in_the_middle_is_told_of(void **state)
{
	struct scene *s = *state;

	asks(s, 5);
	opening_lost(&s->k, "killed by signal 11");
	assert_hears(s, 5, -EIO, "has ended: killed by signal 11");
	assert_hears_nothing(s);
	assert_int_equal(s->k.opening.state, OPENING_NONE);
}

/* What it had opened for others before is lost with it: number 0. */
static void who_dies_with_open_devices_is_told_of_twice(void **state)
{
	struct scene *s = *state;

	asks(s, 5);
	answers(s, 5, 0);
	asks(s, 6);
	opening_lost(&s->k, "it died");
	assert_hears(s, 5, 0, "said");
	assert_hears(s, 6, -EIO, "it died");
	assert_hears(s, 0, -EIO, "it died");
	assert_false(s->k.opening.is_open);
}

static void what_is_not_needed_is_closed_once(void **state)
{
	struct scene *s = *state;

	opening_unopen(&s->k);
	assert_int_equal(is_told(s), 0);
	asks(s, 5);
	assert_int_equal(is_told(s), CHANNEL_OPEN);
	answers(s, 5, 0);
	opening_unopen(&s->k);
	opening_unopen(&s->k);
	assert_int_equal(is_told(s), CHANNEL_UNOPEN);
	assert_int_equal(is_told(s), 0);
}

static void closed_channel_is_an_answer(void **state)
{
	struct scene *s = *state;

	close(s->opens);
	s->opens = -1;
	asks(s, 5);
	assert_hears(s, 5, -EIO, "takes no message");
	assert_int_equal(s->k.opening.state, OPENING_NONE);
}

/* Forty at once, then one each tenth of a second. */
static void who_asks_all_the_time_waits(void **state)
{
	struct scene *s = *state;
	unsigned n = 0;

	while (n < 1000 && s->k.opening.state == OPENING_NONE) {
		asks(s, ++n);
		if (s->k.opening.state == OPENING_ASKED)
			answers(s, n, -ENODEV);
	}
	assert_in_range(n, 40, 45);
	assert_int_equal(s->k.opening.state, OPENING_WARMING);
	for (uint64_t end_ns = loop_now_ns() + 10 * S_NS;
	     s->k.opening.state == OPENING_WARMING && loop_now_ns() < end_ns;)
		loop_once(s->k.loop, 100);
	assert_int_equal(s->k.opening.state, OPENING_ASKED);
}

static void successions_in_a_row_wait_too(void **state)
{
	struct scene *s = *state;
	unsigned n = 0;

	while (n < 1000 && opening_succession_may(&s->k))
		n++;
	assert_in_range(n, 8, 9);
	asks(s, 5);
	assert_int_equal(is_told(s), 0);
	assert_int_equal(s->k.opening.state, OPENING_WARMING);
}

/* The other process is killed: nothing else ends a driver that waits. */
static void who_never_answers_is_killed(void **state)
{
	struct scene *s = *state;
	int status = 0;

	asks(s, 5);
	for (uint64_t end_ns = loop_now_ns() + 30 * S_NS; s->k.opening.state != OPENING_NONE && loop_now_ns() < end_ns;)
		loop_once(s->k.loop, 1000);
	assert_hears(s, 5, -ETIMEDOUT, "does not come to an end");
	assert_int_equal(waitpid(s->spare.pid, &status, 0), s->spare.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	answers(s, 5, 0); /* it had sent that before */
	assert_hears_nothing(s);
	assert_false(s->k.opening.is_open);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(question_and_answer_pass),
		T(answers_that_nobody_waits_for_are_nothing),
		T(one_at_a_time),
		T(nothing_opens_while_the_switch_changes_hands),
		T(who_dies_in_the_middle_is_told_of),
		T(who_dies_with_open_devices_is_told_of_twice),
		T(what_is_not_needed_is_closed_once),
		T(closed_channel_is_an_answer),
		T(who_asks_all_the_time_waits),
		T(successions_in_a_row_wait_too),
		T(who_never_answers_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
