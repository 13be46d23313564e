/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port types of the host: how their settings become ports.
 */
#include <errno.h>
#include <string.h>

#include "control/daemon/port_type.h"
#include "control/rpc/dirs.h"
#include "tap/dgram.h"
#include "tap/host.h"
#include "tap/host_ask.h"
#include "tap/nat.h"
#include "tap/tap.h"
#include "tap/tap_interface.h"
#include "tap/uplink.h"

int host_ports_begin(struct loop *loop, const char *run_dir, int helper_fd, struct err *err)
{
	int rc = uplinks_begin(loop, err);

	tap_interface_salt(strcmp(run_dir, DIR_ROOT_RUN) ? run_dir : "");
	if (rc < 0)
		return rc;
	if (helper_fd < 0)
		return host_begin(loop, run_dir, err);
	return host_ask_begin(loop, helper_fd, run_dir, err);
}

void host_ports_confined(const struct device_opener *opener)
{
	uplinks_confined(opener);
}

void host_ports_open(void)
{
	uplinks_open();
}

void host_ports_settle(void)
{
	host_settle();
}

void host_ports_leave(struct switch_ *sw)
{
	taps_end(sw);
}

void host_ports_end(void)
{
	uplinks_end();
	host_end();
}

static const char *text(const json_t *settings, const char *key)
{
	return json_string_value(json_object_get(settings, key));
}

/* ---- tap: an interface of the host ---- */

/* What the kernel's tun takes: 65535 with an Ethernet header. */
#define TAP_MTU_MAX 65521

static int tap_mtu_check(const json_t *settings, struct err *err)
{
	json_int_t mtu = json_integer_value(json_object_get(settings, "mtu"));

	return mtu > TAP_MTU_MAX ? err_set(err, -EINVAL, "mtu %lld: an interface of this kind takes %d at most",
					   (long long)mtu, TAP_MTU_MAX)
				 : 0;
}

static int tap_check(const json_t *settings, struct err *err)
{
	const char *address = text(settings, "address");

	if (tap_mtu_check(settings, err) < 0)
		return -EINVAL;
	return address ? netlink_address_check(address, err) : 0;
}

static int tap_add(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		   struct port **out, struct err *err)
{
	struct tap_opts tap = {
		.port = *opts,
		.ifname = text(settings, "ifname"),
		.netns = text(settings, "netns"),
		.address = text(settings, "address"),
		.n_queues = (unsigned)json_integer_value(json_object_get(settings, "queues")),
	};

	return tap_port_add(sw, &tap, out, err);
}

static const char *const tap_keys[] = {"ifname", "netns", "address", "queues", NULL};
const struct port_type port_type_tap = {"tap", tap_keys, tap_check, tap_add};

/* ---- dgram: a pair of Unix datagram sockets ---- */

static int dgram_check(const json_t *settings, struct err *err)
{
	const char *path = text(settings, "path"), *peer = text(settings, "peer");

	if (!path || !peer)
		return err_set(err, -EINVAL,
			       "a dgram port needs a path, its socket, and a peer, the other's");
	if (path[0] != '/' || peer[0] != '/')
		return err_set(err, -EINVAL, "%s \"%.100s\" does not begin with /",
			       path[0] != '/' ? "path" : "peer", path[0] != '/' ? path : peer);
	if (!strcmp(path, peer))
		return err_set(err, -EINVAL, "path and peer are the same, %.100s", path);
	return port_socket_check(settings, err);
}

static int dgram_add(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		     struct port **out, struct err *err)
{
	struct dgram_opts dgram = {
		.port = *opts,
		.path = text(settings, "path"),
		.peer = text(settings, "peer"),
		.whose = port_socket_words(settings),
	};

	return dgram_port_add(sw, &dgram, out, err);
}

static const char *const dgram_keys[] = {"path", "peer", SOCKET_KEYS, NULL};
const struct port_type port_type_dgram = {"dgram", dgram_keys, dgram_check, dgram_add};

/* ---- uplink: a device of DPDK ---- */

static int uplink_settings_check(const json_t *settings, struct err *err)
{
	const char *device = json_string_value(json_object_get(settings, "device"));

	if (!device) {
		err_set(err, -EINVAL, "an uplink needs a device");
		return err_hint(err, "--device 0000:03:00.0, net_af_packet0,iface=eth0 …");
	}
	return uplink_check(device, err);
}

static int uplink_make(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		       struct port **out, struct err *err)
{
	struct uplink_opts uplink = {
		.port = *opts,
		.device = json_string_value(json_object_get(settings, "device")),
		.n_queues = (unsigned)json_integer_value(json_object_get(settings, "queues")),
	};

	return uplink_add(sw, &uplink, out, err);
}

static const char *const uplink_keys[] = {"device", "queues", NULL};
const struct port_type port_type_uplink = {"uplink", uplink_keys, uplink_settings_check, uplink_make};

/* ---- nat: a tap with masquerading, DHCP and DNS ---- */

static int nat_check(const json_t *settings, struct err *err)
{
	const char *address = text(settings, "address");

	if (tap_mtu_check(settings, err) < 0)
		return -EINVAL;
	return address ? nat_address_check(address, err) : 0;
}

static int nat_add(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		   struct port **out, struct err *err)
{
	struct nat_opts nat = {
		.port = *opts,
		.ifname = text(settings, "ifname"),
		.address = text(settings, "address"),
	};

	int rc = nat_port_add(sw, &nat, out, err);

	/* An interface that root has made would not be enough. */
	if (rc == -EPERM)
		err_hint(err, "run lanyard-switch as root: a nat port needs nftables and IPv4 forwarding, too");
	return rc;
}

static const char *const nat_keys[] = {"ifname", "address", NULL};
const struct port_type port_type_nat = {"nat", nat_keys, nat_check, nat_add};
