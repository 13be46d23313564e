/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard-switch: the keeper, whose child lanyard-packet forwards. See control/keeper/keeper.h.
 *
 * How      Options, locks, the socket of --metrics, then the keeper until the switch ends. With --no-keeper it
 *          becomes the packet process itself.
 *
 * What stays open: 1. the locks in run dir and state dir, 2. the signalfd, 3. what the keeper keeps.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/program.h"
#include "base/std_fds.h"
#include "control/daemon/notify.h"
#include "control/daemon/options.h"
#include "control/daemon/priv.h"
#include "control/daemon/startup.h"
#include "control/daemon/takeover.h"
#include "control/keeper/fd_store.h"
#include "control/keeper/keeper.h"
#include "control/keeper/takeover.h"
#include "control/rpc/dirs.h"

#define PACKET	 "lanyard-packet"
#define HOST	 "lanyard-host"
#define ARGS_MAX 60

static char socket_path[PATH_MAX + sizeof(SWITCH_SOCKET)], takeover_path[PATH_MAX + sizeof(TAKEOVER_SOCKET)];

/* In `folder` in the build tree; in the folder of programs that nobody calls by hand, wherever the tree was installed
 * to. */
static int find(const char *folder, const char *name, char *path, size_t size, struct err *err)
{
	const char *const places[] = {"", folder, "../libexec/lanyard/", NULL};

	return program_find(places, LANYARD_LIBEXECDIR, "lanyard-switch", name, path, size, err);
}

static int on_listen(void *arg, int *fd, struct err *err)
{
	const struct options *o = arg;

	return priv_listen(socket_path, &o->access, fd, err);
}

static bool is_listening(void *arg, int fd)
{
	const struct options *o = arg;

	return priv_is_listening(socket_path, &o->access, fd);
}

static void on_ready(void *arg)
{
	notify_send("READY=1");
}

/* The packet process removes the socket too, a little earlier or later. */
static void on_stopping(void *arg)
{
	notify_send("STOPPING=1");
	if (socket_path[0])
		priv_unlink(socket_path);
}

/* The packet process's arguments: ours, and whose it is to become. */
static int packet_args(const struct options *o, char *const *argv, char **out, struct err *err)
{
	static char text[40];
	const char *why = NULL;
	struct run_as u = {.change = false};
	unsigned n = 0;
	int rc = 0;

	if (o->confine)
		rc = run_as_choose(strcmp(o->user, "auto") && o->user[0] ? o->user : NULL, o->run_dir, o->state_dir, &u,
				   &why, err);
	if (rc == 0)
		rc = o->confine || geteuid() ? run_as_give(&u, o->state_dir, err)
					     : run_as_return(o->state_dir, err);
	if (rc == 0 && u.change)
		rc = socket_dirs_set(o->run_dir, o->socket_dirs, o->n_socket_dirs, err);
	if (rc < 0)
		return rc;
	if (why)
		LOG_WARN("switch: the process that forwards stays root's: %s", why);
	for (; argv[n]; n++) {
		if (n + 3 > ARGS_MAX)
			return err_set(err, -E2BIG, "more than %d arguments", ARGS_MAX - 3);
		out[n] = argv[n];
	}
	if (u.change) {
		snprintf(text, sizeof(text), "%u:%u", u.uid, u.gid);
		out[n++] = (char *)"--run-as";
		out[n++] = text;
	}
	out[n] = NULL;
	return 0;
}

static int keep(const struct options *o, const char *program, const char *helper, char *const *argv,
		struct err *err)
{
	char *args[ARGS_MAX + 1];
	struct keeper_opts k = {
		.program = program,
		.argv = args,
		.helper = helper,
		.run_dir = o->run_dir,
		.own_argv = argv,
		.signal_fd = -1,
		.lock_fds = {-1, -1},
		.metrics_fd = -1,
		.version = LANYARD_VERSION,
		.takeover_path = takeover_path,
		.image_fd = o->image_fd,
		.listen = on_listen,
		.is_listening = is_listening,
		.on_ready = on_ready,
		.on_stopping = on_stopping,
		.arg = (void *)o,
	};
	int rc;

	args[0] = argv[0];
	args[1] = NULL;
	priv_nofile_raise();
	unix_path_access_set(&o->ports);
	rc = startup_signals(&k.signal_fd, err);
	if (rc == 0 && o->fd_store)
		rc = fd_store_open(&k.store, err);
	/* Guests would pay for a switch that ends now. */
	if (rc < 0 && o->image_fd >= 0) {
		LOG_WARN("%s", err->text);
		rc = 0;
	}
	if (rc == 0 && k.store)
		rc = startup_signals_leave(k.signal_fd, err);
	if (rc == 0 && o->image_fd < 0)
		rc = startup_locks(o, k.lock_fds, err);
	if (rc == 0)
		rc = packet_args(o, argv, args, err);
	if (rc == 0 && o->image_fd < 0 && o->serve_metrics)
		rc = priv_listen_tcp(&o->metrics, &k.metrics_fd, err);
	if (rc < 0)
		return rc;
	snprintf(socket_path, sizeof(socket_path), "%s/%s", o->run_dir, SWITCH_SOCKET);
	snprintf(takeover_path, sizeof(takeover_path), "%s/%s", o->run_dir, TAKEOVER_SOCKET);
	rc = keeper_run(&k, err);
	if (k.metrics_fd >= 0)
		close(k.metrics_fd);
	for (unsigned i = 0; i < 2; i++)
		if (k.lock_fds[i] >= 0)
			close(k.lock_fds[i]);
	close(k.signal_fd);
	fd_store_close(k.store);
	return rc;
}

int main(int argc, char **argv)
{
	struct err err = ERR_NONE;
	char program[PATH_MAX], helper[PATH_MAX];
	struct options o;
	int rc, status;

	std_fds_fill();
	rc = options_main(argc, argv, &o, &status);
	if (rc != 0)
		return status;
	rc = find("", PACKET, program, sizeof(program), &err);
	if (rc == 0 && o.no_keeper) {
		argv[0] = program;
		execv(program, argv);
		rc = err_set(&err, -errno, "cannot execute \"%s\": %s", program, strerror(errno));
	}
	if (rc == 0)
		rc = find("../host/", HOST, helper, sizeof(helper), &err);
	if (rc == 0 && o.takeover) {
		rc = takeover_run(o.run_dir, LANYARD_VERSION, program, &err);
		if (rc < 0)
			fprintf(stderr, "lanyard-switch: %s%s%s\n", err.text, err.hint[0] ? "; " : "", err.hint);
		return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	/* Not for those that it starts. */
	if (o.image_fd >= 0)
		argv[argc - 2] = NULL;
	if (rc == 0)
		rc = keep(&o, program, helper, argv, &err);
	return rc < 0 ? startup_failed(rc, &err) : rc;
}
