/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>

#include "base/fd_msg.h"
#include "tap/host.h"
#include "tap/nle.h"

/* <linux/if.h> has it, but not beside <net/if.h>. */
#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000
#endif

TAILQ_HEAD(watcher_list, netlink_watcher);

struct netlink {
	TAILQ_ENTRY(netlink) entry;
	unsigned n_users;
	dev_t dev;
	ino_t ino;
	struct nl_sock *route, *events;
	struct loop_fd *watch;
	struct watcher_list watchers;
	struct netlink_watcher *next; /* while watchers are called */
};

static TAILQ_HEAD(, netlink) netlinks = TAILQ_HEAD_INITIALIZER(netlinks); /* ctl */

static void watchers_call(struct netlink *nl, const struct netlink_link *link)
{
	struct netlink_watcher *w;

	for (w = TAILQ_FIRST(&nl->watchers); w; w = nl->next) {
		nl->next = TAILQ_NEXT(w, entry);
		w->fn(w->arg, link);
	}
}

static int event_take(struct nl_msg *msg, void *arg)
{
	const struct nlmsghdr *h = nlmsg_hdr(msg);
	const struct ifinfomsg *info = nlmsg_data(h);
	struct netlink_link link = {0};
	struct nlattr *attrs[IFLA_MAX + 1];

	if (h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK)
		return NL_OK;
	/* Bridges speak of their ports in messages of their own, deletion included. */
	if (nlmsg_parse((struct nlmsghdr *)h, sizeof(*info), attrs, IFLA_MAX, NULL) < 0 ||
	    info->ifi_family != AF_UNSPEC)
		return NL_OK;
	link.index = (unsigned)info->ifi_index;
	link.up = info->ifi_flags & IFF_UP;
	link.carrier = info->ifi_flags & IFF_LOWER_UP;
	link.gone = h->nlmsg_type == RTM_DELLINK;
	if (attrs[IFLA_IFNAME])
		nla_strlcpy(link.name, attrs[IFLA_IFNAME], sizeof(link.name));
	if (attrs[IFLA_MTU])
		link.mtu = nla_get_u32(attrs[IFLA_MTU]);
	watchers_call(arg, &link);
	return NL_OK;
}

static void events_ready(void *arg, int fd, uint32_t events)
{
	struct netlink *nl = arg;
	int rc;

	nl->n_users++; /* a watcher may be the last to go */
	do {
		rc = nl_recvmsgs_default(nl->events);
		if (rc == -NLE_NOMEM)
			watchers_call(nl, NULL);
	} while (rc >= 0 || rc == -NLE_NOMEM || rc == -NLE_INTR);
	netlink_put(nl);
}

static void netlink_free(struct netlink *nl)
{
	loop_fd_del(nl->watch);
	nl_socket_free(nl->route);
	nl_socket_free(nl->events);
	free(nl);
}

static int socket_take(struct nl_sock *sock, int *fd)
{
	int rc = nl_socket_set_fd(sock, NETLINK_ROUTE, *fd);

	if (rc == 0)
		*fd = -1; /* it is the socket's */
	return rc;
}

static int sockets_take(struct netlink *nl, int ns_fd, struct err *err)
{
	int fds[2], rc = host_netlink(ns_fd, fds, err);

	if (rc < 0)
		return rc;
	rc = socket_take(nl->route, &fds[0]);
	if (rc == 0)
		rc = socket_take(nl->events, &fds[1]);
	if (rc == 0)
		rc = nl_socket_set_nonblocking(nl->events);
	fd_msg_close(fds, 2);
	return rc < 0 ? nle_refuse(err, rc, "cannot listen to changes of interfaces") : 0;
}

static int netlink_create(struct loop *loop, int ns_fd, struct netlink **out, struct err *err)
{
	struct netlink *nl = calloc(1, sizeof(*nl));
	int rc;

	if (!nl)
		return err_set(err, -ENOMEM, "out of memory");
	TAILQ_INIT(&nl->watchers);
	nl->route = nl_socket_alloc();
	nl->events = nl_socket_alloc();
	if (!nl->route || !nl->events) {
		netlink_free(nl);
		return err_set(err, -ENOMEM, "out of memory");
	}
	nl_socket_disable_seq_check(nl->events);
	nl_socket_modify_cb(nl->events, NL_CB_VALID, NL_CB_CUSTOM, event_take, nl);
	rc = sockets_take(nl, ns_fd, err);
	if (rc == 0) {
		rc = loop_fd_add(loop, nl_socket_get_fd(nl->events), EPOLLIN, events_ready, nl,
				 &nl->watch);
		if (rc < 0)
			err_set(err, rc, "cannot wait for changes of interfaces: %s",
				strerror(-rc));
	}
	if (rc < 0) {
		netlink_free(nl);
		return rc;
	}
	*out = nl;
	return 0;
}

int netlink_get(struct loop *loop, int ns_fd, struct netlink **out, struct err *err)
{
	struct netlink *nl;
	struct stat st;
	int rc;

	if (fstat(ns_fd, &st) < 0)
		return err_set(err, -errno, "cannot look at the network namespace: %s",
			       strerror(errno));
	TAILQ_FOREACH (nl, &netlinks, entry)
		if (nl->dev == st.st_dev && nl->ino == st.st_ino)
			break;
	if (!nl) {
		rc = netlink_create(loop, ns_fd, &nl, err);
		if (rc < 0)
			return rc;
		nl->dev = st.st_dev;
		nl->ino = st.st_ino;
		TAILQ_INSERT_TAIL(&netlinks, nl, entry);
	}
	nl->n_users++;
	*out = nl;
	return 0;
}

void netlink_put(struct netlink *nl)
{
	if (!nl || --nl->n_users)
		return;
	TAILQ_REMOVE(&netlinks, nl, entry);
	netlink_free(nl);
}

void netlink_watch(struct netlink *nl, struct netlink_watcher *w)
{
	TAILQ_INSERT_TAIL(&nl->watchers, w, entry);
}

void netlink_unwatch(struct netlink *nl, struct netlink_watcher *w)
{
	if (nl->next == w)
		nl->next = TAILQ_NEXT(w, entry);
	TAILQ_REMOVE(&nl->watchers, w, entry);
}

/* ---- interfaces ---- */

int netlink_find(struct netlink *nl, const char *name, unsigned index, struct netlink_link *out,
		 struct err *err)
{
	struct rtnl_link *link = NULL;
	const char *kind;
	int rc = rtnl_link_get_kernel(nl->route, name ? 0 : (int)index, name, &link);

	if (rc < 0) {
		rc = nle_errno(rc) == -ENODEV ? -ENODEV
					      : nle_refuse(err, rc, "cannot look at the interface");
		return rc;
	}
	*out = (struct netlink_link){
		.index = (unsigned)rtnl_link_get_ifindex(link),
		.mtu = rtnl_link_get_mtu(link),
		.up = rtnl_link_get_flags(link) & IFF_UP,
		.carrier = rtnl_link_get_flags(link) & IFF_LOWER_UP,
	};
	snprintf(out->name, sizeof(out->name), "%s", rtnl_link_get_name(link));
	kind = rtnl_link_get_type(link);
	snprintf(out->kind, sizeof(out->kind), "%s", kind ? kind : "");
	rtnl_link_put(link);
	return 0;
}

/* ---- addresses ---- */

/* What the address could never be an interface's own for; NULL: nothing. */
static const char *address_fault(const struct nl_addr *a)
{
	static const uint8_t none[16];
	const bool four = nl_addr_get_family(a) == AF_INET;
	const uint8_t *bytes = nl_addr_get_binary_addr(a);
	const unsigned prefix = nl_addr_get_prefixlen(a), most = four ? 32 : 128;
	uint32_t ip, host;

	if (prefix < 1 || prefix > most)
		return four ? "its prefix is 1 to 32 bits" : "its prefix is 1 to 128 bits";
	if (!memcmp(bytes, none, most / 8))
		return "that stands for any address";
	if (four ? bytes[0] >> 4 == 14 : bytes[0] == 0xff)
		return "that is a multicast group's address";
	if (!four)
		return NULL;
	ip = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
	host = prefix < 32 ? ~0u >> prefix : 0;
	if (ip == ~0u || (prefix < 31 && (ip & host) == host))
		return "that is its network's broadcast address";
	return prefix < 31 && !(ip & host) ? "that is its network's own address" : NULL;
}

int netlink_address_check(const char *address, struct err *err)
{
	struct nl_addr *a = nle_address(address);
	const char *fault;
	int rc = 0;

	if (!a)
		return err_set(
			err, -EINVAL,
			"address \"%.64s\" is not an IP address with its prefix, like 10.0.0.1/24",
			address);
	fault = address_fault(a);
	if (fault) {
		rc = err_set(err, -EINVAL, "address \"%.64s\" cannot be an interface's: %s", address, fault);
		err_hint(err, "one of the network's hosts, like 10.0.0.1/24 or fd00::1/64");
	}
	nl_addr_put(a);
	return rc;
}

/* ---- networks ---- */

struct network {
	uint32_t address; /* host order */
	unsigned prefix;
};

/* Whether one of the two contains the other; a is IPv4, or it is not. */
static bool overlaps(const struct nl_addr *a, const struct network *n)
{
	unsigned prefix = nl_addr_get_prefixlen(a);
	uint32_t address;

	if (nl_addr_get_family(a) != AF_INET || nl_addr_get_len(a) != 4 || !prefix)
		return false;
	memcpy(&address, nl_addr_get_binary_addr(a), 4);
	if (prefix > n->prefix)
		prefix = n->prefix;
	return !((ntohl(address) ^ n->address) >> (32 - prefix));
}

static void address_look(struct nl_object *o, struct network *n, bool *used)
{
	struct nl_addr *local = rtnl_addr_get_local((struct rtnl_addr *)o);

	*used |= local && overlaps(local, n);
}

static void route_look(struct nl_object *o, struct network *n, bool *used)
{
	struct nl_addr *dst = rtnl_route_get_dst((struct rtnl_route *)o);

	*used |= dst && overlaps(dst, n);
}

static void cache_look(struct nl_cache *cache,
		       void (*look)(struct nl_object *, struct network *, bool *),
		       struct network *n, bool *used)
{
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o))
		look(o, n, used);
	nl_cache_free(cache);
}

int netlink_network_used(struct netlink *nl, uint32_t network, unsigned prefix, bool *used,
			 struct err *err)
{
	struct network n = {network, prefix};
	struct nl_cache *cache;
	int rc = rtnl_addr_alloc_cache(nl->route, &cache);

	*used = false;
	if (rc < 0)
		return nle_refuse(err, rc, "cannot list the host's addresses");
	cache_look(cache, address_look, &n, used);
	rc = rtnl_route_alloc_cache(nl->route, AF_INET, 0, &cache);
	if (rc < 0)
		return nle_refuse(err, rc, "cannot list the host's routes");
	cache_look(cache, route_look, &n, used);
	return 0;
}
