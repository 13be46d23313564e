/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/link_change.h"

#include <errno.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet.h>

#include "tap/netns.h"
#include "tap/nle.h"
#include "tap/tun.h"

struct job {
	const struct link_change *c;
	char name[IFNAMSIZ];
	struct nl_sock *nl;
	unsigned index;
	bool there; /* the address was */
};

/* Makes of the interface what `to` says; consumes it. */
static int apply(const struct job *j, struct rtnl_link *to)
{
	struct rtnl_link *from = rtnl_link_alloc();
	int rc = -NLE_NOMEM;

	if (from && to) {
		rtnl_link_set_ifindex(from, (int)j->index);
		rc = rtnl_link_change(j->nl, from, to, 0);
	}
	if (from)
		rtnl_link_put(from);
	if (to)
		rtnl_link_put(to);
	return rc;
}

static int up_set(struct job *j, struct err *err)
{
	struct rtnl_link *to = rtnl_link_alloc();
	bool up = j->c->what == LINK_UP;
	int rc;

	if (to && up)
		rtnl_link_set_flags(to, IFF_UP);
	else if (to)
		rtnl_link_unset_flags(to, IFF_UP);
	rc = apply(j, to);
	return rc < 0 ? nle_refuse(err, rc,
				   up ? "cannot set the interface up"
				      : "cannot set the interface down")
		      : 0;
}

static int mac_set(struct job *j, struct err *err)
{
	struct nl_addr *address = nl_addr_build(AF_LLC, j->c->mac, 6);
	struct rtnl_link *to = rtnl_link_alloc();
	int rc = -NLE_NOMEM;

	if (to && address)
		rtnl_link_set_addr(to, address);
	if (address)
		rc = apply(j, to);
	else if (to)
		rtnl_link_put(to);
	if (address)
		nl_addr_put(address);
	return rc < 0 ? nle_refuse(err, rc, "cannot give the interface its MAC address") : 0;
}

static int mtu_set(struct job *j, struct err *err)
{
	struct rtnl_link *to = rtnl_link_alloc();
	char what[64];
	int rc;

	if (to)
		rtnl_link_set_mtu(to, j->c->mtu);
	rc = apply(j, to);
	if (rc == 0)
		return 0;
	snprintf(what, sizeof(what), "cannot give the interface an mtu of %u", j->c->mtu);
	return nle_refuse(err, rc, what);
}

/* ---- addresses ---- */

static bool same_address(const struct nl_addr *a, const struct nl_addr *b)
{
	return nl_addr_get_family(a) == nl_addr_get_family(b) &&
	       nl_addr_get_len(a) == nl_addr_get_len(b) &&
	       !memcmp(nl_addr_get_binary_addr(a), nl_addr_get_binary_addr(b), nl_addr_get_len(a));
}

/* The interface that has the address, or 0. */
static int address_holder(struct nl_sock *nl, const struct nl_addr *address, unsigned *index)
{
	struct nl_cache *cache;
	int rc = rtnl_addr_alloc_cache(nl, &cache);

	*index = 0;
	if (rc < 0)
		return rc;
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		struct nl_addr *local = rtnl_addr_get_local(a);

		if (local && same_address(local, address))
			*index = (unsigned)rtnl_addr_get_ifindex(a);
	}
	nl_cache_free(cache);
	return 0;
}

static struct rtnl_addr *address_object(unsigned index, struct nl_addr *a)
{
	struct rtnl_addr *out = rtnl_addr_alloc();

	if (!out)
		return NULL;
	rtnl_addr_set_ifindex(out, (int)index);
	rtnl_addr_set_local(out, a);
	return out;
}

static int address_taken(struct nl_sock *nl, unsigned holder, const char *text, struct err *err)
{
	struct rtnl_link *link = NULL;
	const char *name = NULL;

	if (rtnl_link_get_kernel(nl, (int)holder, NULL, &link) == 0)
		name = rtnl_link_get_name(link);
	/* It may have it with another prefix. */
	err_set(err, -EADDRINUSE, "interface \"%s\" has address %.*s already", name ? name : "?",
		(int)strcspn(text, "/"), text);
	if (link)
		rtnl_link_put(link);
	return err_hint(err, "choose another --address");
}

static int address_add(struct job *j, struct nl_addr *a, struct err *err)
{
	const char *text = j->c->address;
	struct rtnl_addr *object;
	char what[128];
	unsigned holder;
	int rc = address_holder(j->nl, a, &holder);

	if (rc == 0 && holder && holder != j->index)
		return address_taken(j->nl, holder, text, err);
	object = rc == 0 ? address_object(j->index, a) : NULL;
	if (rc == 0)
		rc = object ? rtnl_addr_add(j->nl, object, 0) : -NLE_NOMEM;
	if (object)
		rtnl_addr_put(object);
	j->there = rc < 0 && nle_errno(rc) == -EEXIST;
	if (rc == 0 || j->there)
		return 0;
	snprintf(what, sizeof(what), "cannot give the interface address %.64s", text);
	return nle_refuse(err, rc, what);
}

static int address_del(struct job *j, struct nl_addr *a, struct err *err)
{
	struct rtnl_addr *object = address_object(j->index, a);
	int rc = object ? rtnl_addr_delete(j->nl, object, 0) : -NLE_NOMEM;

	if (object)
		rtnl_addr_put(object);
	return rc < 0 ? nle_refuse(err, rc, "cannot take the interface's address away") : 0;
}

static int address_change(struct job *j, struct err *err)
{
	struct nl_addr *a = nle_address(j->c->address);
	int rc;

	if (!a)
		return err_set(err, -EINVAL,
			       "address \"%.64s\" is not an IP address with its prefix",
			       j->c->address);
	rc = j->c->what == LINK_ADDRESS_ADD ? address_add(j, a, err) : address_del(j, a, err);
	nl_addr_put(a);
	return rc;
}

/* ---- the rest ---- */

/* By netlink, and not in /proc/sys: that one shows the reader's namespace only. */
static int announce(const struct job *j)
{
	struct rtnl_link *to = rtnl_link_alloc();

	if (to)
		rtnl_link_inet_set_conf(to, IPV4_DEVCONF_ARP_NOTIFY, 1);
	apply(j, to);
	return 0;
}

static int link_delete(struct job *j, struct err *err)
{
	struct rtnl_link *link = rtnl_link_alloc();
	int rc = -NLE_NOMEM;

	if (link) {
		rtnl_link_set_ifindex(link, (int)j->index);
		rc = rtnl_link_delete(j->nl, link);
		rtnl_link_put(link);
	}
	return rc < 0 ? nle_refuse(err, rc, "cannot delete the interface") : 0;
}

/* ---- many at once ---- */

/* The group of interfaces that are doomed, which is nobody else's; 0: the kernel gives no number. */
static uint32_t doomed_group(void)
{
	static uint32_t group;

	/* 0 is where interfaces are at first, and small ones are administrators'. */
	if (!group && getrandom(&group, sizeof(group), GRND_NONBLOCK) == sizeof(group))
		group |= 0x40000000;
	return group;
}

static int doom(struct job *j, struct err *err)
{
	struct rtnl_link *to = doomed_group() ? rtnl_link_alloc() : NULL;
	int rc;

	if (to)
		rtnl_link_set_group(to, doomed_group());
	rc = apply(j, to);
	return rc < 0 ? nle_refuse(err, rc, "cannot have the interface deleted with others") : 0;
}

/* One message: the kernel waits for its readers once for all of them. */
static int sweep(struct job *j, struct err *err)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m = doomed_group() ? nlmsg_alloc_simple(RTM_DELLINK, 0) : NULL;
	int rc = m ? nlmsg_append(m, &info, sizeof(info), NLMSG_ALIGNTO) : -NLE_NOMEM;

	if (rc == 0)
		rc = nla_put_u32(m, IFLA_GROUP, doomed_group());
	if (rc == 0)
		rc = nl_send_sync(j->nl, m); /* frees it */
	else
		nlmsg_free(m);
	return rc < 0 ? nle_refuse(err, rc, "cannot delete the interfaces") : 0;
}

static int change(struct job *j, struct err *err)
{
	switch (j->c->what) {
	case LINK_UP:
	case LINK_DOWN:
		return up_set(j, err);
	case LINK_MTU:
		return mtu_set(j, err);
	case LINK_MAC:
		return mac_set(j, err);
	case LINK_ADDRESS_ADD:
	case LINK_ADDRESS_DEL:
		return address_change(j, err);
	case LINK_ANNOUNCE:
		return announce(j);
	case LINK_DELETE:
		return link_delete(j, err);
	case LINK_DOOM:
		return doom(j, err);
	case LINK_SWEEP:
		return sweep(j, err);
	}
	return err_set(err, -EINVAL, "there is no change %u of an interface", j->c->what);
}

/* By name first: the descriptor tells no index. Another interface cannot have it, but for somebody who renames
 * them just now; and one that is no tap is left alone then, too. */
static int find(struct job *j, struct err *err)
{
	struct rtnl_link *link = NULL;
	int rc = rtnl_link_get_kernel(j->nl, 0, j->name, &link);
	const char *kind;

	if (rc < 0)
		return nle_refuse(err, rc, "cannot look at the interface");
	kind = rtnl_link_get_type(link);
	j->index = (unsigned)rtnl_link_get_ifindex(link);
	rc = kind && !strcmp(kind, "tun") ? 0 : -EINVAL;
	rtnl_link_put(link);
	return rc < 0 ? err_set(err, rc, "interface \"%s\" is no tap", j->name) : 0;
}

/* A socket of libnl's, of the namespace. */
static int connect_inside(struct job *j, int ns_fd, struct err *err)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK};
	int fd = netns_inside(ns_fd, NETNS_ROUTE, err), rc;

	if (fd < 0)
		return fd;
	rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -NLE_FAILURE : nl_socket_set_fd(j->nl, NETLINK_ROUTE, fd);
	if (rc == 0)
		return 0;
	close(fd);
	return nle_refuse(err, rc, "cannot change interfaces");
}

static int work(struct job *j, int ns_fd, struct err *err)
{
	int rc;

	j->nl = nl_socket_alloc();
	if (!j->nl)
		return err_set(err, -ENOMEM, "out of memory");
	rc = connect_inside(j, ns_fd, err);
	if (rc == 0)
		rc = find(j, err);
	if (rc == 0)
		rc = change(j, err);
	nl_socket_free(j->nl);
	return rc;
}

int link_change(int tun_fd, const struct link_change *c, struct err *err)
{
	struct job j = {.c = c};
	int rc = tun_name(tun_fd, j.name), ns_fd;

	if (rc < 0)
		return err_set(err, rc, "there is no interface any more");
	ns_fd = tun_netns(tun_fd);
	if (ns_fd < 0) /* untold: it is our own that can be meant */
		rc = tun_netns_is_untold(ns_fd) ? netns_open(NULL, &ns_fd, err) :
						  err_set(err, ns_fd, "cannot find the interface's namespace: %s",
							  strerror(-ns_fd));
	if (rc < 0)
		return rc;
	rc = work(&j, ns_fd, err);
	close(ns_fd);
	return rc < 0 ? rc : j.there;
}
