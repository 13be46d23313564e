/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/qmp.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "vm-launcher/json_channel.h"

#define LINE_MAX_BYTES (1 << 20)

struct request {
	TAILQ_ENTRY(request) link;
	json_int_t id;
	qmp_fn fn;
	void *arg;
};

struct qmp {
	struct qmp_opts opts;
	struct json_channel *channel;
	bool greeted;
	bool busy;   /* telling of the end: freeing is put off */
	bool doomed; /* destroyed meanwhile */
	json_int_t last_id;
	TAILQ_HEAD(, request) waiting;
};

static void on_capabilities(void *arg, const json_t *result, const struct err *err)
{
	struct qmp *q = arg;

	if (result)
		q->opts.ready(q->opts.arg);
}

static struct request *request_find(struct qmp *q, json_int_t id)
{
	struct request *r;

	TAILQ_FOREACH (r, &q->waiting, link)
		if (r->id == id)
			return r;
	return NULL;
}

static void answer(struct qmp *q, const json_t *msg)
{
	const json_t *id = json_object_get(msg, "id"), *result = json_object_get(msg, "return");
	const char *desc =
		json_string_value(json_object_get(json_object_get(msg, "error"), "desc"));
	struct request *r = json_is_integer(id) ? request_find(q, json_integer_value(id)) : NULL;
	struct err err = ERR_NONE;

	if (!r)
		return;
	TAILQ_REMOVE(&q->waiting, r, link);
	if (!result)
		err_set(&err, -EIO, "QEMU says: %.300s", desc ? desc : "an error without words");
	if (r->fn)
		r->fn(r->arg, result, &err);
	free(r);
}

static void on_message(void *arg, json_t *msg)
{
	struct qmp *q = arg;
	const char *event = json_string_value(json_object_get(msg, "event"));

	if (event) {
		q->opts.event(q->opts.arg, event, json_object_get(msg, "data"));
	} else if (!q->greeted && json_object_get(msg, "QMP")) {
		q->greeted = true;
		qmp_call(q, "qmp_capabilities", NULL, on_capabilities, q);
	} else {
		answer(q, msg);
	}
}

static void fail_all(struct qmp *q, const char *why, bool tell)
{
	struct err err = ERR_NONE;
	struct request *r;

	err_set(&err, -EPIPE, "QEMU's control connection is gone: %.200s", why);
	while ((r = TAILQ_FIRST(&q->waiting))) {
		TAILQ_REMOVE(&q->waiting, r, link);
		if (tell && !q->doomed && r->fn)
			r->fn(r->arg, NULL, &err);
		free(r);
	}
}

static void on_ended(void *arg, const char *why)
{
	struct qmp *q = arg;

	q->busy = true;
	fail_all(q, why, true);
	if (!q->doomed)
		q->opts.ended(q->opts.arg, why);
	q->busy = false;
	if (q->doomed)
		free(q);
}

int qmp_create(struct loop *loop, int fd, const struct qmp_opts *opts, struct qmp **out)
{
	struct qmp *q = calloc(1, sizeof(*q));
	struct json_channel_opts copts = {
		.line_max_bytes = LINE_MAX_BYTES,
		.message = on_message,
		.ended = on_ended,
		.arg = q,
	};
	int rc;

	if (!q)
		return -ENOMEM;
	q->opts = *opts;
	TAILQ_INIT(&q->waiting);
	rc = json_channel_create(loop, fd, &copts, &q->channel);
	if (rc < 0) {
		free(q);
		return rc;
	}
	*out = q;
	return 0;
}

void qmp_destroy(struct qmp *q)
{
	if (!q)
		return;
	json_channel_destroy(q->channel);
	fail_all(q, "it is not wanted any more", false);
	q->doomed = true;
	if (!q->busy)
		free(q);
}

void qmp_call(struct qmp *q, const char *command, json_t *args, qmp_fn fn, void *arg)
{
	struct request *r = calloc(1, sizeof(*r));
	json_t *msg = json_pack("{s:s,s:I}", "execute", command, "id", q->last_id + 1);
	struct err err = ERR_NONE;
	int rc = -ENOMEM;

	if (args && msg)
		json_object_set_new(msg, "arguments", args);
	else
		json_decref(args);
	if (r && msg) {
		r->id = ++q->last_id;
		r->fn = fn;
		r->arg = arg;
		TAILQ_INSERT_TAIL(&q->waiting, r, link);
		rc = json_channel_send(q->channel, NULL, msg);
		if (rc == 0)
			return;
		TAILQ_REMOVE(&q->waiting, r, link);
	} else {
		json_decref(msg);
	}
	free(r);
	err_set(&err, rc, "QEMU cannot be told \"%s\": %s", command, strerror(-rc));
	if (fn)
		fn(arg, NULL, &err);
}
