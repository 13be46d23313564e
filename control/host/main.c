/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard-host: the host helper. It has CAP_NET_ADMIN, so that the process that forwards, which reads what guests
 * write, has no right at all.
 *
 * What     usage: lanyard-host RUN_DIR. Answers questions on descriptor 3 (tap/host_server.h), or on what comes to take its
 *          place on descriptor 4, until nobody can ask any more; then it undoes what it did to the host, and ends.
 * How      The keeper starts it when the first question comes, and another one when it dies. It outlives packet
 *          processes, and the keeper for as long as there is something to undo: until then it holds the locks on
 *          the folders. Signals that end a whole service or terminal are not for it: ports are closed first.
 *          What needs another right than CAP_NET_ADMIN is done by two children (opener.h, dhcp.h), started before it gives
 *          up what it does not need itself. Without one of them it ends, and the next one goes on by the note.
 * Threads  one.
 * Trust    see tap/host_server.h; what it still may do when it is taken over: control/host/rights.h.
 */
#include <errno.h>
#include <linux/capability.h>
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
#include "control/host/calls_table.h"
#include "control/host/dhcp.h"
#include "control/host/opener.h"
#include "control/host/rights.h"
#include "tap/host.h"
#include "tap/host_server.h"
#include "tap/ip_forward.h"

#define SOCKET_FD 3
#define NEXT_FD	  4 /* the keeper's alone: from here comes what takes the place of SOCKET_FD */

static struct {
	struct loop *loop;
	struct host_server *server;
	struct loop_fd *next_watch; /* NULL: nobody comes next */
	bool over;		    /* nobody can ask any more, until somebody comes */
	bool lost;		    /* a child has ended */
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

static void on_lost(void *loop)
{
	LOG_ERR("switch: host helper: a child of it has ended");
	it.lost = true;
	loop_stop(loop, EXIT_FAILURE);
}

static int serve(bool is_kept, struct err *err)
{
	int rc = host_server_create(it.loop, SOCKET_FD, on_end, NULL, &it.server);

	if (rc == 0 && is_kept)
		rc = loop_fd_add(it.loop, NEXT_FD, EPOLLIN, on_next, NULL, &it.next_watch);
	if (rc < 0) {
		host_server_destroy(it.server);
		return err_set(err, rc, "descriptor %d or %d is no socket of the keeper's: %s",
			       SOCKET_FD, NEXT_FD, strerror(-rc));
	}
	rc = loop_run(it.loop);
	loop_fd_del(it.next_watch);
	host_server_destroy(it.server);
	/* Also what was left by those before; without its children it leaves it to the next one. */
	if (!it.lost)
		host_settle();
	return rc;
}

/* What needs a right that it is about to give up, or a file that it may not open any more. */
static int open_all(const char *run_dir, uid_t uid, struct err *err)
{
	int rc = opener_start(uid, err);

	if (rc == 0)
		rc = dhcp_start(err);
	if (rc < 0)
		return rc;
	rc = loop_create(&it.loop);
	if (rc < 0)
		return err_set(err, rc, "out of memory");
	rc = host_begin(it.loop, run_dir, err);
	if (rc < 0)
		return rc;
	rc = opener_watch(it.loop, on_lost);
	if (rc == 0)
		rc = dhcp_watch(it.loop, on_lost);
	return rc < 0 ? err_set(err, rc, "out of memory") : 0;
}

static int give_up(uid_t uid, struct err *err)
{
	const struct rights rights = {
		.who = "switch: host helper", .uid = uid, .gid = uid, .caps = {CAP_NET_ADMIN, -1}};
	const struct landlock_path paths[] = {
		{.path = "/proc/sys/net/ipv4/ip_forward", .write = true},
		{.path = "/proc"},	  /* its own namespace and descriptors */
		/* Namespaces that have a name. /run/netns may come later, and be a file system of its own. */
		{.path = "/run"},
		{.path = "/dev/urandom"}, /* jansson's */
		{.path = NULL},
	};
	int rc = ip_forward_hold();

	if (rc < 0)
		LOG_WARN("switch: host helper: there is no switch of IPv4 forwarding: %s", strerror(-rc));
	rc = rights_reduce(&rights, err);
	return rc < 0 ? rc : rights_confine(&rights, paths, host_calls, err);
}

int main(int argc, char **argv)
{
	/* Before anything of ours takes its number. */
	const bool is_kept = is_socket(NEXT_FD);
	struct err err = ERR_NONE;
	uid_t uid;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: lanyard-host RUN_DIR (lanyard-switch starts it)\n");
		return 2;
	}
	signals_leave_out();
	uid = rights_user(argv[1]);
	rc = open_all(argv[1], uid, &err);
	if (rc == 0)
		rc = give_up(uid, &err);
	if (rc == 0)
		rc = serve(is_kept, &err);
	if (!it.lost)
		host_end();
	loop_destroy(it.loop);
	if (rc < 0)
		LOG_ERR("switch: host helper: %s", err.text);
	return rc < 0 ? EXIT_FAILURE : rc;
}
