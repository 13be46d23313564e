/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/nat.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap/dhcp_server.h"
#include "tap/ip_forward.h"
#include "tap/nat_rules.h"
#include "tap/tap.h"
#include "tap/tap_interface.h"

#define DEFAULT_NETWORK 0x0a4d0000u /* 10.77.0.0: rarely used, as private networks go */
#define DEFAULT_PREFIX	24

struct nat {
	struct tap tap; /* first */
	char table[16 + IFNAMSIZ];
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

static int parts_make(struct nat *n, const char *address, struct err *err)
{
	struct dhcp_server_opts dhcp = {.ifname = n->tap.ifname, .tell = tell, .arg = n};
	struct in_addr network;
	char text[INET_ADDRSTRLEN], cidr[INET_ADDRSTRLEN + 4];
	int rc = address_parse(address, &dhcp.address, &dhcp.prefix);

	if (rc < 0)
		return nat_address_check(address, err);
	network.s_addr = htonl(dhcp.address & (~0u << (32 - dhcp.prefix)));
	inet_ntop(AF_INET, &network, text, sizeof(text));
	snprintf(cidr, sizeof(cidr), "%s/%u", text, dhcp.prefix);
	snprintf(n->table, sizeof(n->table), "lanyard-%s", n->tap.ifname);
	rc = nat_rules_set(n->table, n->tap.ifname, cidr, err);
	n->rules = rc == 0;
	if (rc == 0)
		rc = ip_forward_take(err);
	n->forwards = rc == 0;
	if (rc == 0)
		rc = dhcp_server_start(switch_loop(n->tap.port.sw), &dhcp, &n->dhcp, err);
	if (rc == 0) {
		nat_rules_blocked(n->blocked, sizeof(n->blocked));
		tell(n, NULL);
	}
	return rc;
}

/* Accepts what is half-made. */
static void parts_free(struct nat *n)
{
	dhcp_server_stop(n->dhcp);
	if (n->forwards)
		ip_forward_give();
	if (n->rules)
		nat_rules_clear(n->table);
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

int nat_port_add(struct switch_ *sw, const struct nat_opts *opts, struct port **out,
		 struct err *err)
{
	struct tap_opts tap = {
		.port = opts->port, .ifname = opts->ifname, .address = opts->address};
	char address[32];
	struct nat *n;
	int rc = opts->ifname ? ifname_check(opts->ifname, err) : 0;

	if (rc == 0 && !opts->address) {
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
