/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A change that fails is undone; where undoing it fails, too, nobody is told that nothing was changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/apply.h"
#include "control/daemon/config.h"
#include "control/daemon/daemon.h"
#include "control/rpc/server.h"
#include "tests/unit/lab.h"

struct fixture {
	struct lab *lab;
	struct daemon d;
	char dir[32], path[64];
	int fd, saved_fd;
	char text[8192]; /* of the last answer */
};

static bool fails_now;

/* Port type `fickle`, which cannot be made while fails_now. */
static int fickle_add(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		      struct port **out, struct err *err)
{
	struct fake_port *fp;
	int rc = fails_now ? err_set(err, -EIO, "cannot be made")
			   : fake_port_add(sw, opts, 1, &fp, err);

	if (rc == 0)
		*out = fake_port(fp);
	return rc;
}

static const char *const no_keys[] = {NULL};
static const struct port_type fickle = {"fickle", no_keys, NULL, fickle_add};
static const struct port_type *const types[] = {&fickle, NULL};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rpc_server_opts opts = {
		.methods = daemon_methods, .ctx = &f->d, .after_change = daemon_save};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	log_level_set(LOG_LEVEL_ERR);
	assert_int_equal(lab_setup((void **)&f->lab), 0);
	bridge_del(f->lab->br, NULL);
	snprintf(f->dir, sizeof(f->dir), "/tmp/undo-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->d.loop = f->lab->loop;
	f->d.sw = f->lab->sw;
	f->d.types = types;
	assert_int_equal(store_open(&f->d.store, f->dir, NULL), 0);
	f->saved_fd = f->d.store.dir_fd;
	assert_int_equal(daemon_restore(&f->d, NULL), 0);
	snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	assert_int_equal(rpc_listen(f->path, &opts.listen_fd, NULL), 0);
	assert_int_equal(rpc_server_create(f->d.loop, &opts, &f->d.server, NULL), 0);
	f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(addr.sun_path, f->path, sizeof(f->path));
	assert_int_equal(connect(f->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char name[96];

	fails_now = false;
	close(f->fd);
	rpc_server_destroy(f->d.server);
	apply_free(f->d.apply);
	daemon_forget(&f->d);
	store_close(&f->d.store);
	unlink(f->path);
	for (unsigned i = 0; i < STORE_GENERATIONS; i++) {
		snprintf(name, sizeof(name), i ? "%s/config.%u.json" : "%s/config.json", f->dir, i);
		unlink(name);
	}
	assert_int_equal(rmdir(f->dir), 0);
	lab_teardown((void **)&f->lab);
	free(f);
	return 0;
}

/* Asks the daemon; its answer has this part. */
static void expect(struct fixture *f, const char *method, const char *params, const char *part)
{
	size_t len = 0;

	dprintf(f->fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method,
		params);
	for (unsigned i = 0; i < 1000 && !memchr(f->text, '\n', len); i++) {
		ssize_t n;

		loop_once(f->d.loop, 20);
		n = recv(f->fd, f->text + len, sizeof(f->text) - len - 1, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
	}
	f->text[len] = '\0';
	if (!strstr(f->text, part))
		fail_msg("%s %s: no <%s> in <%.900s>", method, params, part, f->text);
}

static void says_not(struct fixture *f, const char *part)
{
	if (strstr(f->text, part))
		fail_msg("<%s> is in <%s>", part, f->text);
}

static void made(struct fixture *f)
{
	expect(f, "bridge.add", "{\"name\":\"b\"}", "\"result\":");
	expect(f, "port.add", "{\"name\":\"p\",\"type\":\"fickle\",\"bridge\":\"b\"}",
	       "\"result\":");
}

/* To a folder where nobody makes files, and back. */
static void saving_fails(struct fixture *f, bool fails)
{
	if (f->d.store.dir_fd != f->saved_fd)
		close(f->d.store.dir_fd);
	f->d.store.dir_fd = fails ? open("/proc", O_RDONLY | O_DIRECTORY) : f->saved_fd;
}

static void change_that_cannot_be_undone_is_said_to_be_in_effect(void **state)
{
	struct fixture *f = *state;

	made(f);
	saving_fails(f, true);
	expect(f, "port.del", "{\"name\":\"p\"}", "nothing was changed: ");
	assert_non_null(port_find(f->d.sw, "p"));
	fails_now = true;
	expect(f, "port.del", "{\"name\":\"p\"}", "the change is in effect until the next start");
	says_not(f, "nothing was changed");
	expect(f, "bridge.list", "{}", "\"name\":\"b\"");
	assert_null(port_find(f->d.sw, "p"));
	saving_fails(f, false);
}

#define DOCUMENT(bridges, ports) "{\"document\":{\"bridges\":{" bridges "},\"ports\":{" ports "}}}"
#define FICKLE(name)		 "\"" name "\":{\"type\":\"fickle\",\"bridge\":\"b\"}"

static void apply_that_cannot_be_undone_is_said_to_be_in_effect(void **state)
{
	struct fixture *f = *state;

	made(f);
	saving_fails(f, true);
	expect(f, "config.apply", DOCUMENT("\"b\":{},\"c\":{}", ""), "nothing was changed: ");
	assert_non_null(port_find(f->d.sw, "p"));
	fails_now = true;
	expect(f, "config.apply", DOCUMENT("\"b\":{},\"c\":{}", ""),
	       "the changes are in effect until the next start");
	says_not(f, "nothing was changed");
	assert_non_null(strstr(f->text, "cannot be made"));
	saving_fails(f, false);
	/* What runs can be saved as soon as there is room. */
	fails_now = false;
	expect(f, "bridge.add", "{\"name\":\"e\"}", "\"result\":");
	expect(f, "config.rollback", "{}", "\"result\":");
}

static void step_that_fails_tells_of_what_is_left_of_those_before(void **state)
{
	struct fixture *f = *state;

	made(f);
	fails_now = true;
	/* p is made anew in another way: it goes first, q cannot come, and p not again. */
	expect(f, "config.apply", DOCUMENT("\"b\":{}", FICKLE("q")),
	       "port \\\"q\\\": cannot be made");
	assert_non_null(strstr(f->text, "stays in part, as undoing failed too"));
	assert_null(port_find(f->d.sw, "p"));
	fails_now = false;
	expect(f, "config.apply", DOCUMENT("\"b\":{}", FICKLE("p")), "\"result\":");
	/* One that can be undone says nothing of the kind. */
	expect(f, "config.apply", DOCUMENT("\"b\":{},\"c\":{\"ageing\":-5}", FICKLE("p")),
	       "\"error\":");
	says_not(f, "stays in part");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(change_that_cannot_be_undone_is_said_to_be_in_effect),
		T(apply_that_cannot_be_undone_is_said_to_be_in_effect),
		T(step_that_fails_tells_of_what_is_left_of_those_before),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
