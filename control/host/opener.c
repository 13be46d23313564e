/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/opener.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
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

static int socket_fd = -1; /* the helper's side */

/* ---- the opener ---- */

static void question_answer(int sock, const struct question *q, int size, int ns_fd)
{
	struct answer a = {.op = q->op, .seq = q->seq};
	int fd = -1;

	if (size != sizeof(*q) || !q->op || q->op >= NETNS_THINGS || ns_fd < 0 ||
	    !netns_is_one(ns_fd)) {
		LOG_WARN_RL(WHO ": asked for what there is not");
		fd = err_set(&a.err, -EPROTO, "that is nothing to open in a network namespace");
	} else {
		fd = netns_inside(ns_fd, q->op, &a.err);
	}
	a.result = fd < 0 ? fd : 0;
	if (fd_msg_send(sock, &a, sizeof(a), &fd, fd >= 0, 0) < 0)
		LOG_WARN_RL(WHO ": an answer is not taken");
	if (fd >= 0)
		close(fd);
}

static int serve(int sock, void *arg)
{
	const struct rights rights = {
		.who = WHO,
		.uid = *(uid_t *)arg,
		.gid = *(uid_t *)arg,
		.caps = {CAP_SYS_ADMIN, CAP_NET_ADMIN, -1},
	};
	const struct landlock_path paths[] = {{.path = TUN_DEVICE, .write = true, .device = true},
					      {.path = NULL}};
	struct err err = ERR_NONE;
	int rc = rights_reduce(&rights, &err);

	if (rc == 0)
		rc = rights_confine(&rights, paths, opener_calls, &err);
	if (rc < 0)
		LOG_ERR(WHO ": %s", err.text);
	while (rc == 0) {
		struct question q = {0};
		int fds[1], size;
		unsigned n;

		size = fd_msg_receive(sock, &q, sizeof(q), fds, 1, &n, -1);
		if (size > 0)
			question_answer(sock, &q, size, n ? fds[0] : -1);
		fd_msg_close(fds, n);
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
	if (a.result < 0 && err)
		*err = a.err;
	if (a.result < 0 || fd >= 0)
		return a.result < 0 ? a.result : fd;
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
	int rc;

	uid = whose(uid);
	rc = servant_start("lanyard-opener", serve, &uid, &socket_fd, err);
	if (rc == 0)
		netns_inside_by(ask);
	return rc;
}

int opener_watch(struct loop *loop, loop_fn lost)
{
	return servant_watch(loop, socket_fd, NULL, lost);
}
