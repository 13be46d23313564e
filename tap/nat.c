/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/nat.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tap/dhcp_server.h"
#include "tap/ip_forward.h"
#include "tap/nat_rules.h"
#include "tap/nat_watch.h"
#include "tap/tap.h"
#include "tap/tap_interface.h"
#include "tap/tap_keep.h"

#define DEFAULT_NETWORK 0x0a4d0000u /* 10.77.0.0: rarely used, as private networks go */
#define DEFAULT_PREFIX	24

struct nat {
	struct tap tap; /* first */
	char table[16 + IFNAMSIZ], network[INET_ADDRSTRLEN + 4];
	char *text; /* of the table, as the kernel had it when it was made */
	struct nat_watch *watch;
	char blocked[128]; /* what of the host drops what is forwarded; "" */
	bool forwards, rules;
	struct dhcp_server *dhcp;
};

/* ---- addresses ---- */

/* "10.77.0.1/24" to the address in host order. */
static int address_parse(const char *text, uint32_t *address, unsigned *prefix)
{
	char host[INET_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	struct in_addr in;
	char *end;
	long value;

	if (!slash || (size_t)(slash - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	value = strtol(slash + 1, &end, 10);
	if (!isdigit((unsigned char)slash[1]) || *end || value < 8 || value > 30 ||
	    inet_pton(AF_INET, host, &in) != 1)
		return -EINVAL;
	*address = ntohl(in.s_addr);
	*prefix = (unsigned)value;
	value = *address & ~(~0u << (32 - *prefix));
	/* The network's own and the broadcast address are nobody's. */
	return value == 0 || value == (long)~(~0u << (32 - *prefix)) ? -EINVAL : 0;
}

int nat_address_check(const char *address, struct err *err)
{
	unsigned prefix;
	uint32_t ip;

	if (address_parse(address, &ip, &prefix) == 0)
		return 0;
	return err_set(
		err, -EINVAL,
		"address \"%.64s\" is not an IPv4 address with a prefix of 8 to 30, like 10.0.0.1/24",
		address);
}

/* The first network of ours that the host has no part in. */
static int address_choose(struct switch_ *sw, char *out, size_t size, struct err *err)
{
	struct netlink *nl;
	bool used = true;
	int ns_fd, rc = netns_open(NULL, &ns_fd, err);

	if (rc < 0)
		return rc;
	rc = netlink_get(switch_loop(sw), ns_fd, &nl, err);
	close(ns_fd);
	if (rc < 0)
		return rc;
	for (unsigned n = 0; rc == 0 && used && n < 256; n++) {
		rc = netlink_network_used(nl, DEFAULT_NETWORK + (n << 8), DEFAULT_PREFIX, &used,
					  err);
		snprintf(out, size, "10.77.%u.1/%d", n, DEFAULT_PREFIX);
	}
	netlink_put(nl);
	if (rc == 0 && used) {
		err_set(err, -EADDRNOTAVAIL, "no network of 10.77.0.0/16 is free on this host");
		return err_hint(err, "give one with --address");
	}
	return rc;
}

/* ---- the parts ---- */

static void tell(void *arg, const char *why)
{
	struct nat *n = arg;

	if (why)
		tap_note(&n->tap, "dnsmasq does not run, so guests get no address: %s", why);
	else if (n->blocked[0])
		tap_note(
			&n->tap,
			"chain \"%s\" of this host drops what is forwarded; let \"%s\" through there",
			n->blocked, n->tap.ifname);
	else
		tap_note(&n->tap, "%s", "");
}

static int rules_make(struct nat *n, struct err *err)
{
	int rc = nat_rules_set(n->table, n->tap.ifname, n->network, err);

	if (rc < 0)
		return rc;
	n->rules = true;
	free(n->text);
	n->text = nat_rules_text(n->table);
	nat_rules_blocked(n->blocked, sizeof(n->blocked));
	return 0;
}

/* Somebody has changed nftables: `nft flush ruleset`, say, or a firewall's restart. */
static void on_rules_changed(void *arg)
{
	struct err err = ERR_NONE;
	struct nat *n = arg;

	if (n->text && nat_rules_whole(n->table, n->text))
		return;
	if (rules_make(n, &err) < 0) {
		LOG_WARN_RL("switch: port \"%s\": somebody has changed nftables table \"%s\", and it "
			    "cannot be put back: %s",
			    n->tap.port.name, n->table, err.text);
		tap_note(&n->tap, "its nftables table was changed and cannot be put back: %s",
			 err.text);
		return;
	}
	LOG_WARN_RL("switch: port \"%s\": somebody has changed nftables table \"%s\": put back",
		    n->tap.port.name, n->table);
	tell(n, NULL);
}

static int ifname_check(const char *name, struct err *err)
{
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_-.", *c))
			return err_set(
				err, -EINVAL,
				"\"%.40s\" is no interface name for a nat port: letters, digits, _ - and .",
				name);
	return 0;
}

/* The interface has another name: rules and dnsmasq go by it. */
static void on_renamed(struct tap *tap)
{
	struct nat *n = (struct nat *)tap;
	char before[sizeof(n->table)];
	struct err err = ERR_NONE;
	int rc = ifname_check(tap->ifname, &err);

	memcpy(before, n->table, sizeof(before));
	if (rc == 0) {
		snprintf(n->table, sizeof(n->table), "lanyard-%s", tap->ifname);
		rc = rules_make(n, &err);
	}
	if (rc < 0) {
		memcpy(n->table, before, sizeof(before));
		LOG_WARN("switch: port \"%s\": its rules stay as they were: %s", tap->port.name,
			 err.text);
		tap_note(tap, "its interface was renamed, its rules were not: %s", err.text);
		return;
	}
	if (strcmp(before, n->table))
		nat_rules_clear(before);
	dhcp_server_rename(n->dhcp, tap->ifname);
	tell(n, NULL);
}

static int parts_make(struct nat *n, const char *address, struct err *err)
{
	struct dhcp_server_opts dhcp = {.ifname = n->tap.ifname, .tell = tell, .arg = n};
	struct in_addr network;
	char text[INET_ADDRSTRLEN];
	int rc = address_parse(address, &dhcp.address, &dhcp.prefix);

	if (rc < 0)
		return nat_address_check(address, err);
	network.s_addr = htonl(dhcp.address & (~0u << (32 - dhcp.prefix)));
	inet_ntop(AF_INET, &network, text, sizeof(text));
	snprintf(n->network, sizeof(n->network), "%s/%u", text, dhcp.prefix);
	snprintf(n->table, sizeof(n->table), "lanyard-%s", n->tap.ifname);
	rc = rules_make(n, err);
	if (rc == 0)
		rc = ip_forward_take(err);
	n->forwards = rc == 0;
	if (rc == 0)
		rc = dhcp_server_start(switch_loop(n->tap.port.sw), &dhcp, &n->dhcp, err);
	if (rc == 0)
		rc = nat_watch_start(switch_loop(n->tap.port.sw), on_rules_changed, n, &n->watch, err);
	if (rc == 0) {
		n->tap.renamed = on_renamed;
		tell(n, NULL);
	}
	return rc;
}

/* Accepts what is half-made. */
static void parts_free(struct nat *n)
{
	nat_watch_stop(n->watch);
	dhcp_server_stop(n->dhcp);
	if (n->forwards)
		ip_forward_give();
	if (n->rules)
		nat_rules_clear(n->table);
	free(n->text);
}

static void nat_destroy(struct port *p)
{
	struct nat *n = (struct nat *)p;

	parts_free(n);
	tap_close(&n->tap);
	free(n);
}

/* A tap's slots under another name. */
static const struct port_ops *nat_ops(void)
{
	static struct port_ops ops;

	if (!ops.type) {
		ops = tap_ops;
		ops.type = "nat";
		ops.destroy = nat_destroy;
	}
	return &ops;
}

int nat_port_add(struct switch_ *sw, const struct nat_opts *opts, struct port **out,
		 struct err *err)
{
	struct tap_opts tap = {
		.port = opts->port, .ifname = opts->ifname, .address = opts->address};
	char address[32];
	struct nat *n;
	int rc = opts->ifname ? ifname_check(opts->ifname, err) : 0;

	if (rc == 0 && !opts->address) {
		tap_kept_address(sw, &opts->port, address, sizeof(address));
		if (nat_address_check(address, NULL) < 0)
			rc = address_choose(sw, address, sizeof(address), err);
		tap.address = address;
	}
	if (rc < 0)
		return rc;
	n = aligned_alloc(64, (sizeof(*n) + 63) / 64 * 64);
	if (!n)
		return err_set(err, -ENOMEM, "out of memory");
	memset(n, 0, sizeof(*n));
	rc = tap_open(&n->tap, sw, &tap, nat_ops(), err);
	if (rc < 0) {
		free(n);
		return rc;
	}
	rc = parts_make(n, tap.address, err);
	if (rc < 0) {
		tap_interface_restore(&n->tap);
		nat_destroy(&n->tap.port);
		return rc;
	}
	*out = &n->tap.port;
	return 0;
}

void nat_end_left(void)
{
	nat_rules_end_left();
	ip_forward_end_left();
}
