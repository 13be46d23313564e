/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/tap_follow.h"

#include <string.h>
#include <unistd.h>

#include "tap/host.h"
#include "tap/tap_interface.h"
#include "tap/tap_keep.h"
#include "tap/tun.h"

#define AGAIN_MIN (5 * MS_NS)
#define AGAIN_MAX (2 * S_NS)

void tap_mtu_see(struct tap *t)
{
	struct netlink_link link;

	if (t->present && netlink_find(t->nl, NULL, t->ifindex, &link, NULL) == 0)
		port_mtu_tell(&t->port, link.mtu);
}

/* Listens in another namespace from now on. ns_fd becomes t's, unless that fails. */
static int listen_in(struct tap *t, int ns_fd, struct err *err)
{
	struct netlink *nl;
	int rc = netlink_get(switch_loop(t->port.sw), ns_fd, &nl, err);

	if (rc < 0) {
		close(ns_fd);
		return rc;
	}
	netlink_unwatch(t->nl, &t->watcher);
	netlink_put(t->nl);
	close(t->ns_fd);
	t->ns_fd = ns_fd;
	t->nl = nl;
	netlink_watch(nl, &t->watcher);
	return 0;
}

/* The interface has left this namespace, with our descriptors. */
static int follow(struct tap *t)
{
	int ns_fd = host_tun_netns(t->fds[0]), rc;

	rc = ns_fd < 0 ? ns_fd : listen_in(t, ns_fd, NULL);
	if (rc < 0)
		return rc;
	t->netns[0] = '\0'; /* whatever it is called, it is not the one that was given */
	t->away = true;
	if (t->renamed)
		t->renamed(t);
	return 0;
}

static void name_take(struct tap *t, const char name[IFNAMSIZ])
{
	if (!strcmp(t->ifname, name))
		return;
	memcpy(t->ifname, name, IFNAMSIZ);
	t->away = true;
	if (t->renamed)
		t->renamed(t);
}

int tap_go_home(struct tap *t, struct err *err)
{
	int ns_fd, rc;

	if (!t->away)
		return 0;
	rc = host_netns(t->home_netns[0] ? t->home_netns : NULL, &ns_fd, err);
	if (rc == 0)
		rc = listen_in(t, ns_fd, err);
	if (rc < 0)
		return rc;
	memcpy(t->netns, t->home_netns, sizeof(t->netns));
	name_take(t, t->home_ifname);
	t->away = false;
	return 0;
}

static void see_link(struct tap *t, const struct netlink_link *link)
{
	t->ifindex = link->index;
	if (link->name[0])
		name_take(t, link->name);
	t->link_up = link->up;
	if (link->mtu)
		port_mtu_tell(&t->port, link->mtu);
	tap_reconcile(t, NULL);
}

void tap_look(struct tap *t)
{
	struct netlink_link link;

	if (!t->present)
		return;
	if (!tun_attached(t->fds[0])) {
		tap_queues_stop(t);
		tap_interface_forget(t);
		tap_go_home(t, NULL);
		port_mtu_tell(&t->port, 0);
		tap_reconcile(t, NULL);
		return;
	}
	/* By name where it has got another index, in another namespace. */
	if (netlink_find(t->nl, NULL, t->ifindex, &link, NULL) == 0 && !strcmp(link.kind, "tun"))
		see_link(t, &link);
	else if (follow(t) == 0 && netlink_find(t->nl, t->ifname, 0, &link, NULL) == 0)
		see_link(t, &link);
}

void tap_made_again(struct tap *t)
{
	tap_keep(t);
	tap_mtu_see(t);
	if (t->renamed)
		t->renamed(t);
}

/* Somebody has made an interface of our name, and perhaps taken it away again. Its maker holds it until
 * it is persistent, and the kernel does not say when that is. */
static void return_of_it(void *arg)
{
	struct netlink_link link;
	struct tap *t = arg;

	if (t->present || netlink_find(t->nl, t->ifname, 0, &link, NULL) < 0 ||
	    tap_interface_kind_check(&link, NULL) < 0)
		return;
	if (tap_interface_open(t, t->port.name, t->port.kept->mtu, NULL) < 0) {
		loop_timer_del(t->again);
		t->again_ns *= 2;
		if (t->again_ns < AGAIN_MAX)
			loop_timer_add(switch_loop(t->port.sw), t->again_ns, return_of_it, t,
				       &t->again);
		return;
	}
	tap_made_again(t);
	tap_reconcile(t, NULL);
}

void tap_link_changed(void *arg, const struct netlink_link *link)
{
	struct tap *t = arg;

	/* An event tells of the past, ours too: what counts is how the interface is now. */
	if (!link || (t->present && link->index == t->ifindex))
		tap_look(t);
	if (link && !t->present && !link->gone && !strcmp(link->name, t->ifname)) {
		t->again_ns = AGAIN_MIN;
		return_of_it(t);
	}
	if (link && !t->present &&
	    (link->index == t->other_ifindex || !strcmp(link->name, t->ifname)))
		tap_reconcile(t, NULL);
}

void tap_find_again(struct tap *t)
{
	char name[IFNAMSIZ];
	struct netlink_link link;

	if (tun_name(t->fds[0], name) < 0)
		return tap_look(t);
	name_take(t, name);
	if (!tap_is_here(t))
		follow(t);
	if (netlink_find(t->nl, name, 0, &link, NULL) == 0)
		see_link(t, &link);
	tun_carrier(t->fds[0], t->port.carrier);
}
