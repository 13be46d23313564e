/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/takeover.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/keeper/takeover.h"

#define ANSWER_MS 60000 /* the keeper itself gives up sooner */

static int keeper_connect(const char *run_dir, int *out, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", run_dir, TAKEOVER_SOCKET), fd, rc;

	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return err_set(err, -ENAMETOOLONG, "the run dir \"%.60s…\" has a name too long for a socket", run_dir);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0) {
		*out = fd;
		return 0;
	}
	rc = -errno;
	if (fd >= 0)
		close(fd);
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		err_set(err, rc, "there is no switch in \"%s\" that can be taken over", run_dir);
		return err_hint(err, "is it --run-dir? One that runs with --no-keeper, or is older than takeovers, "
				     "has to be stopped and started");
	}
	if (rc == -EACCES || rc == -EPERM)
		return err_set(err, rc, "only root and the user that runs the switch in \"%s\" may take it over",
			       run_dir);
	return err_set(err, rc, "cannot connect to \"%s\": %s", addr.sun_path, strerror(-rc));
}

static int request_send(int fd, const char *version, const char *packet, struct err *err)
{
	struct takeover_request r = {
		.magic = TAKEOVER_MAGIC,
		.version = TAKEOVER_VERSION,
		.image_version = TAKEOVER_IMAGE,
	};
	ssize_t n = readlink("/proc/self/exe", r.program, sizeof(r.program) - 1);

	if (n <= 0)
		return err_set(err, -errno, "cannot find out which program this is: %s", strerror(errno));
	snprintf(r.build, sizeof(r.build), "%s", version);
	/* With the same links resolved: the keeper's working folder may be another one. */
	if (!realpath(packet, r.packet))
		return err_set(err, -errno, "cannot find \"%s\": %s", packet, strerror(errno));
	if (send(fd, &r, sizeof(r), MSG_NOSIGNAL) < 0)
		return err_set(err, -errno, "the keeper does not take the request: %s", strerror(errno));
	return 0;
}

static int answer_await(int fd, struct err *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct takeover_answer a;
	ssize_t n;

	while (poll(&p, 1, ANSWER_MS) < 0 && errno == EINTR)
		;
	n = recv(fd, &a, sizeof(a), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return err_set(err, -ETIMEDOUT, "no answer came in time; `lanyard status` says who forwards");
	if (n != sizeof(a) || !memchr(a.text, '\0', sizeof(a.text)))
		return err_set(err, -EPROTO, "the keeper has gone without an answer; its log may say why");
	if (a.result < 0)
		return err_set(err, a.result, "%s", a.text);
	puts(a.text);
	return 0;
}

int takeover_run(const char *run_dir, const char *version, const char *packet, struct err *err)
{
	int fd = -1, rc = keeper_connect(run_dir, &fd, err);

	if (rc == 0)
		rc = request_send(fd, version, packet, err);
	if (rc == 0)
		rc = answer_await(fd, err);
	if (fd >= 0)
		close(fd);
	return rc;
}
