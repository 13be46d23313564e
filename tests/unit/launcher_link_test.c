/* SPDX-License-Identifier: BSD-3-Clause */
/* A supervisor's link to a switch that was taken over: events that are none, too many, a line without end, no answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/rpc_liar.h"
#include "vm-launcher/switch_link.h"

#define EVENTS_A_TURN 1024

struct scene {
	struct rpc_liar liar;
	struct loop *loop;
	struct vm_spec spec;
	struct switch_link *link;
	unsigned n_carrier, n_mtu;
	bool on;
	int mtu;
};

static void on_carrier(void *arg, unsigned i, bool on)
{
	struct scene *s = arg;

	assert_int_equal(i, 0);
	s->n_carrier++;
	s->on = on;
}

static void on_mtu(void *arg, unsigned i, int mtu)
{
	struct scene *s = arg;

	assert_int_equal(i, 0);
	s->n_mtu++;
	s->mtu = mtu;
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	log_level_set(LOG_LEVEL_ERR);
	assert_int_equal(loop_create(&s->loop), 0);
	snprintf(s->spec.name, sizeof(s->spec.name), "h1");
	s->spec.n_nics = 1;
	snprintf(s->spec.nics[0].port, sizeof(s->spec.nics[0].port), "h1.0");
	snprintf(s->spec.nics[0].bridge, sizeof(s->spec.nics[0].bridge), "br0");
	snprintf(s->spec.nics[0].model, sizeof(s->spec.nics[0].model), "virtio");
	snprintf(s->spec.nics[0].guard, sizeof(s->spec.nics[0].guard), "off");
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	switch_link_close(s->link);
	rpc_liar_end(&s->liar);
	loop_destroy(s->loop);
	free(s);
	return 0;
}

static int opened(struct scene *s, void (*talk)(int fd), struct err *err)
{
	const struct switch_link_opts opts = {.carrier = on_carrier, .mtu = on_mtu, .arg = s};

	rpc_liar_begin(&s->liar, talk);
	return switch_link_open(s->loop, s->liar.dir, "1", &s->spec, &opts, &s->link, err);
}

/* Answers calls as a switch does, until the one for the port's state. */
static void serve(int fd)
{
	char line[4096];

	while (liar_hears(fd, line, sizeof(line))) {
		bool is_list = strstr(line, "\"port.list\"") != NULL;

		liar_answers(fd, line, is_list ? "{\"items\":[{\"state\":\"up\",\"carrier\":true}]}" : "{}");
		if (is_list)
			return;
	}
}

/* Answers the rest. */
static void serve_on(int fd)
{
	char line[4096];

	while (liar_hears(fd, line, sizeof(line)))
		liar_answers(fd, line, "{\"items\":[]}");
}

static void event_says(int fd, const char *params)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":%s}\n", params);
	liar_says_text(fd, text);
}

static void tells_nonsense(int fd)
{
	static const char *const params[] = {
		"null", "3", "[]", "{}", "{\"object\":3,\"kind\":\"port.carrier\"}", "{\"object\":\"h1.0\"}",
		"{\"object\":\"h1.0\",\"kind\":7,\"on\":false}", "{\"object\":\"h1.0\",\"kind\":\"port.state\",\"new\":9}",
		"{\"object\":\"h2.0\",\"kind\":\"port.carrier\",\"on\":false}",
		"{\"object\":\"\",\"kind\":\"port.mtu\",\"mtu\":1}",
		"{\"object\":\"h1.0\",\"kind\":\"port.mtu\",\"mtu\":1400}", /* the only one that is meant for it */
	};

	serve(fd);
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		event_says(fd, params[i]);
	serve_on(fd);
}

static void run_until(struct scene *s, bool (*is_so)(struct scene *s))
{
	for (uint64_t end_ns = loop_now_ns() + 10 * S_NS; !is_so(s) && loop_now_ns() < end_ns;)
		loop_once(s->loop, 50);
	assert_true(is_so(s));
}

static bool has_mtu(struct scene *s)
{
	return s->n_mtu > 0;
}

static void events_that_are_none_are_nothing(void **state)
{
	struct scene *s = *state;

	assert_int_equal(opened(s, tells_nonsense, NULL), 0);
	run_until(s, has_mtu);
	assert_true(s->n_mtu == 1 && s->mtu == 1400);
	assert_true(s->n_carrier == 1 && s->on); /* of the port's state */
	assert_string_equal(switch_link_state(s->link), "connected");
}

static void never_stops_telling(int fd)
{
	serve(fd);
	for (unsigned i = 0; i < 20 * EVENTS_A_TURN; i++)
		event_says(fd, "{\"object\":\"h1.0\",\"kind\":\"port.carrier\",\"on\":true}");
	serve_on(fd);
}

static bool is_gone(struct scene *s)
{
	return !strcmp(switch_link_state(s->link), "gone");
}

static bool is_connected(struct scene *s)
{
	return !is_gone(s);
}

/* The supervisor has other things to do: it connects again, and asks how it is. */
static void events_without_end_end_the_connection(void **state)
{
	struct scene *s = *state;

	assert_int_equal(opened(s, never_stops_telling, NULL), 0);
	run_until(s, is_gone);
	assert_in_range(s->n_carrier, EVENTS_A_TURN, 20 * EVENTS_A_TURN - 1);
	run_until(s, is_connected);
}

static void never_ends_its_line(int fd)
{
	char *text = malloc(1 << 20);

	memset(text, ' ', 1 << 20);
	serve(fd);
	for (unsigned i = 0; i < 4; i++)
		liar_says(fd, text, 1 << 20);
	free(text);
	serve_on(fd);
}

static void line_without_end_ends_the_connection(void **state)
{
	struct scene *s = *state;

	assert_int_equal(opened(s, never_ends_its_line, NULL), 0);
	run_until(s, is_gone);
}

static void never_answers(int fd)
{
	char line[4096];

	while (liar_hears(fd, line, sizeof(line)))
		;
}

static void who_does_not_answer_is_not_waited_for(void **state)
{
	struct err err = ERR_NONE;
	struct scene *s = *state;

	assert_int_equal(opened(s, never_answers, &err), -ETIMEDOUT);
	assert_null(s->link);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(events_that_are_none_are_nothing),
		T(events_without_end_end_the_connection),
		T(line_without_end_ends_the_connection),
		T(who_does_not_answer_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
