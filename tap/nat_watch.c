/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/nat_watch.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct nat_watch {
	struct loop *loop;
	loop_fn fn;
	void *arg;
	int fd;
	struct loop_fd *watch;
	struct loop_timer *timer;
};

static void on_timer(void *arg)
{
	struct nat_watch *w = arg;

	w->fn(w->arg);
}

static void on_news(void *arg, int fd, uint32_t events)
{
	struct nat_watch *w = arg;
	char news[16384];

	/* What is too much for the socket (ENOBUFS) is news as well. */
	while (recv(fd, news, sizeof(news), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		errno = 0;
	if (!w->timer)
		loop_timer_add(w->loop, NAT_WATCH_MS * MS_NS, on_timer, w, &w->timer);
}

int nat_watch_start(struct loop *loop, loop_fn fn, void *arg, struct nat_watch **out,
		    struct err *err)
{
	struct nat_watch *w = calloc(1, sizeof(*w));
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK};
	int group = NFNLGRP_NFTABLES, rc;

	if (!w)
		return err_set(err, -ENOMEM, "out of memory");
	*w = (struct nat_watch){.loop = loop, .fn = fn, .arg = arg};
	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	rc = w->fd < 0 ? -errno : 0;
	if (rc == 0 &&
	    (bind(w->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	     setsockopt(w->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0))
		rc = -errno;
	if (rc == 0)
		rc = loop_fd_add(loop, w->fd, EPOLLIN, on_news, w, &w->watch);
	if (rc < 0) {
		nat_watch_stop(w);
		return err_set(err, rc, "cannot watch nftables: %s", strerror(-rc));
	}
	*out = w;
	return 0;
}

void nat_watch_stop(struct nat_watch *w)
{
	if (!w)
		return;
	loop_timer_del(w->timer);
	loop_fd_del(w->watch);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}
