/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard-host: the host helper. It has what rights a switch has on the host's network, so that the process that
 * forwards, which reads what guests write, needs none.
 *
 * What     usage: lanyard-host RUN_DIR. Answers questions on descriptor 3 (tap/host_server.h) until nobody can ask any
 *          more; then it undoes what it did to the host, and ends.
 * How      The keeper starts it when the first question comes, and another one when it dies. It outlives packet
 *          processes, and the keeper for as long as there is something to undo: until then it holds the locks on
 *          the folders. Signals that end a whole service or terminal are not for it: ports are closed first.
 * Threads  one.
 * Trust    see tap/host_server.h; what it still may do when it is taken over: control/host/rights.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "control/host/rights.h"
#include "tap/host.h"
#include "tap/host_server.h"

#define SOCKET_FD 3

static void on_end(void *arg)
{
	loop_stop(arg, EXIT_SUCCESS);
}

static void signals_leave_out(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int serve(struct loop *loop, const char *run_dir, struct err *err)
{
	struct host_server *s;
	int rc = host_begin(loop, run_dir, err);

	if (rc < 0)
		return rc;
	rc = host_server_create(loop, SOCKET_FD, on_end, loop, &s);
	if (rc < 0) {
		host_end();
		return err_set(err, rc, "descriptor %d is no socket of the keeper's: %s", SOCKET_FD,
			       strerror(-rc));
	}
	rc = loop_run(loop);
	host_server_destroy(s);
	host_settle(); /* also what was left by those before */
	host_end();
	return rc;
}

int main(int argc, char **argv)
{
	struct err err = ERR_NONE;
	struct loop *loop;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: lanyard-host RUN_DIR (lanyard-switch starts it)\n");
		return 2;
	}
	signals_leave_out();
	rc = rights_reduce(&err);
	if (rc == 0) {
		rc = loop_create(&loop);
		if (rc < 0)
			err_set(&err, rc, "out of memory");
	}
	if (rc == 0) {
		rc = serve(loop, argv[1], &err);
		loop_destroy(loop);
	}
	if (rc < 0)
		LOG_ERR("switch: host helper: %s", err.text);
	return rc < 0 ? EXIT_FAILURE : rc;
}
