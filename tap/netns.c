/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"

#define OWN	   "/proc/thread-self/ns/net"
#define TUN_DEVICE "/dev/net/tun"

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
	/* What else lies there, a pipe say, is not waited for. */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd >= 0 && netns_is_one(*fd))
		return 0;
	if (*fd >= 0) {
		close(*fd);
		*fd = -1;
		return err_set(err, -EINVAL, "\"%s\" is no network namespace", path);
	}
	if (errno != ENOENT)
		return err_set(err, -errno, "cannot open network namespace \"%s\": %s", name,
			       strerror(errno));
	err_set(err, -ENOENT, "there is no network namespace \"%s\"", name);
	return err_hint(err, "`ip netns add %s` makes one, `ip netns list` shows them", name);
}

bool netns_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

bool netns_is_one(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && (unsigned long)st.f_type == NSFS_MAGIC &&
	       ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

/* ---- inside ---- */

static int route_open(struct err *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? err_set(err, -errno, "cannot look at interfaces: %s", strerror(errno)) : fd;
}

static int tun_device_open(struct err *err)
{
	int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC), rc = -errno;

	if (fd >= 0)
		return fd;
	if (rc == -ENOENT || rc == -ENODEV) {
		err_set(err, rc, "this host has no %s", TUN_DEVICE);
		return err_hint(err, "load the kernel's module: modprobe tun");
	}
	err_set(err, rc, "cannot open %s: %s", TUN_DEVICE, strerror(-rc));
	return err_hint(err, "run lanyard-switch as root");
}

static int enter(int ns_fd, struct err *err)
{
	if (setns(ns_fd, CLONE_NEWNET) == 0)
		return 0;
	if (errno != EPERM)
		return err_set(err, -errno, "cannot enter the network namespace: %s", strerror(errno));
	err_set(err, -EPERM, "cannot enter the network namespace: %s", strerror(EPERM));
	return err_hint(err, "that needs CAP_SYS_ADMIN: run lanyard-switch as root");
}

static int inside_directly(int ns_fd, enum netns_thing thing, struct err *err)
{
	int home = open(OWN, O_RDONLY | O_CLOEXEC), rc = 0;
	bool away;

	if (home < 0)
		return err_set(err, -errno, "cannot open %s: %s", OWN, strerror(errno));
	away = !netns_same(home, ns_fd);
	if (away)
		rc = enter(ns_fd, err);
	if (rc == 0) {
		rc = thing == NETNS_TUN ? tun_device_open(err) : route_open(err);
		if (away && setns(home, CLONE_NEWNET) < 0) {
			LOG_ERR("switch: cannot return from a network namespace: %s", strerror(errno));
			abort();
		}
	}
	close(home);
	return rc;
}

static netns_inside_fn inside = inside_directly;

void netns_inside_by(netns_inside_fn fn)
{
	inside = fn ? fn : inside_directly;
}

int netns_inside(int ns_fd, enum netns_thing thing, struct err *err)
{
	return inside(ns_fd, thing, err);
}
