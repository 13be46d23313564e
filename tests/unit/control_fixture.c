/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/control_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

bool fixture_fails;

static int fake_add(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		    struct port **out, struct err *err)
{
	const char *path = json_string_value(json_object_get(settings, "path"));
	struct fake_port *fp;
	int rc;

	if (path && (!strcmp(path, "/fail") || (fixture_fails && !strcmp(path, "/fickle"))))
		return err_set(err, -EIO, "cannot be made");
	if (path && !strcmp(path, "/slow"))
		usleep(20 * 1000);
	rc = fake_port_add(sw, opts, 1, &fp, err);
	if (rc == 0)
		*out = fake_port(fp);
	return rc;
}

static const char *const fake_keys[] = {"path", NULL};
static const struct port_type fake_type = {"fake", fake_keys, NULL, fake_add};
const struct port_type *const fixture_types[] = {&fake_type, &port_type_link, NULL};

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rpc_server_opts opts = {
		.methods = daemon_methods, .ctx = &f->d, .after_change = daemon_save};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	log_level_set(LOG_LEVEL_ERR);
	fixture_fails = false;
	assert_int_equal(lab_setup((void **)&f->lab), 0);
	bridge_del(f->lab->br, NULL); /* the daemon's objects all have owners */
	snprintf(f->dir, sizeof(f->dir), "/tmp/daemon-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->d.loop = f->lab->loop;
	f->d.sw = f->lab->sw;
	f->d.types = fixture_types;
	assert_int_equal(store_open(&f->d.store, f->dir, NULL), 0);
	assert_int_equal(daemon_restore(&f->d, NULL), 0);
	snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	assert_int_equal(rpc_listen(f->path, &opts.listen_fd, NULL), 0);
	assert_int_equal(rpc_server_create(f->d.loop, &opts, &f->d.server, NULL), 0);
	f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	assert_int_equal(connect(f->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	*state = f;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	char name[96];

	close(f->fd);
	rpc_server_destroy(f->d.server);
	loop_timer_del(f->d.confirm_timer);
	loop_timer_del(f->d.lease_timer);
	loop_timer_del(f->d.stop_timer);
	apply_free(f->d.apply);
	daemon_forget(&f->d);
	store_close(&f->d.store);
	unlink(f->path);
	snprintf(name, sizeof(name), "%s/config.json", f->dir);
	unlink(name);
	for (unsigned i = 1; i < STORE_GENERATIONS; i++) {
		snprintf(name, sizeof(name), "%s/config.%u.json", f->dir, i);
		unlink(name);
	}
	assert_int_equal(rmdir(f->dir), 0);
	lab_teardown((void **)&f->lab);
	free(f);
	return 0;
}

const char *ask(struct fixture *f, const char *method, const char *params)
{
	char line[4096];
	size_t len = 0;
	int n = snprintf(line, sizeof(line),
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method,
			 params);

	assert_true(n < (int)sizeof(line));
	assert_int_equal(send(f->fd, line, (size_t)n, 0), n);
	for (unsigned i = 0; i < 1000; i++) {
		ssize_t got;

		loop_once(f->d.loop, 20);
		got = recv(f->fd, f->text + len, sizeof(f->text) - len - 1, MSG_DONTWAIT);
		if (got > 0)
			len += (size_t)got;
		if (len && f->text[len - 1] == '\n')
			break;
	}
	f->text[len] = '\0';
	return f->text;
}

void expect(struct fixture *f, const char *method, const char *params, const char *part)
{
	const char *got = ask(f, method, params);

	if (!strstr(got, part))
		fail_msg("%s %s: no <%s> in <%.900s>", method, params, part, got);
}

void ok(struct fixture *f, const char *method, const char *params)
{
	expect(f, method, params, "\"result\":");
}

bool is_saved(struct fixture *f, const char *section, const char *name)
{
	json_t *document = NULL;
	bool is;

	assert_int_equal(store_read(&f->d.store, 0, &document, NULL), 0);
	is = json_object_get(json_object_get(document, section), name) != NULL;
	json_decref(document);
	return is;
}
