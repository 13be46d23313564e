/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/opener.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "base/log.h"
#include "control/host/calls_table.h"
#include "control/host/rights.h"
#include "control/host/servant.h"
#include "tap/netns.h"

#define WHO	   "switch: host helper's opener"
#define TUN_DEVICE "/dev/net/tun"

struct question {
	uint32_t op, seq; /* op: enum netns_thing */
};

struct answer {
	uint32_t op, seq;
	int32_t result;
	struct err err;
};

/* What it is told at its start. */
struct start {
	uid_t uid;
	pid_t helper;
	bool had_tun;
};

static int socket_fd = -1; /* the helper's side */

/* ---- the opener ---- */

/* That device was not there when this process gave up what it may not open, and is now. */
static bool is_too_late(const struct question *q, int fd, bool had_tun, struct err *err)
{
	if (had_tun || q->op != NETNS_TUN || fd != -EACCES)
		return false;
	err_set(err, fd, TUN_DEVICE " has come after the host helper, which starts anew");
	err_hint(err, "ask again");
	return true;
}

/* False: there is nothing more to ask this process. */
static bool question_answer(int sock, const struct question *q, int size, int ns_fd, bool had_tun)
{
	bool late = false;
	struct answer a = {.op = q->op, .seq = q->seq};
	int fd = -1;

	if (size != sizeof(*q) || !q->op || q->op >= NETNS_THINGS || ns_fd < 0 ||
	    !netns_is_one(ns_fd)) {
		LOG_WARN_RL(WHO ": asked for what there is not");
		fd = err_set(&a.err, -EPROTO, "that is nothing to open in a network namespace");
	} else {
		fd = netns_inside(ns_fd, q->op, &a.err);
		late = is_too_late(q, fd, had_tun, &a.err);
	}
	a.result = fd < 0 ? fd : 0;
	if (fd_msg_send(sock, &a, sizeof(a), &fd, fd >= 0, 0) < 0)
		LOG_WARN_RL(WHO ": an answer is not taken");
	if (fd >= 0)
		close(fd);
	return !late;
}

static int end_with(pid_t helper, struct err *err)
{
	/* A change of user takes it back: so it comes after that. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_set(err, -errno, "cannot end with the helper: %s", strerror(errno));
	return getppid() == helper ? 0 : err_set(err, -ESRCH, "the helper has gone");
}

static int serve(int sock, void *arg)
{
	const struct start *start = arg;
	const struct rights rights = {
		.who = WHO,
		.uid = start->uid,
		.gid = start->uid,
		.caps = {CAP_SYS_ADMIN, CAP_NET_ADMIN, -1},
	};
	const struct landlock_path paths[] = {{.path = TUN_DEVICE, .write = true, .device = true},
					      {.path = NULL}};
	struct err err = ERR_NONE;
	int rc = rights_reduce(&rights, &err);

	if (rc == 0)
		rc = end_with(start->helper, &err);
	if (rc == 0)
		rc = rights_confine(&rights, paths, opener_calls, &err);
	if (rc < 0)
		LOG_ERR(WHO ": %s", err.text);
	while (rc == 0) {
		struct question q = {0};
		bool over = false;
		int fds[1], size;
		unsigned n;

		size = fd_msg_receive(sock, &q, sizeof(q), fds, 1, &n, -1);
		if (size > 0)
			over = !question_answer(sock, &q, size, n ? fds[0] : -1, start->had_tun);
		fd_msg_close(fds, n);
		if (over)
			return EXIT_SUCCESS;
		if (size < 0 && size != -EAGAIN && size != -EPROTO)
			return EXIT_SUCCESS;
	}
	return EXIT_FAILURE;
}

/* ---- the helper ---- */

static int ask(int ns_fd, enum netns_thing thing, struct err *err)
{
	static uint32_t seq;
	const struct question q = {.op = thing, .seq = ++seq};
	struct answer a;
	int fd, rc = servant_ask(socket_fd, &q, sizeof(q), ns_fd, &a, sizeof(a), &fd, NULL, err);

	if (rc < 0)
		return rc;
	if (a.result < 0) {
		fd_msg_close(&fd, 1);
		a.err.text[sizeof(a.err.text) - 1] = a.err.hint[sizeof(a.err.hint) - 1] = '\0';
		if (err)
			*err = a.err;
		return a.result;
	}
	if (fd >= 0)
		return fd;
	return err_set(err, -EPROTO, "the opener of the host helper has sent no descriptor");
}

/* On some machines that device is root's alone, whose file it stays: then so does the opener. */
static uid_t whose(uid_t uid)
{
	struct stat st;

	if (!uid || stat(TUN_DEVICE, &st) < 0 || (st.st_mode & 06) == 06)
		return uid;
	LOG_INFO(WHO ": it stays root's, as " TUN_DEVICE " is root's alone");
	return 0;
}

int opener_start(uid_t uid, struct err *err)
{
	struct start start = {.uid = whose(uid), .helper = getpid(), .had_tun = access(TUN_DEVICE, F_OK) == 0};
	int rc = servant_start("lanyard-opener", serve, &start, &socket_fd, err);

	if (rc == 0)
		netns_inside_by(ask);
	return rc;
}

int opener_watch(struct loop *loop, loop_fn lost)
{
	return servant_watch(loop, socket_fd, NULL, lost);
}
