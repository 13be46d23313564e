/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define OWN "/proc/thread-self/ns/net"

int netns_open(const char *name, int *fd, struct err *err)
{
	char path[sizeof("/run/netns/") + NETNS_NAME_MAX];

	if (!name) {
		*fd = open(OWN, O_RDONLY | O_CLOEXEC);
		return *fd < 0 ? err_set(err, -errno, "cannot open %s: %s", OWN, strerror(errno))
			       : 0;
	}
	if (!name[0] || strlen(name) >= NETNS_NAME_MAX || strchr(name, '/') || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return err_set(err, -EINVAL, "\"%.80s\" is no name of a network namespace", name);
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	if (errno != ENOENT)
		return err_set(err, -errno, "cannot open network namespace \"%s\": %s", name,
			       strerror(errno));
	err_set(err, -ENOENT, "there is no network namespace \"%s\"", name);
	return err_hint(err, "`ip netns add %s` makes one, `ip netns list` shows them", name);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

int netns_run(int fd, int (*fn)(void *arg, struct err *err), void *arg, struct err *err)
{
	int home = open(OWN, O_RDONLY | O_CLOEXEC), rc;
	bool away;

	if (home < 0)
		return err_set(err, -errno, "cannot open %s: %s", OWN, strerror(errno));
	away = !same_file(home, fd);
	if (away && setns(fd, CLONE_NEWNET) < 0) {
		rc = err_set(err, -errno, "cannot enter the network namespace: %s",
			     strerror(errno));
		if (rc == -EPERM)
			err_hint(err, "that needs CAP_SYS_ADMIN: run lanyard-switch as root");
		close(home);
		return rc;
	}
	rc = fn(arg, err);
	if (away && setns(home, CLONE_NEWNET) < 0) {
		LOG_ERR("switch: cannot return from a network namespace: %s", strerror(errno));
		abort();
	}
	close(home);
	return rc;
}
