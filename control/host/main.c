/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard-host: the host helper. It has what rights a switch has on the host's network, so that the process that
 * forwards, which reads what guests write, needs none.
 *
 * What     usage: lanyard-host RUN_DIR. Answers questions on descriptor 3 (tap/host_server.h), or on what comes to take its
 *          place on descriptor 4, until nobody can ask any more; then it undoes what it did to the host, and ends.
 * How      The keeper starts it when the first question comes, and another one when it dies. It outlives packet
 *          processes, and the keeper for as long as there is something to undo: until then it holds the locks on
 *          the folders. Signals that end a whole service or terminal are not for it: ports are closed first.
 * Threads  one.
 * Trust    see tap/host_server.h; what it still may do when it is taken over: control/host/rights.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "base/log.h"
#include "control/host/forbidden.h"
#include "control/host/rights.h"
#include "tap/host.h"
#include "tap/host_server.h"

#define SOCKET_FD 3
#define NEXT_FD	  4 /* the keeper's alone: from here comes what takes the place of SOCKET_FD */

static struct {
	struct loop *loop;
	struct host_server *server;
	struct loop_fd *next_watch; /* NULL: nobody comes next */
	bool over;		    /* nobody can ask any more, until somebody comes */
} it;

static void end_if_over(void)
{
	if (it.over && !it.next_watch)
		loop_stop(it.loop, EXIT_SUCCESS);
}

static void on_end(void *arg)
{
	it.over = true;
	end_if_over();
}

/* A process that asks is followed by another one. */
static void on_next(void *arg, int fd, uint32_t events)
{
	int size, next;
	unsigned n;
	char byte;

	while ((size = fd_msg_receive(fd, &byte, sizeof(byte), &next, 1, &n, 0)) > 0) {
		if (n && host_server_renew(it.server, next) == 0)
			it.over = false;
		else
			LOG_ERR("switch: host helper: out of memory for who asks next");
	}
	if (size == -EAGAIN)
		return;
	loop_fd_del(it.next_watch);
	it.next_watch = NULL;
	end_if_over();
}

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
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

static int serve(const char *run_dir, bool is_kept, struct err *err)
{
	int rc = host_begin(it.loop, run_dir, err);

	if (rc < 0)
		return rc;
	rc = host_server_create(it.loop, SOCKET_FD, on_end, NULL, &it.server);
	if (rc == 0 && is_kept)
		rc = loop_fd_add(it.loop, NEXT_FD, EPOLLIN, on_next, NULL, &it.next_watch);
	if (rc < 0) {
		host_server_destroy(it.server);
		host_end();
		return err_set(err, rc, "descriptor %d or %d is no socket of the keeper's: %s", SOCKET_FD, NEXT_FD,
			       strerror(-rc));
	}
	rc = loop_run(it.loop);
	loop_fd_del(it.next_watch);
	host_server_destroy(it.server);
	host_settle(); /* also what was left by those before */
	host_end();
	return rc;
}

int main(int argc, char **argv)
{
	/* Before anything of ours takes its number. */
	const bool is_kept = is_socket(NEXT_FD);
	struct err err = ERR_NONE;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: lanyard-host RUN_DIR (lanyard-switch starts it)\n");
		return 2;
	}
	signals_leave_out();
	rc = rights_reduce(&err);
	if (rc == 0)
		rc = forbidden_enter(&err);
	if (rc == 0) {
		rc = loop_create(&it.loop);
		if (rc < 0)
			err_set(&err, rc, "out of memory");
	}
	if (rc == 0) {
		rc = serve(argv[1], is_kept, &err);
		loop_destroy(it.loop);
	}
	if (rc < 0)
		LOG_ERR("switch: host helper: %s", err.text);
	return rc < 0 ? EXIT_FAILURE : rc;
}
