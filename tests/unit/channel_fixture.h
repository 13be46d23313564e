/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A channel under test, QMP's or the agent's, and the test at the other end of its socket.
 *
 * Threads  the test's.
 */
#ifndef TESTS_UNIT_CHANNEL_FIXTURE_H
#define TESTS_UNIT_CHANNEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm-launcher/agent.h"
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

/* For qmp_call() and agent_call(): counts, and notes what came. */
void on_answer(void *arg, const json_t *result, const struct err *err);

int set_up_qmp(void **state);
int set_up_agent(void **state);
int tear_down(void **state);

/* Lets the channel handle what there is. */
void turn(struct fixture *f);

/* Sends text as the other side, and lets the channel handle it. */
void say(struct fixture *f, const char *text);

/* What came from the channel, NUL-terminated, in a buffer of its own. */
const char *heard(struct fixture *f);

#define QMP(name)   cmocka_unit_test_setup_teardown(name, set_up_qmp, tear_down)
#define AGENT(name) cmocka_unit_test_setup_teardown(name, set_up_agent, tear_down)

#endif
