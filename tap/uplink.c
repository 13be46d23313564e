/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/uplink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap/device_allow.h"
#include "tap/uplink_rings.h"

#define POLL_NS	     S_NS /* between looks at a link that nobody tells of */
/* Before the next try, when the interface is there but not yet ready: doubled up to the other, as each
 * try keeps control from all else for some 25 ms. */
#define RETRY_NS     (250 * MS_NS)
#define RETRY_MAX_NS (8 * S_NS)

/* Those that a predecessor left, and whose devices are not open yet. */
static TAILQ_HEAD(, uplink) waiting = TAILQ_HEAD_INITIALIZER(waiting);

static void look(struct uplink *u);
static int link_watch(struct uplink *u, struct err *err);

static struct loop *loop_of(struct uplink *u)
{
	return switch_loop(u->port.sw);
}

/* ---- rings ---- */

static int rings_start(struct uplink *u, struct err *err)
{
	int rc = 0;

	ethdev_drain(&u->dev);
	for (unsigned q = 0; rc == 0 && q < u->dev.n_queues; q++) {
		uplink_missed_reset(u, q);
		rc = port_rx_start(&u->port, q, u->dev.kick_fd[q], err);
		if (rc == 0)
			rc = port_tx_start(&u->port, q, err);
	}
	if (rc < 0)
		port_stop_all(&u->port);
	return rc;
}

/* ---- the device ---- */

static void on_device_event(void *arg)
{
	struct uplink *u = arg;

	port_fault_raise(&u->port);
}

static int device_open(struct uplink *u, struct err *err)
{
	struct ethdev_opts opts = {
		.device = u->device,
		.n_queues = u->n_queues,
		.mtu = u->port.kept->mtu,
		.on_event = on_device_event,
		.arg = u,
	};
	int rc = ethdev_open(&u->dev, &opts, err);

	if (rc < 0)
		return rc;
	atomic_store(&u->len_max, u->dev.tx.len_max);
	if (u->dev.ifindex && u->link_fd < 0)
		rc = link_watch(u, err);
	if (rc < 0)
		ethdev_close(&u->dev);
	return rc;
}

static void device_close(struct uplink *u)
{
	port_stop_all(&u->port);
	ethdev_close(&u->dev);
	loop_timer_del(u->poll);
	loop_timer_del(u->retry);
	u->tried_ifindex = 0;
}

static void on_poll(void *arg)
{
	look(arg);
}

/* Who tells of this device's link? Interfaces: netlink; others: the driver, or a look each second. */
static void poll_next(struct uplink *u)
{
	if (u->dev.is_open && !u->dev.ifindex && !u->dev.link_events && !u->poll)
		loop_timer_add(loop_of(u), POLL_NS, on_poll, u, &u->poll);
}

/* A device that has gone: is its interface back? */
static void device_return(struct uplink *u)
{
	struct err err = ERR_NONE;
	unsigned ifindex = 0;
	uint32_t mtu;
	int rc;

	if (u->dev.name.iface[0] && iface_find(u->dev.name.iface, &ifindex, &mtu) < 0)
		return;
	/* A try makes news of the interface by itself: only another interface does not wait. */
	if (u->retry && ifindex == u->tried_ifindex)
		return;
	if (ifindex != u->tried_ifindex)
		u->retry_ns = RETRY_NS;
	rc = device_open(u, &err);
	if (rc == 0) {
		u->tried_ifindex = 0;
		loop_timer_del(u->retry);
		look(u);
		return;
	}
	port_state_set(&u->port, PORT_ERRORED, "%s", err.text);
	u->tried_ifindex = ifindex;
	if (!u->dev.name.iface[0] || u->retry)
		return;
	loop_timer_add(loop_of(u), u->retry_ns, on_poll, u, &u->retry);
	u->retry_ns = u->retry_ns * 2 < RETRY_MAX_NS ? u->retry_ns * 2 : RETRY_MAX_NS;
}

/* What the interface takes is the port's MTU where none was given, and in any case all that it is sent. */
static void mtu_take(struct uplink *u, uint32_t mtu)
{
	uint32_t len = mtu + FRAME_MIN + 2 * VLAN_TAG;

	if (!mtu)
		return;
	atomic_store(&u->len_max, len < u->dev.tx.len_max ? len : u->dev.tx.len_max);
	port_mtu_tell(&u->port, mtu < u->dev.mtu_max ? mtu : u->dev.mtu_max);
}

/* Brings the port's state to what its device is in. */
static void look(struct uplink *u)
{
	struct port *p = &u->port;
	struct err err = ERR_NONE;
	uint32_t mtu = 0;
	int rc;

	if (!u->wanted)
		return;
	if (!u->dev.is_open) {
		device_return(u);
		return;
	}
	rc = ethdev_link(&u->dev, &mtu, &err);
	if (rc == -ENODEV) {
		device_close(u);
		port_state_set(p, PORT_ERRORED, "%s", err.text);
		device_return(u);
		return;
	}
	mtu_take(u, mtu);
	if (rc < 0)
		port_stop_all(p);
	else if (!p->rx_mask)
		rc = rings_start(u, &err);
	port_state_set(p, rc < 0 ? PORT_ERRORED : PORT_UP, "%s", rc < 0 ? err.text : "");
	poll_next(u);
}

/* ---- what the kernel tells of interfaces: that something has changed is all that is read ---- */

static void on_link_news(void *arg, int fd, uint32_t events)
{
	char news[8192];

	while (recv(fd, news, sizeof(news), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		errno = 0;
	look(arg);
}

static int link_watch(struct uplink *u, struct err *err)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int rc;

	u->link_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (u->link_fd < 0)
		return err_set(err, -errno, "cannot watch interfaces: %s", strerror(errno));
	rc = bind(u->link_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	if (rc == 0)
		rc = loop_fd_add(loop_of(u), u->link_fd, EPOLLIN, on_link_news, u, &u->link_watch);
	if (rc == 0)
		return 0;
	close(u->link_fd);
	u->link_fd = -1;
	return err_set(err, rc, "cannot watch interfaces: %s", strerror(-rc));
}

/* ---- the port ---- */

/* Down gives the device back, so that up is a fresh start of it with what is true then. */
static int uplink_admin(struct port *p, bool up, struct err *err)
{
	struct uplink *u = uplink_of(p);
	int rc = 0;

	u->wanted = up;
	if (!up) {
		device_close(u);
		port_state_set(p, PORT_DOWN, "set down by the administrator");
		return 0;
	}
	if (!u->dev.is_open)
		rc = device_open(u, err);
	if (rc < 0) {
		port_state_set(p, PORT_ERRORED, "%s", err ? err->text : "its device does not open");
		return rc;
	}
	look(u);
	return 0;
}

static void uplink_info(const struct port *p, struct port_info *info)
{
	info->device = ((const struct uplink *)p)->device;
	info->n_queues = (unsigned)__builtin_popcount(p->rx_mask);
}

static void uplink_fault(struct port *p)
{
	look(uplink_of(p));
}

/* Also of one that was made by half. */
static void uplink_free(struct uplink *u)
{
	if (u->waits)
		TAILQ_REMOVE(&waiting, u, link);
	loop_fd_del(u->link_watch);
	if (u->link_fd >= 0)
		close(u->link_fd);
	loop_timer_del(u->poll);
	loop_timer_del(u->retry);
	ethdev_close(&u->dev);
	port_fini(&u->port);
	free(u);
}

static void uplink_destroy(struct port *p)
{
	port_stop_all(p);
	uplink_free(uplink_of(p));
}

/* Its device cannot be opened twice. */
static void uplink_yield(struct port *p)
{
	ethdev_close(&uplink_of(p)->dev);
}

static const struct port_ops uplink_ops = {
	.type = "uplink",
	.rx_burst = uplink_rx_burst,
	.rx_done = uplink_rx_done,
	.tx_burst = uplink_tx_burst,
	.arm = uplink_arm,
	.disarm = uplink_disarm,
	.admin = uplink_admin,
	.info = uplink_info,
	.fault = uplink_fault,
	.yield = uplink_yield,
	.destroy = uplink_destroy,
};

int uplink_check(const char *device, struct err *err)
{
	if (strlen(device) >= DEVICE_TEXT_MAX)
		return err_set(err, -EINVAL, "a device's name has at most %d characters",
			       DEVICE_TEXT_MAX - 1);
	return device_allow(device, err);
}

int uplink_add(struct switch_ *sw, const struct uplink_opts *opts, struct port **out,
	       struct err *err)
{
	struct uplink *u = aligned_alloc(64, (sizeof(*u) + 63) / 64 * 64);
	int rc = uplink_check(opts->device, err);

	if (rc == 0 && !u)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0) {
		memset(u, 0, sizeof(*u));
		rc = port_init(&u->port, sw, &opts->port, &uplink_ops, err);
	}
	if (rc < 0) {
		free(u);
		return rc;
	}
	u->link_fd = -1;
	u->wanted = !opts->port.down;
	u->retry_ns = RETRY_NS;
	u->n_queues = opts->n_queues;
	snprintf(u->device, sizeof(u->device), "%s", opts->device);
	*out = &u->port;
	/* One that is down has its device opened, and looked for, when it is set up. */
	if (!u->wanted) {
		port_state_set(&u->port, PORT_DOWN, "set down by the administrator");
		return 0;
	}
	if (opts->port.adopt) {
		port_state_set(&u->port, PORT_CONNECTING, "its device is about to be opened again");
		u->waits = true;
		TAILQ_INSERT_TAIL(&waiting, u, link);
		return 0;
	}
	rc = device_open(u, err);
	if (rc < 0) {
		*out = NULL;
		uplink_free(u);
		return rc;
	}
	look(u);
	return 0;
}

void uplinks_open(void)
{
	struct err ignored = ERR_NONE;
	struct uplink *u;

	while ((u = TAILQ_FIRST(&waiting))) {
		struct err err = ERR_NONE;

		TAILQ_REMOVE(&waiting, u, link);
		u->waits = false;
		if (device_open(u, &err) == 0) {
			look(u);
			continue;
		}
		port_state_set(&u->port, PORT_ERRORED, "%s", err.text);
		/* Its interface may come back. */
		if (u->dev.name.iface[0] && u->link_fd < 0)
			link_watch(u, &ignored);
		device_return(u);
	}
}
