/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running a program in the guest: guest-exec, then guest-exec-status until it has ended.
 *
 * How      The protocol has no news of an end, so it is asked for: after 10 ms, then at intervals
 *          that grow to 200 ms. The run keeps its own memory until its last answer has come, so it
 *          must not outlive the agent: agent_destroy() is for the end of the process.
 * Limits   see agent.h; a program that is given up goes on in the guest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm-launcher/agent.h"

#define CALL_TIMEOUT_MS 10000
#define POLL_FIRST_NS	(10 * MS_NS)
#define POLL_LONGEST_NS (200 * MS_NS)
#define BASE64_MAX	(AGENT_OUTPUT_MAX / 3 * 4)

struct run {
	struct agent *agent;
	struct loop *loop;
	struct loop_timer *timer;
	json_int_t pid;
	uint64_t deadline_ns, poll_ns;
	agent_fn fn;
	void *arg;
};

static void run_end(struct run *r, json_t *result, const struct err *err)
{
	loop_timer_del(r->timer);
	r->fn(r->arg, result, err);
	json_decref(result);
	free(r);
}

static void run_fail(struct run *r, int code, const char *why)
{
	struct err err = ERR_NONE;

	err_set(&err, code, "%s", why);
	run_end(r, NULL, &err);
}

/* base64 that is cut at a multiple of four is base64 again; a letter of who sends something else may not be. */
static json_t *stream(const json_t *status, const char *key, const char *truncated_key, int *cut)
{
	const json_t *data = json_object_get(status, key);
	const char *text = json_string_value(data);
	size_t len = text ? json_string_length(data) : 0;
	json_t *out;

	if (json_is_true(json_object_get(status, truncated_key)))
		*cut = 1;
	if (len > BASE64_MAX) {
		len = BASE64_MAX;
		*cut = 1;
	}
	out = json_stringn(text ? text : "", len);
	return out ? out : json_string("");
}

static void run_done(struct run *r, const json_t *status)
{
	const json_t *code = json_object_get(status, "exitcode");
	const json_t *signal = json_object_get(status, "signal");
	json_int_t value =
		json_is_integer(code) ? json_integer_value(code) : 128 + json_integer_value(signal);
	int cut = 0;
	json_t *out = stream(status, "out-data", "out-truncated", &cut);
	json_t *errs = stream(status, "err-data", "err-truncated", &cut);

	run_end(r,
		json_pack("{s:I,s:o,s:o,s:b}", "status", value & 0xff, "out", out, "err", errs,
			  "truncated", cut),
		NULL);
}

static void ask(void *arg);

static void on_status(void *arg, const json_t *result, const struct err *err)
{
	struct run *r = arg;

	if (!result) {
		run_end(r, NULL, err);
	} else if (json_is_true(json_object_get(result, "exited"))) {
		run_done(r, result);
	} else if (loop_now_ns() >= r->deadline_ns) {
		run_fail(r, -ETIMEDOUT, "the command did not end in time; it goes on in the guest");
	} else {
		r->poll_ns = r->poll_ns * 2 > POLL_LONGEST_NS ? POLL_LONGEST_NS : r->poll_ns * 2;
		if (loop_timer_add(r->loop, r->poll_ns, ask, r, &r->timer) < 0)
			run_fail(r, -ENOMEM, "out of memory");
	}
}

static void ask(void *arg)
{
	struct run *r = arg;

	agent_call(r->agent, "guest-exec-status", json_pack("{s:I}", "pid", r->pid),
		   CALL_TIMEOUT_MS, on_status, r);
}

static void on_started(void *arg, const json_t *result, const struct err *err)
{
	struct run *r = arg;
	const json_t *pid = json_object_get(result, "pid");

	if (!result) {
		run_end(r, NULL, err);
	} else if (!json_is_integer(pid)) {
		run_fail(r, -EPROTO,
			 "the guest's agent started the command without a number for it");
	} else {
		r->pid = json_integer_value(pid);
		if (loop_timer_add(r->loop, r->poll_ns, ask, r, &r->timer) < 0)
			run_fail(r, -ENOMEM, "out of memory");
	}
}

void agent_exec(struct agent *a, const json_t *argv, const json_t *input, int timeout_ms,
		agent_fn fn, void *arg)
{
	struct run *r = calloc(1, sizeof(*r));
	struct err err = ERR_NONE;
	json_t *rest = json_array(), *args;

	if (!r || !rest || !json_array_size(argv)) {
		err_set(&err, -EINVAL, "there is no command to run");
		free(r);
		json_decref(rest);
		fn(arg, NULL, &err);
		return;
	}
	for (size_t i = 1; i < json_array_size(argv); i++)
		json_array_append(rest, json_array_get(argv, i));
	r->agent = a;
	r->loop = agent_loop(a);
	r->deadline_ns = loop_now_ns() + (uint64_t)timeout_ms * MS_NS;
	r->poll_ns = POLL_FIRST_NS;
	r->fn = fn;
	r->arg = arg;
	args = json_pack("{s:O,s:o,s:b}", "path", json_array_get(argv, 0), "arg", rest,
			 "capture-output", 1);
	if (input)
		json_object_set(args, "input-data", (json_t *)input);
	agent_call(a, "guest-exec", args, CALL_TIMEOUT_MS, on_started, r);
}
