/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/nat_service.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tap/dhcp_server.h"
#include "tap/ip_forward.h"
#include "tap/nat_rules.h"
#include "tap/nat_watch.h"
#include "tap/netns.h"
#include "tap/tun.h"

struct service {
	LIST_ENTRY(service) entry;
	struct nat_service_opts opts;
	char port[64];
	char ifname[IFNAMSIZ], table[16 + IFNAMSIZ], network[INET_ADDRSTRLEN + 4];
	char *text; /* of the table, as the kernel had it when it was made */
	struct nat_watch *watch;
	char blocked[128]; /* what of the host drops what is forwarded; "" */
	bool forwards, rules, claimed;
	void *dhcp;
};

static LIST_HEAD(, service) services = LIST_HEAD_INITIALIZER(services);
static struct loop *loop;
static const struct dhcp_ops *dhcp_by = &dhcp_direct;
static unsigned n_services;

void nat_service_begin(struct loop *l)
{
	loop = l;
}

void nat_service_dhcp_by(const struct dhcp_ops *ops)
{
	dhcp_by = ops;
}

static void tell(struct service *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct service *s, const char *fmt, ...)
{
	char note[NAT_NOTE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(note, sizeof(note), fmt, ap);
	va_end(ap);
	s->opts.tell(s->opts.arg, note);
}

/* dnsmasq's word. */
static void dhcp_tells(void *arg, const char *why)
{
	struct service *s = arg;

	if (why)
		tell(s, "dnsmasq does not run, so guests get no address: %s", why);
	else if (s->blocked[0])
		tell(s,
		     "chain \"%s\" of this host drops what is forwarded; let \"%s\" through there",
		     s->blocked, s->ifname);
	else
		tell(s, "%s", "");
}

static int rules_make(struct service *s, struct err *err)
{
	int rc = nat_rules_set(s->table, s->ifname, s->network, ip_forward_was_off(), err);

	if (rc < 0)
		return rc;
	s->rules = true;
	free(s->text);
	s->text = nat_rules_text(s->table);
	nat_rules_blocked(s->blocked, sizeof(s->blocked));
	return 0;
}

/* Somebody has changed nftables: `nft flush ruleset`, say, or a firewall's restart. */
static void on_rules_changed(void *arg)
{
	struct err err = ERR_NONE;
	struct service *s = arg;

	if (s->text && nat_rules_whole(s->table, s->text))
		return;
	if (rules_make(s, &err) < 0) {
		LOG_WARN_RL(
			"switch: port \"%s\": somebody has changed nftables table \"%s\", and it "
			"cannot be put back: %s",
			s->port, s->table, err.text);
		tell(s, "its nftables table was changed and cannot be put back: %s", err.text);
		return;
	}
	ip_forward_keep();
	LOG_WARN_RL("switch: port \"%s\": somebody has changed nftables table \"%s\": put back",
		    s->port, s->table);
	dhcp_tells(s, NULL);
}

/* ---- which interface ---- */

static int ifname_take(int tun_fd, char ifname[IFNAMSIZ], struct err *err)
{
	int rc = tun_name(tun_fd, ifname);

	if (rc < 0)
		return err_set(err, rc, "there is no interface any more");
	for (const char *c = ifname; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_-.", *c))
			return err_set(
				err, -EINVAL,
				"\"%.40s\" is no interface name for a nat port: letters, digits, _ - and .",
				ifname);
	/* The table's rules are this namespace's: an interface of another one must not lend its name to ours. */
	return tun_is_here(tun_fd)
		       ? 0
		       : err_set(err, -EXDEV, "interface \"%s\" is in another network namespace",
				 ifname);
}

/* ---- life ---- */

static struct service *find(unsigned slot)
{
	struct service *s;

	LIST_FOREACH (s, &services, entry)
		if (s->opts.slot == slot)
			return s;
	return NULL;
}

/* Accepts what is half-made. */
static void service_end(struct service *s)
{
	int lock = ip_forward_lock();

	LIST_REMOVE(s, entry);
	n_services--;
	nat_watch_stop(s->watch);
	dhcp_by->stop(s->dhcp);
	if (s->rules)
		nat_rules_clear(s->table);
	if (s->forwards)
		ip_forward_give();
	ip_forward_unlock(lock);
	free(s->text);
	free(s);
}

static int parts_make(struct service *s, struct err *err)
{
	const struct nat_service_opts *o = &s->opts;
	struct dhcp_server_opts dhcp = {.ifname = s->ifname,
					.tun_fd = o->tun_fd,
					.address = o->address,
					.prefix = o->prefix,
					.tell = dhcp_tells,
					.arg = s};
	struct in_addr network = {htonl(o->address & (~0u << (32 - o->prefix)))};
	char text[INET_ADDRSTRLEN];
	int rc, lock;

	inet_ntop(AF_INET, &network, text, sizeof(text));
	snprintf(s->network, sizeof(s->network), "%s/%u", text, o->prefix);
	snprintf(s->table, sizeof(s->table), "lanyard-%s", s->ifname);
	lock = ip_forward_lock();
	rc = rules_make(s, err);
	if (rc == 0)
		rc = ip_forward_take(err);
	s->forwards = rc == 0;
	ip_forward_unlock(lock);
	if (rc == 0)
		rc = dhcp_by->start(loop, &dhcp, &s->dhcp, err);
	if (rc == 0)
		rc = nat_watch_start(loop, on_rules_changed, s, &s->watch, err);
	if (rc == 0)
		dhcp_tells(s, NULL);
	return rc;
}

/* One that a predecessor of whoever asks has left running as it is to be. */
static bool take_over(const struct nat_service_opts *o, const char *ifname)
{
	struct service *s = find(o->slot), *next;

	if (s && !strcmp(s->ifname, ifname) && s->opts.address == o->address &&
	    s->opts.prefix == o->prefix) {
		s->opts = *o;
		s->claimed = true;
		on_rules_changed(s);
		dhcp_tells(s, NULL);
		return true;
	}
	for (s = LIST_FIRST(&services); s; s = next) {
		next = LIST_NEXT(s, entry);
		if (s->opts.slot == o->slot || !strcmp(s->ifname, ifname))
			service_end(s);
	}
	return false;
}

int nat_service_start(const struct nat_service_opts *o, struct err *err)
{
	char ifname[IFNAMSIZ];
	struct service *s;
	int rc = ifname_take(o->tun_fd, ifname, err);

	if (rc == 0 && (o->prefix < 8 || o->prefix > 30))
		rc = err_set(err, -EINVAL, "a prefix of %u is outside 8-30", o->prefix);
	if (rc < 0 || take_over(o, ifname))
		return rc;
	if (n_services == NAT_SERVICES_MAX)
		return err_set(err, -ENOSPC, "there are %d nat ports already, which is all",
			       NAT_SERVICES_MAX);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->opts = *o;
	s->claimed = true;
	snprintf(s->port, sizeof(s->port), "%s", o->port);
	memcpy(s->ifname, ifname, sizeof(s->ifname));
	LIST_INSERT_HEAD(&services, s, entry);
	n_services++;
	rc = parts_make(s, err);
	if (rc < 0)
		service_end(s);
	return rc;
}

int nat_service_rename(unsigned slot, int tun_fd, struct err *err)
{
	struct service *s = find(slot);
	char ifname[IFNAMSIZ], name_was[IFNAMSIZ], table_was[sizeof(s->table)];
	int rc = s ? ifname_take(tun_fd, ifname, err) : -ENOENT;

	if (!s)
		return err_set(err, rc, "there is no nat service of slot %u", slot);
	if (rc < 0)
		return rc;
	if (!strcmp(ifname, s->ifname)) { /* it was away, perhaps */
		dhcp_tells(s, NULL);
		return 0;
	}
	memcpy(name_was, s->ifname, sizeof(name_was));
	memcpy(table_was, s->table, sizeof(table_was));
	memcpy(s->ifname, ifname, sizeof(s->ifname));
	snprintf(s->table, sizeof(s->table), "lanyard-%s", ifname);
	rc = rules_make(s, err);
	if (rc < 0) {
		memcpy(s->ifname, name_was, sizeof(s->ifname));
		memcpy(s->table, table_was, sizeof(s->table));
		return rc;
	}
	nat_rules_clear(table_was);
	dhcp_by->rename(s->dhcp, ifname, tun_fd);
	dhcp_tells(s, NULL);
	return 0;
}

void nat_service_stop(unsigned slot)
{
	struct service *s = find(slot);

	if (s)
		service_end(s);
}

void nat_service_disclaim(void)
{
	struct service *s;

	LIST_FOREACH (s, &services, entry)
		s->claimed = false;
}

void nat_service_settle(void)
{
	struct service *s, *next;
	int lock;

	for (s = LIST_FIRST(&services); s; s = next) {
		next = LIST_NEXT(s, entry);
		if (!s->claimed)
			service_end(s);
	}
	lock = ip_forward_lock();
	nat_rules_end_left();
	ip_forward_end_left();
	ip_forward_unlock(lock);
}

void nat_service_end(void)
{
	struct service *s;

	while ((s = LIST_FIRST(&services)))
		service_end(s);
}
