/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "vm-launcher/json_channel.h"

#define LINE_MAX_BYTES (4 << 20)
#define WAITING_MAX    32
#define SYNC_RETRY_NS  (1 * S_NS) /* a guest may open the port before its agent reads it */

/*
 * CLOSED    nothing is sent; agent_port_opened() -> SYNCING
 * SYNCING   guest-sync-delimited is out; its answer -> READY; asked again each second
 * READY     commands go out; a deadline that passes -> SYNCING; agent_port_closed() -> CLOSED
 */
enum agent_state { AGENT_CLOSED, AGENT_SYNCING, AGENT_READY };

struct command {
	TAILQ_ENTRY(command) link;
	json_t *msg; /* until it is sent */
	int timeout_ms;
	agent_fn fn;
	void *arg;
};

struct agent {
	struct agent_opts opts;
	struct loop *loop;
	struct json_channel *channel;
	enum agent_state state;
	json_int_t sync_id;
	struct loop_timer *timer; /* of the sync, or of the command under way */
	struct command *current;
	unsigned n_waiting;
	TAILQ_HEAD(, command) waiting;
};

static void next(struct agent *a);
static void sync_send(void *arg);

static void command_end(struct command *c, const json_t *result, const struct err *err)
{
	if (c->fn)
		c->fn(c->arg, result, err);
	json_decref(c->msg);
	free(c);
}

/* Fails what is under way and what waits. Callbacks may add commands: those fail at once. */
static void fail_all(struct agent *a, const char *why)
{
	struct err err = ERR_NONE;
	struct command *c;

	err_set(&err, -EPIPE, "the guest's agent %s", why);
	c = a->current;
	a->current = NULL;
	if (c)
		command_end(c, NULL, &err);
	while ((c = TAILQ_FIRST(&a->waiting))) {
		TAILQ_REMOVE(&a->waiting, c, link);
		a->n_waiting--;
		command_end(c, NULL, &err);
	}
}

static void leave(struct agent *a, enum agent_state state, const char *why)
{
	bool was_ready = a->state == AGENT_READY;

	loop_timer_del(a->timer);
	a->state = state;
	fail_all(a, why);
	if (was_ready)
		a->opts.lost(a->opts.arg);
	if (a->state == AGENT_SYNCING)
		sync_send(a);
}

static void sync_send(void *arg)
{
	struct agent *a = arg;

	if (a->state != AGENT_SYNCING || !a->channel)
		return;
	loop_timer_del(a->timer);
	a->sync_id++;
	json_channel_send(a->channel, "\xff",
			  json_pack("{s:s,s:{s:I}}", "execute", "guest-sync-delimited", "arguments",
				    "id", a->sync_id));
	loop_timer_add(a->loop, SYNC_RETRY_NS, sync_send, a, &a->timer);
}

static void on_timeout(void *arg)
{
	struct agent *a = arg;

	leave(a, AGENT_SYNCING, "did not answer in time");
}

static void next(struct agent *a)
{
	struct command *c;

	if (a->state != AGENT_READY || a->current)
		return;
	c = TAILQ_FIRST(&a->waiting);
	if (!c)
		return;
	TAILQ_REMOVE(&a->waiting, c, link);
	a->n_waiting--;
	a->current = c;
	loop_timer_add(a->loop, (uint64_t)c->timeout_ms * MS_NS, on_timeout, a, &a->timer);
	if (json_channel_send(a->channel, NULL, json_incref(c->msg)) < 0)
		leave(a, AGENT_SYNCING, "takes no more commands");
}

/* The command under way is through, with a result or an error. */
static void finish(struct agent *a, const json_t *result, const struct err *err)
{
	struct command *c = a->current;

	if (!c)
		return;
	loop_timer_del(a->timer);
	a->current = NULL;
	command_end(c, result, err);
	next(a);
}

static void answer(struct agent *a, const json_t *msg)
{
	const json_t *result = json_object_get(msg, "return");
	const char *desc =
		json_string_value(json_object_get(json_object_get(msg, "error"), "desc"));
	struct err err = ERR_NONE;

	if (!result)
		err_set(&err, -EIO, "the guest's agent says: %.250s",
			desc ? desc : "an error without words");
	finish(a, result, &err);
}

static void on_too_long(void *arg)
{
	struct agent *a = arg;
	struct err err = ERR_NONE;

	err_set(&err, -EMSGSIZE, "the guest's agent answered with more than %d MiB",
		LINE_MAX_BYTES >> 20);
	if (a->state == AGENT_READY)
		finish(a, NULL, &err);
}

static void on_message(void *arg, json_t *msg)
{
	struct agent *a = arg;
	const json_t *result = json_object_get(msg, "return");

	if (a->state == AGENT_READY) {
		answer(a, msg);
	} else if (a->state == AGENT_SYNCING && json_is_integer(result) &&
		   json_integer_value(result) == a->sync_id) {
		loop_timer_del(a->timer);
		a->state = AGENT_READY;
		a->opts.ready(a->opts.arg);
		next(a);
	}
}

static void on_ended(void *arg, const char *why)
{
	struct agent *a = arg;

	/* QEMU is gone: no agent until the next start. */
	json_channel_destroy(a->channel);
	a->channel = NULL;
	leave(a, AGENT_CLOSED, "went away");
}

int agent_create(struct loop *loop, int fd, const struct agent_opts *opts, struct agent **out)
{
	struct agent *a = calloc(1, sizeof(*a));
	struct json_channel_opts copts = {
		.line_max_bytes = LINE_MAX_BYTES,
		.skip_bad = true,
		.message = on_message,
		.too_long = on_too_long,
		.ended = on_ended,
		.arg = a,
	};
	int rc;

	if (!a)
		return -ENOMEM;
	a->opts = *opts;
	a->loop = loop;
	/* Answers to a predecessor's question must not look like ours. */
	a->sync_id = (json_int_t)(loop_now_ns() & 0x3fffffff);
	TAILQ_INIT(&a->waiting);
	rc = json_channel_create(loop, fd, &copts, &a->channel);
	if (rc < 0) {
		free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void agent_destroy(struct agent *a)
{
	struct command *c;

	if (!a)
		return;
	loop_timer_del(a->timer);
	json_channel_destroy(a->channel);
	if (a->current) {
		json_decref(a->current->msg);
		free(a->current);
	}
	while ((c = TAILQ_FIRST(&a->waiting))) {
		TAILQ_REMOVE(&a->waiting, c, link);
		json_decref(c->msg);
		free(c);
	}
	free(a);
}

void agent_port_opened(struct agent *a)
{
	if (a->state != AGENT_CLOSED || !a->channel)
		return;
	a->state = AGENT_SYNCING;
	sync_send(a);
}

void agent_port_closed(struct agent *a)
{
	if (a->state != AGENT_CLOSED)
		leave(a, AGENT_CLOSED, "went away");
}

struct loop *agent_loop(struct agent *a)
{
	return a->loop;
}

bool agent_is_ready(const struct agent *a)
{
	return a && a->state == AGENT_READY;
}

void agent_call(struct agent *a, const char *command, json_t *args, int timeout_ms, agent_fn fn,
		void *arg)
{
	struct command *c = calloc(1, sizeof(*c));
	struct err err = ERR_NONE;

	if (!c || a->state != AGENT_READY || a->n_waiting == WAITING_MAX) {
		if (!c)
			err_set(&err, -ENOMEM, "out of memory");
		else if (a->state != AGENT_READY)
			err_set(&err, -EAGAIN, "the guest's agent does not answer (yet)");
		else
			err_set(&err, -EBUSY, "%d commands wait for the guest's agent already",
				WAITING_MAX);
		free(c);
		json_decref(args);
		if (fn)
			fn(arg, NULL, &err);
		return;
	}
	c->msg = json_pack("{s:s}", "execute", command);
	if (args)
		json_object_set_new(c->msg, "arguments", args);
	c->timeout_ms = timeout_ms;
	c->fn = fn;
	c->arg = arg;
	TAILQ_INSERT_TAIL(&a->waiting, c, link);
	a->n_waiting++;
	next(a);
}
