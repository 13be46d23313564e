/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/rpc_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

static int do_echo(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	*result = json_deep_copy(params);
	return 0;
}

static int do_fail(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	err_set(err, -ENOENT, "thing \"x\": is not there");
	err_hint(err, "make it first");
	return -ENOENT;
}

static int do_change(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	return 0;
}

static void answer_later(void *arg)
{
	struct fixture *f = arg;

	rpc_reply(f->deferred, json_pack("{ss}", "said", "later"));
}

static int do_later(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct fixture *f = rpc_ctx(call);

	f->deferred = call;
	loop_timer_add(f->loop, 20 * MS_NS, answer_later, f, &f->timer);
	return RPC_DEFERRED;
}

static int do_large(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	char *text = malloc(RPC_REPLY_MAX_BYTES + 1);

	memset(text, 'a', RPC_REPLY_MAX_BYTES);
	text[RPC_REPLY_MAX_BYTES] = '\0';
	*result = json_pack("{ss}", "text", text);
	free(text);
	return 0;
}

static int do_page(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	const char *at = json_string_value(json_object_get(params, "cursor"));

	*result = !at ? json_pack("{s[ii]ss}", "items", 1, 2, "next", "a")
		      : json_pack("{s[i]sn}", "items", 3, "next");
	return 0;
}

static void on_gone(void *arg)
{
	struct fixture *f = arg;

	f->n_gone++;
}

static int do_lease(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	rpc_on_disconnect(call, on_gone, rpc_ctx(call));
	return 0;
}

/* Gives something for as long as the client is connected, with an answer that is too large. */
static int do_give(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	rpc_on_disconnect(call, on_gone, rpc_ctx(call));
	assert_int_equal(rpc_give_fd(call, STDERR_FILENO), 0);
	return do_large(call, params, result, err);
}

static int do_gone(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	*result = json_pack("{si}", "n", (int)((struct fixture *)rpc_ctx(call))->n_gone);
	return 0;
}

static int do_slow(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	usleep(200 * 1000);
	return 0;
}

static int do_stop(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	loop_stop(((struct fixture *)rpc_ctx(call))->loop, 0);
	return 0;
}

static const struct param echo_params[] = {
	{"text", PARAM_STRING, 0, 0, 0, NULL, "x"},
	{"n", PARAM_INT, 0, 1, 9, NULL, "x"},
	{.name = NULL},
};
static const struct param page_params[] = {
	{"cursor", PARAM_STRING, 0, 0, 0, NULL, "x"},
	{.name = NULL},
};
static const struct method rows[] = {
	{"echo", NULL, "x", echo_params, 0, NULL},
	{"fail", NULL, "x", NULL, 0, NULL},
	{"change", NULL, "x", NULL, METHOD_MUTATES, NULL},
	{"later", NULL, "x", NULL, 0, NULL},
	{"large", NULL, "x", NULL, 0, NULL},
	{"page", NULL, "x", page_params, METHOD_PAGED, NULL},
	{"lease", NULL, "x", NULL, 0, NULL},
	{"gone", NULL, "x", NULL, 0, NULL},
	{"stop", NULL, "x", NULL, 0, NULL},
	{"give", NULL, "x", NULL, 0, NULL},
	{"slow", NULL, "x", NULL, 0, NULL},
};
static const struct rpc_method methods[] = {
	{&rows[0], do_echo},  {&rows[1], do_fail}, {&rows[2], do_change}, {&rows[3], do_later},
	{&rows[4], do_large}, {&rows[5], do_page}, {&rows[6], do_lease},  {&rows[7], do_gone},
	{&rows[8], do_stop},  {&rows[9], do_give}, {&rows[10], do_slow},  {NULL, NULL},
};

static int after_change(void *ctx, struct err *err)
{
	struct fixture *f = ctx;

	f->n_changes++;
	return f->change_result ? err_set(err, f->change_result, "could not be saved") : 0;
}

_Atomic enum role fixture_role; /* of who connects */

static enum role role_of(void *ctx, const struct rpc_peer *peer)
{
	return fixture_role;
}

static void *serve(void *arg)
{
	loop_run(((struct fixture *)arg)->loop);
	return NULL;
}

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rpc_server_opts opts = {
		.methods = methods, .ctx = f, .after_change = after_change, .role = role_of};

	fixture_role = ROLE_ADMIN;
	log_level_set(LOG_LEVEL_ERR);
	snprintf(f->dir, sizeof(f->dir), "/tmp/rpc-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sub/sock", f->dir);
	assert_int_equal(loop_create(&f->loop), 0);
	assert_int_equal(rpc_listen(f->path, &opts.listen_fd, NULL), 0);
	assert_int_equal(rpc_server_create(f->loop, &opts, &f->server, NULL), 0);
	pthread_create(&f->thread, NULL, serve, f);
	*state = f;
	return 0;
}

struct rpc_client *dial(const struct fixture *f)
{
	struct rpc_client *c = NULL;
	struct err err = ERR_NONE;

	if (rpc_connect(f->path, 1000, &c, &err) < 0)
		fail_msg("%s", err.text);
	rpc_timeout_set(c, 5000);
	return c;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	struct rpc_client *c = dial(f);
	char sub[80];

	rpc_call(c, "stop", NULL, NULL, NULL);
	pthread_join(f->thread, NULL);
	rpc_close(c);
	rpc_server_destroy(f->server);
	loop_destroy(f->loop);
	unlink(f->path);
	snprintf(sub, sizeof(sub), "%s/sub", f->dir);
	rmdir(sub);
	rmdir(f->dir);
	free(f);
	return 0;
}

int raw(const struct fixture *f)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = 5};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

const char *say(int fd, const char *text)
{
	static char buf[4096];
	size_t len = 0;

	if (*text && send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return "cut";
	while (len < sizeof(buf) - 1) {
		ssize_t n = recv(fd, buf + len, 1, 0);

		if (n <= 0 || buf[len] == '\n')
			break;
		len++;
	}
	buf[len] = '\0';
	return buf;
}

void expect(const struct fixture *f, const char *line, const char *part)
{
	int fd = raw(f);
	const char *got = say(fd, line);

	if (!strstr(got, part))
		fail_msg("no \"%s\" in \"%s\"", part, got);
	close(fd);
}
