/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/channel_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

void on_answer(void *arg, const json_t *result, const struct err *err)
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

int set_up_qmp(void **state)
{
	return create((struct fixture **)state, 0);
}

int set_up_agent(void **state)
{
	return create((struct fixture **)state, 1);
}

int tear_down(void **state)
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

void turn(struct fixture *f)
{
	for (int i = 0; i < 5; i++)
		loop_once(f->loop, 5);
}

void say(struct fixture *f, const char *text)
{
	assert_int_equal(send(f->peer, text, strlen(text), 0), strlen(text));
	turn(f);
}

const char *heard(struct fixture *f)
{
	static char buf[4096];
	ssize_t n;

	turn(f);
	n = recv(f->peer, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}
