/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/host.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "tap/host_direct.h"
#include "tap/host_note.h"
#include "tap/netns.h"
#include "tap/tun.h"
#include "tap/xdp_keep.h"

#define EVENTS_BUFFER (1024 * 1024) /* bytes: some 600 changes at once */

/* ---- directly ---- */

static int direct_netlink(int ns_fd, int fds[2], struct err *err)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK};
	int group = RTNLGRP_LINK, size = EVENTS_BUFFER, rc = 0;

	fds[0] = fds[1] = -1;
	for (unsigned i = 0; i < 2 && rc >= 0; i++) {
		rc = fds[i] = netns_inside(ns_fd, NETNS_ROUTE, err);
		if (rc < 0) {
			fd_msg_close(fds, 2);
			return rc;
		}
		rc = bind(fds[i], (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	}
	if (rc >= 0 &&
	    setsockopt(fds[1], SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		rc = -errno;
	if (rc >= 0) {
		/* Beyond the host's limit where we may. */
		if (setsockopt(fds[1], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
			setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		return 0;
	}
	fd_msg_close(fds, 2);
	return err_set(err, rc, "cannot listen to changes of interfaces: %s", strerror(-rc));
}

static void direct_settle(void)
{
	nat_service_settle();
}

static void direct_end(void)
{
	nat_service_end();
	xdp_keep_end();
	host_note_close();
}

const struct host_ops host_direct = {
	.netns = netns_open,
	.netlink = direct_netlink,
	.tun = tun_open,
	.tun_netns = tun_netns,
	.link = link_change,
	.nat_start = nat_service_start,
	.nat_rename = nat_service_rename,
	.nat_stop = nat_service_stop,
	.xdp_off = xdp_keep_off,
	.xdp_keep = xdp_keep,
	.settle = direct_settle,
	.end = direct_end,
};

/* ---- by the table ---- */

static const struct host_ops *ops = &host_direct;

int host_begin(struct loop *loop, const char *run_dir, struct err *err)
{
	ops = &host_direct;
	nat_service_begin(loop);
	return host_note_open(run_dir, err);
}

void host_begin_by(const struct host_ops *o)
{
	ops = o;
}

void host_end(void)
{
	ops->end();
	ops = &host_direct;
}

int host_netns(const char *name, int *fd, struct err *err)
{
	return ops->netns(name, fd, err);
}

int host_netlink(int ns_fd, int fds[2], struct err *err)
{
	return ops->netlink(ns_fd, fds, err);
}

int host_tun(int ns_fd, const char *name, bool exists, int *fds, unsigned n, struct err *err)
{
	return ops->tun(ns_fd, name, exists, fds, n, err);
}

int host_tun_netns(int tun_fd)
{
	return ops->tun_netns(tun_fd);
}

int host_link(int tun_fd, const struct link_change *c, struct err *err)
{
	return ops->link(tun_fd, c, err);
}

int host_nat_start(const struct nat_service_opts *opts, struct err *err)
{
	return ops->nat_start(opts, err);
}

int host_nat_rename(unsigned slot, int tun_fd, struct err *err)
{
	return ops->nat_rename(slot, tun_fd, err);
}

void host_nat_stop(unsigned slot)
{
	ops->nat_stop(slot);
}

int host_xdp_off(int prog_fd, unsigned ifindex, struct err *err)
{
	return ops->xdp_off(prog_fd, ifindex, err);
}

int host_xdp_keep(int prog_fd, unsigned ifindex, struct err *err)
{
	return ops->xdp_keep(prog_fd, ifindex, err);
}

static void (*forgot)(void);

void host_forgot_set(void (*fn)(void))
{
	forgot = fn;
}

bool host_forgot_has(void)
{
	return forgot != NULL;
}

void host_forgot(void)
{
	if (forgot)
		forgot();
}

void host_settle(void)
{
	ops->settle();
}
