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
#include "tap/device_early.h"
#include "tap/uplink_programs.h"
#include "tap/uplink_rings.h"

#define POLL_NS	     S_NS /* between looks at a link that nobody tells of */
/* Before the next try, when the interface is there but not yet ready: doubled up to the other, as each
 * try keeps control from all else for some 25 ms. */
#define RETRY_NS     (250 * MS_NS)
#define RETRY_MAX_NS (8 * S_NS)

/* Those that a predecessor left, and whose devices are not open yet. */
static TAILQ_HEAD(, uplink) waiting = TAILQ_HEAD_INITIALIZER(waiting);

static TAILQ_HEAD(, uplink) all = TAILQ_HEAD_INITIALIZER(all);

/* Of all uplinks. One whose process has given up its rights gets no other socket; nobody is woken by it while there
 * is no uplink. */
static struct {
	struct loop *loop;
	int fd; /* netlink: something about an interface has changed */
	struct loop_fd *watch;
} news = {.fd = -1};

static const struct device_opener *opener; /* NULL: this process can open them */

#define GOES_ON "its device is open, and a process that has it is about to go on"

static void look(struct uplink *u);

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

static void want_of(const struct uplink *u, struct device_want *w)
{
	*w = (struct device_want){.n_queues = u->n_queues, .mtu = u->port.kept->mtu};
	memcpy(w->device, u->device, sizeof(w->device));
}

static void open_failed(struct uplink *u, unsigned ifindex, const char *why);

static bool on_opened(void *arg, int rc, const struct err *err)
{
	struct uplink *u = arg;

	u->asked = NULL;
	if (rc == 0)
		port_state_set(&u->port, PORT_CONNECTING, GOES_ON);
	else
		open_failed(u, u->asked_ifindex, err->text);
	return true;
}

/* By another process. -EINPROGRESS: on_opened() says how that went. */
static int device_ask(struct uplink *u, struct err *err)
{
	struct device_want want;
	uint32_t mtu;
	int rc;

	if (u->asked)
		return -EINPROGRESS;
	want_of(u, &want);
	if (opener->has(opener->arg, &want)) {
		port_state_set(&u->port, PORT_CONNECTING, GOES_ON);
		return -EINPROGRESS;
	}
	u->asked_ifindex = 0;
	if (u->dev.name.iface[0])
		iface_find(u->dev.name.iface, &u->asked_ifindex, &mtu);
	rc = opener->ask(opener->arg, &want, on_opened, u, &u->asked, err);
	return rc < 0 ? rc : -EINPROGRESS;
}

static int device_open(struct uplink *u, struct err *err)
{
	struct device_want want;
	struct ethdev_opts opts = {
		.device = u->device,
		.n_queues = u->n_queues,
		.mtu = u->port.kept->mtu,
		.on_event = on_device_event,
		.arg = u,
	};
	int rc = 0;

	if (opener)
		return device_ask(u, err);
	want_of(u, &want);
	if (!device_early_take(&want, &u->dev, on_device_event, u))
		rc = ethdev_open(&u->dev, &opts, err);
	if (rc < 0)
		return rc;
	atomic_store(&u->len_max, u->dev.tx.len_max);
	uplink_programs_keep(loop_of(u), &u->dev);
	return 0;
}

static void ask_forget(struct uplink *u)
{
	if (u->asked)
		opener->forget(u->asked);
	u->asked = NULL;
}

static void device_close(struct uplink *u)
{
	port_stop_all(&u->port);
	ask_forget(u);
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

	if (u->asked || (u->dev.name.iface[0] && iface_find(u->dev.name.iface, &ifindex, &mtu) < 0))
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
	if (rc != -EINPROGRESS)
		open_failed(u, ifindex, err.text);
}

/* The next try is for another interface, or later. */
static void open_failed(struct uplink *u, unsigned ifindex, const char *why)
{
	port_state_set(&u->port, PORT_ERRORED, "%s", why);
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
	char text[8192];
	struct uplink *u;

	while (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		errno = 0;
	TAILQ_FOREACH (u, &all, all)
		if (u->dev.name.iface[0] && !u->waits)
			look(u);
}

int uplinks_begin(struct loop *loop, struct err *err)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int rc = iface_begin();

	news.loop = loop;
	if (rc == 0)
		news.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (rc == 0 && (news.fd < 0 || bind(news.fd, (struct sockaddr *)&sa, sizeof(sa)) < 0))
		rc = -errno;
	return rc < 0 ? err_set(err, rc, "cannot watch interfaces: %s", strerror(-rc)) : 0;
}

void uplinks_end(void)
{
	device_early_close();
	uplink_programs_end();
	loop_fd_del(news.watch);
	if (news.fd >= 0)
		close(news.fd);
	news.watch = NULL;
	news.fd = -1;
	opener = NULL;
}

void uplinks_confined(const struct device_opener *o)
{
	opener = o;
	ethdevs_confined();
}

void uplinks_again(void)
{
	struct uplink *u;

	TAILQ_FOREACH (u, &all, all)
		if (!u->waits)
			look(u);
}

static void all_add(struct uplink *u)
{
	TAILQ_INSERT_TAIL(&all, u, all);
	if (news.fd >= 0 && !news.watch)
		loop_fd_add(news.loop, news.fd, EPOLLIN, on_link_news, NULL, &news.watch);
}

static void all_remove(struct uplink *u)
{
	TAILQ_REMOVE(&all, u, all);
	if (!TAILQ_EMPTY(&all))
		return;
	loop_fd_del(news.watch);
	news.watch = NULL;
}

/* ---- the port ---- */

static void opens_say(struct uplink *u)
{
	if (u->asked)
		port_state_set(&u->port, PORT_CONNECTING, "another process opens its device");
}

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
	if (rc == -EINPROGRESS) {
		opens_say(u);
		return 0;
	}
	if (rc < 0) {
		port_state_set(p, PORT_ERRORED, "%s", err ? err->text : "its device does not open");
		return rc;
	}
	look(u);
	return 0;
}

static int uplink_mtu(struct port *p, uint32_t mtu, struct err *err)
{
	return mtu ? ethdev_mtu_check(&uplink_of(p)->dev, mtu, err) : 0;
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
	all_remove(u);
	ask_forget(u);
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

/* Its device cannot be opened twice. AF_PACKET's can, and takes the kernel 50 ms to close: this process's end does. */
static void uplink_yield(struct port *p)
{
	struct uplink *u = uplink_of(p);

	if (!device_is(&u->dev.name, "net_af_packet"))
		ethdev_yield(&u->dev);
}

struct port *uplink_next(struct port *p)
{
	struct uplink *u = p ? TAILQ_NEXT(uplink_of(p), all) : TAILQ_FIRST(&all);

	return u ? &u->port : NULL;
}

static const struct port_ops uplink_ops;

bool uplink_wants(struct port *p, struct device_want *w)
{
	struct uplink *u = uplink_of(p);

	if (p->ops != &uplink_ops)
		return false;
	want_of(u, w);
	return opener && !u->dev.is_open;
}

static const struct port_ops uplink_ops = {
	.type = "uplink",
	.rx_burst = uplink_rx_burst,
	.rx_done = uplink_rx_done,
	.tx_burst = uplink_tx_burst,
	.arm = uplink_arm,
	.disarm = uplink_disarm,
	.admin = uplink_admin,
	.mtu = uplink_mtu,
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
	all_add(u);
	device_name_split(opts->device, &u->dev.name);
	u->dev.all_fd = u->dev.xdp_fd = -1;
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
	if (rc == -EINPROGRESS) {
		opens_say(u);
		return 0;
	}
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
		device_return(u);
	}
	device_early_close();
}
