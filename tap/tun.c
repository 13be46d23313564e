/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/tun.h"

#include <ctype.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "switch/vnet_hdr.h"
#include "tap/netns.h"

#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

struct request {
	int ns_fd;
	const char *name;
	bool exists;
	int *fds;
	unsigned n;
};

int tun_name_check(const char *name, struct err *err)
{
	size_t len = strlen(name);
	bool good = len > 0 && len < IFNAMSIZ && strcmp(name, ".") && strcmp(name, "..");

	for (size_t i = 0; good && i < len; i++)
		good = isgraph((unsigned char)name[i]) && !strchr("/:%", name[i]);
	if (good)
		return 0;
	return err_set(
		err, -EINVAL,
		"\"%.40s\" is no interface name: 1 to %d characters, no blank and none of / : %%",
		name, IFNAMSIZ - 1);
}

static int refuse(const struct request *r, struct err *err)
{
	switch (errno) {
	case EPERM:
		err_set(err, -EPERM, "%s interface \"%s\" needs CAP_NET_ADMIN",
			r->exists ? "using" : "making", r->name);
		return err_hint(
			err,
			"run lanyard-switch as root, or have root make it for this user: ip "
			"tuntap add %s mode tap user NAME",
			r->name);
	case EBUSY:
		if (!r->exists)
			return err_set(err, -EBUSY, "interface \"%s\" is there already, and is not made", r->name);
		return err_set(err, -EBUSY, "interface \"%s\" is used by another program", r->name);
	case EINVAL:
		if (!r->exists)
			break;
		if (r->n > 1) {
			err_set(err, -EINVAL, "interface \"%s\" has one queue, not %u", r->name,
				r->n);
			return err_hint(
				err,
				"leave out --queues, or make it with `ip tuntap add %s mode "
				"tap multi_queue`",
				r->name);
		}
		return err_set(err, -EEXIST, "interface \"%s\" exists and is no tap", r->name);
	case E2BIG:
		return err_set(err, -E2BIG,
			       "interface \"%s\": the kernel has fewer than %u queues left "
			       "for it",
			       r->name, r->n);
	}
	return err_set(err, -errno, "cannot use interface \"%s\": %s", r->name, strerror(errno));
}

static int attach(int fd, const char *name, int more_flags)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | more_flags)};

	memcpy(ifr.ifr_name, name, strlen(name));
	return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

static bool persistent(int fd)
{
	struct ifreq ifr = {0};

	return ioctl(fd, TUNGETIFF, &ifr) == 0 && ifr.ifr_flags & IFF_PERSIST;
}

static int queue_open(const struct request *r, unsigned i, struct err *err)
{
	/* What is to be made is nobody's yet: the kernel would attach to somebody else's. */
	const int is_new = !r->exists && i == 0 ? IFF_TUN_EXCL : 0;
	const int flags = (r->n > 1 ? IFF_MULTI_QUEUE : 0) | is_new;
	int hdr = VNET_HDR, fd = netns_inside(r->ns_fd, NETNS_TUN, err), rc;

	if (fd < 0)
		return fd;
	r->fds[i] = fd;
	rc = attach(fd, r->name, flags);
	/* One queue of a tap that was made for several does as well. */
	if (rc == -EINVAL && r->exists && r->n == 1)
		rc = attach(fd, r->name, IFF_MULTI_QUEUE);
	if (rc < 0) {
		errno = -rc;
		return refuse(r, err);
	}
	if (r->exists && !persistent(fd)) {
		errno = EBUSY;
		return refuse(r, err);
	}
	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr) < 0 || ioctl(fd, TUNSETOFFLOAD, OFFLOADS) < 0)
		return err_set(err, -errno, "interface \"%s\" takes no offloads: %s", r->name,
			       strerror(errno));
	return 0;
}

static int queues_open(const struct request *r, struct err *err)
{
	for (unsigned i = 0; i < r->n; i++) {
		int rc = queue_open(r, i, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int tun_open(int ns_fd, const char *name, bool exists, int *fds, unsigned n, struct err *err)
{
	struct request r = {.ns_fd = ns_fd, .name = name, .exists = exists, .fds = fds, .n = n};
	int rc;

	for (unsigned i = 0; i < n; i++)
		fds[i] = -1;
	rc = queues_open(&r, err);
	for (unsigned i = 0; rc < 0 && i < n; i++)
		if (fds[i] >= 0) {
			close(fds[i]);
			fds[i] = -1;
		}
	return rc;
}

bool tun_is_one(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(10, 200);
}

bool tun_attached(int fd)
{
	struct ifreq ifr = {0};

	return ioctl(fd, TUNGETIFF, &ifr) == 0;
}

int tun_name(int fd, char out[IFNAMSIZ])
{
	struct ifreq ifr = {0};

	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return -errno;
	memcpy(out, ifr.ifr_name, IFNAMSIZ);
	return 0;
}

void tun_carrier(int fd, bool on)
{
	int value = on;

	/* Kernels before 4.20 do not know it: there the host's side sees no change. */
	if (ioctl(fd, TUNSETCARRIER, &value) < 0)
		return;
}

int tun_netns(int fd)
{
	int ns = ioctl(fd, TUNGETDEVNETNS);

	return ns < 0 ? -errno : ns;
}

bool tun_netns_is_untold(int rc)
{
	return rc == -EINVAL || rc == -EPERM || rc == -ENOTTY;
}

bool tun_is_here(int fd)
{
	int there = tun_netns(fd), here;
	bool same;

	if (there < 0)
		return tun_netns_is_untold(there);
	same = netns_open(NULL, &here, NULL) == 0;
	if (same) {
		same = netns_same(there, here);
		close(here);
	}
	close(there);
	return same;
}
