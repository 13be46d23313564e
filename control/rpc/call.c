/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests: from a line to a handler and back.
 *
 * Trust    The line is hostile. Nesting and the number of values are counted before it
 *          is decoded, so that decoding is bounded in stack and time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/rpc/conn.h"
#include "control/rpc/suggest.h"

#define DEPTH_MAX    64
#define VALUES_MAX   32768 /* 4096 ports of eight values each; decodes in some 10 ms */
#define ID_MAX_BYTES 256
#define DUMP_FLAGS   (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* NULL when the text is not too deep or too rich to decode, else the sentence to say. */
static const char *scan(const char *line, size_t len)
{
	unsigned depth = 0, n_values = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > DEPTH_MAX)
				return "the request is nested more than 64 deep";
			n_values++;
		} else if (c == ']' || c == '}') {
			depth -= depth > 0;
		} else if (c == ',') {
			n_values++;
		}
		if (n_values > VALUES_MAX)
			return "the request has more than 32768 values";
	}
	return NULL;
}

static char *dump(json_t *doc, size_t *len)
{
	char *text = doc ? json_dumps(doc, DUMP_FLAGS) : NULL;

	*len = text ? strlen(text) : 0;
	json_decref(doc);
	return text;
}

static json_t *id_json(const json_t *id)
{
	return id ? json_incref((json_t *)id) : json_null();
}

char *call_error_line(const json_t *id, const struct err *err, size_t *len)
{
	/* A sentence may quote a text cut off inside a character: jansson takes no such text. */
	json_t *error = json_pack("{si}", "code", err->code), *text = json_string(err->text);

	json_object_set_new(error, "message", text ? text : json_string("unspeakable error"));
	if (err->hint[0]) {
		json_t *hint = json_string(err->hint);

		if (hint)
			json_object_set_new(error, "data", json_pack("{so}", "hint", hint));
	}
	return dump(json_pack("{ss so so}", "jsonrpc", "2.0", "id", id_json(id), "error", error),
		    len);
}

static void send_error(struct rpc_conn *c, const json_t *id, const struct err *err)
{
	size_t len;
	char *text = call_error_line(id, err, &len);

	if (text)
		conn_send(c, text, len);
	else
		conn_close(
			c,
			true); /* out of memory: an answer that cannot come must not be awaited */
	free(text);
}

void call_refuse(struct rpc_conn *c, int code, const char *text, const char *hint)
{
	struct err err = ERR_NONE;

	err_set(&err, code, "%s", text);
	if (hint)
		err_hint(&err, "%s", hint);
	send_error(c, NULL, &err);
}

/* What the call has made for the client to have as long as it is connected, which it will not hear of. */
static void undo(struct rpc_call *call)
{
	struct rpc_conn *c = call->conn;

	while (call->given_fd >= 0 && c->n_gone > call->n_gone_was) {
		c->n_gone--;
		c->gone[c->n_gone].fn(c->gone[c->n_gone].arg);
	}
}

static void send_result(struct rpc_call *call, json_t *result)
{
	size_t len;
	char *text = dump(json_pack("{ss sO so}", "jsonrpc", "2.0", "id", call->id, "result",
				    result ? result : json_object()),
			  &len);
	struct err err = ERR_NONE;

	if (text && len <= RPC_REPLY_MAX_BYTES && call->given_fd >= 0 &&
	    !conn_give_fd(call->conn, call->given_fd)) {
		undo(call);
		err_set(&err, -EBUSY, "another answer of this connection, with a descriptor, was not read yet");
		send_error(call->conn, call->id, &err);
	} else if (text && len <= RPC_REPLY_MAX_BYTES) {
		call->given_fd = -1;
		conn_send(call->conn, text, len);
	} else {
		undo(call);
		LOG_WARN_RL("rpc: the reply of %s is too large (%zu bytes)",
			    call->method ? call->method->method->rpc : "rpc.list", len);
		err_set(&err, -EMSGSIZE, "the reply would be larger than %d KiB",
			RPC_REPLY_MAX_BYTES / 1024);
		err_hint(&err, "ask for less at a time");
		send_error(call->conn, call->id, &err);
	}
	free(text);
}

/* Sends the answer of a handler and frees the call. result is stolen. */
static void finish(struct rpc_call *call, int rc, json_t *result, const struct err *err)
{
	struct rpc_conn *c = call->conn;

	if (c && call->id && rc == 0)
		send_result(call, result);
	else
		json_decref(result);
	if (c && call->id && rc < 0)
		send_error(c, call->id, err);
	if (call->given_fd >= 0)
		close(call->given_fd);
	json_decref(call->id);
	free(call);
}

/* The change is made: lets the owner save it before the client hears of success. */
static int changed(struct rpc_call *call, struct err *err)
{
	struct rpc_server *s = call->server;

	if (!s || !s->after_change || !call->method ||
	    !(call->method->method->flags & METHOD_MUTATES))
		return 0;
	return s->after_change(s->ctx, err);
}

static json_t *list_params(const struct method *m)
{
	static const char *const types[] = {"string",	"name", "int",	"bool", "enum",
					    "duration", "size", "vids", "mac",	"list",
					    "pairs",	"rest", "json"};
	json_t *list = json_array();

	for (const struct param *p = m->params; p && p->name; p++) {
		json_t *one = json_pack("{ss ss sb ss}", "name", p->name, "type", types[p->type],
					"required", (p->flags & PARAM_REQUIRED) != 0, "help",
					p->help ? p->help : "");

		if (p->flags & PARAM_CLI_ONLY) {
			json_decref(one);
			continue;
		}
		if (p->type == PARAM_ENUM)
			json_object_set_new(one, "values", json_string(p->arg));
		if (p->min || p->max)
			json_object_set_new(
				one, "range",
				json_pack("[II]", (json_int_t)p->min, (json_int_t)p->max));
		json_array_append_new(list, one);
	}
	return list;
}

static json_t *list_methods(const struct rpc_server *s)
{
	json_t *list = json_array();

	for (const struct rpc_method *m = s->methods; m->method; m++)
		json_array_append_new(list,
				      json_pack("{ss ss ss sb sb so}", "name", m->method->rpc, "role",
						role_name(role_needed(m->method)),
						"summary", m->method->summary, "mutates",
						(m->method->flags & METHOD_MUTATES) != 0, "paged",
						(m->method->flags & METHOD_PAGED) != 0, "params",
						list_params(m->method)));
	return list;
}

static const struct rpc_method *find(const struct rpc_server *s, const char *name, struct err *err)
{
	struct suggest near = {NULL, 0};

	for (const struct rpc_method *m = s->methods; m->method; m++) {
		if (!strcmp(m->method->rpc, name))
			return m;
		suggest_offer(&near, name, m->method->rpc);
	}
	err_set(err, RPC_METHOD_NOT_FOUND, "there is no method \"%.64s\"", name);
	if (near.best)
		err_hint(err, "did you mean \"%s\"? rpc.list names all", near.best);
	else
		err_hint(err, "rpc.list names all methods");
	return NULL;
}

static int role_check(const struct rpc_call *call, struct err *err)
{
	enum role has = call->conn->role, needs = role_needed(call->method->method);

	if (has >= needs)
		return 0;
	err_set(err, -EACCES, "user %u may %s here, and %s needs %s", call->conn->uid, role_name(has),
		call->method->method->rpc, role_name(needs));
	return err_hint(err, "whoever runs the switch gives that with lanyard-switch --%s", role_name(needs));
}

static void dispatch(struct rpc_call *call, const char *name, const json_t *params)
{
	struct rpc_conn *c = call->conn;
	struct err err = ERR_NONE;
	json_t *result = NULL, *none = NULL;
	int rc;

	if (!strcmp(name, "rpc.list")) {
		finish(call, 0, list_methods(c->server), &err);
		return;
	}
	call->method = find(c->server, name, &err);
	if (!call->method) {
		finish(call, RPC_METHOD_NOT_FOUND, NULL, &err);
		return;
	}
	rc = role_check(call, &err);
	if (rc < 0) {
		finish(call, rc, NULL, &err);
		return;
	}
	if (!params)
		params = none = json_object();
	rc = method_check(call->method->method, params, &err);
	if (rc < 0) {
		err.code = RPC_INVALID_PARAMS;
	} else {
		/* On the list before the handler runs: the answer of a deferred call may come
		 * from within it. */
		LIST_INSERT_HEAD(&c->calls, call, link);
		c->n_calls++;
		rc = call->method->handler(call, params, &result, &err);
		if (rc == RPC_DEFERRED) {
			json_decref(none);
			return;
		}
		if (call->conn) {
			LIST_REMOVE(call, link);
			c->n_calls--;
		}
		if (rc == 0)
			rc = changed(call, &err);
		if (rc < 0)
			err.code = rc;
	}
	json_decref(none);
	if (rc < 0) {
		json_decref(result);
		result = NULL;
	}
	finish(call, rc, result, &err);
}

static bool id_ok(const json_t *id)
{
	return !id || json_is_null(id) || json_is_number(id) ||
	       (json_is_string(id) && json_string_length(id) <= ID_MAX_BYTES);
}

/* Checks the envelope. NULL when it is a request, else the sentence to say. */
static const char *envelope(const json_t *doc)
{
	const char *version = json_string_value(json_object_get(doc, "jsonrpc"));
	const char *method = json_string_value(json_object_get(doc, "method"));

	if (json_is_array(doc))
		return "batches are not served; send one request a line";
	if (!json_is_object(doc))
		return "a request is a JSON object";
	if (!version || strcmp(version, "2.0"))
		return "\"jsonrpc\" must be \"2.0\"";
	if (!method)
		return "\"method\" must be a text";
	if (!id_ok(json_object_get(doc, "id")))
		return "\"id\" must be a number, null or a text of at most 256 bytes";
	return NULL;
}

void call_line(struct rpc_conn *c, const char *line, size_t len)
{
	const char *wrong = scan(line, len);
	struct rpc_call *call;
	json_error_t why;
	json_t *doc;

	if (wrong) {
		call_refuse(c, RPC_INVALID_REQUEST, wrong, NULL);
		return;
	}
	doc = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (!doc) {
		struct err err = ERR_NONE;

		err_set(&err, RPC_PARSE_ERROR, "the request is no JSON: %s at byte %d", why.text,
			why.position);
		send_error(c, NULL, &err);
		return;
	}
	wrong = envelope(doc);
	call = wrong ? NULL : calloc(1, sizeof(*call));
	if (!call) {
		call_refuse(c, wrong ? RPC_INVALID_REQUEST : -ENOMEM,
			    wrong ? wrong : "out of memory", NULL);
		json_decref(doc);
		return;
	}
	call->conn = c;
	call->given_fd = -1;
	call->n_gone_was = c->n_gone;
	call->server = c->server;
	call->ctx = c->server->ctx;
	call->id = json_incref(json_object_get(doc, "id"));
	dispatch(call, json_string_value(json_object_get(doc, "method")),
		 json_object_get(doc, "params"));
	json_decref(doc);
}

void call_orphan(struct rpc_call *call, bool server_gone)
{
	LIST_REMOVE(call, link);
	call->conn->n_calls--;
	call->conn = NULL;
	if (server_gone)
		call->server = NULL;
}

/* Takes a deferred call off its connection's list; its lines may go on. */
static void settle(struct rpc_call *call)
{
	struct rpc_conn *c = call->conn;

	if (!c)
		return;
	LIST_REMOVE(call, link);
	c->n_calls--;
	conn_resume(c);
}

void rpc_reply(struct rpc_call *call, json_t *result)
{
	struct err err = ERR_NONE;
	int rc;

	settle(call);
	rc = changed(call, &err);
	if (rc < 0) {
		err.code = rc;
		json_decref(result);
		result = NULL;
	}
	finish(call, rc, result, &err);
}

void rpc_fail(struct rpc_call *call, const struct err *err)
{
	settle(call);
	finish(call, -1, NULL, err);
}

void *rpc_ctx(const struct rpc_call *call)
{
	return call->ctx;
}

int rpc_on_disconnect(struct rpc_call *call, loop_fn fn, void *arg)
{
	struct rpc_conn *c = call->conn;

	if (!c)
		return -ENOTCONN;
	if (c->n_gone == GONE_MAX)
		return -ENOSPC;
	c->gone[c->n_gone].fn = fn;
	c->gone[c->n_gone++].arg = arg;
	return 0;
}

void *rpc_has_disconnect(const struct rpc_call *call, loop_fn fn)
{
	for (unsigned i = 0; call->conn && i < call->conn->n_gone; i++)
		if (call->conn->gone[i].fn == fn)
			return call->conn->gone[i].arg;
	return NULL;
}

int rpc_peer(const struct rpc_call *call, struct ucred *out)
{
	socklen_t len = sizeof(*out);

	if (!call->conn)
		return -ENOTCONN;
	return getsockopt(call->conn->fd, SOL_SOCKET, SO_PEERCRED, out, &len) < 0 ? -errno : 0;
}

bool rpc_has_answer(const struct rpc_call *call)
{
	return call->id;
}

struct rpc_conn *rpc_connection(const struct rpc_call *call)
{
	return call->conn;
}

struct rpc_conn *rpc_stream(struct rpc_call *call)
{
	if (call->conn) {
		call->conn->streams = true;
		loop_timer_del(call->conn->stall);
	}
	return call->conn;
}

int rpc_give_fd(struct rpc_call *call, int fd)
{
	if (call->given_fd >= 0)
		close(call->given_fd);
	call->given_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return call->given_fd < 0 ? -errno : 0;
}
