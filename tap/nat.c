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
#include "tap/host.h"
#include "tap/tap.h"
#include "tap/tap_interface.h"
#include "tap/tap_keep.h"

#define DEFAULT_NETWORK 0x0a4d0000u /* 10.77.0.0: rarely used, as private networks go */
#define DEFAULT_PREFIX	24

struct nat {
	struct tap tap; /* first */
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
	int ns_fd, rc = host_netns(NULL, &ns_fd, err);

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

/* ---- what is behind it ---- */

static void tell(void *arg, const char *note)
{
	struct nat *n = arg;

	tap_note(&n->tap, "%s", note);
}

static void again(void *arg);

static int service_start(struct nat *n, struct err *err)
{
	struct nat_service_opts opts = {.slot = n->tap.port.id,
					.tun_fd = n->tap.fds[0],
					.port = n->tap.port.name,
					.tell = tell,
					.again = again,
					.arg = n};
	int rc = address_parse(n->tap.address, &opts.address, &opts.prefix);

	return rc < 0 ? nat_address_check(n->tap.address, err) : host_nat_start(&opts, err);
}

/* Whoever did it for us has ended, and there is another one. */
static void again(void *arg)
{
	struct err err = ERR_NONE;
	struct nat *n = arg;

	if (n->tap.present && service_start(n, &err) < 0)
		tap_note(&n->tap, "no masquerading and no DHCP: %s", err.text);
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

/* The interface is another one, or has another name: rules and dnsmasq go by it. */
static void on_renamed(struct tap *tap)
{
	struct err err = ERR_NONE;
	int rc = tap->present ? host_nat_rename(tap->port.id, tap->fds[0], &err) : 0;

	if (rc == -ENOENT)
		rc = service_start((struct nat *)tap, &err);
	if (rc == 0)
		return;
	LOG_WARN("switch: port \"%s\": its rules stay as they were: %s", tap->port.name, err.text);
	tap_note(tap, rc == -EXDEV ? "no masquerading and no DHCP: %s" : "its interface was renamed, its rules were not: %s",
		 err.text);
}

static void nat_destroy(struct port *p)
{
	struct nat *n = (struct nat *)p;

	host_nat_stop(n->tap.port.id);
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
	rc = service_start(n, err);
	n->tap.renamed = on_renamed;
	if (rc < 0) {
		tap_interface_restore(&n->tap);
		nat_destroy(&n->tap.port);
		return rc;
	}
	*out = &n->tap.port;
	return 0;
}
