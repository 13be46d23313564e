/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type `nat`: a way out for guests through the host.
 *
 * What     A tap with an address (tap/tap.h), and behind it masquerading, IPv4 forwarding, DHCP and DNS for the
 *          guests (tap/nat_service.h). All of it goes with the port.
 * How      Without an address it takes the first 10.77.N.1/24 that no address and route of the host
 *          has a part in.
 * Threads  control only.
 */
#ifndef TAP_NAT_H
#define TAP_NAT_H

#include "switch/port.h"

struct nat_opts {
	struct port_opts port;
	const char *ifname;  /* as of a tap; letters, digits, _ - and . */
	const char *address; /* IPv4 with prefix, or NULL */
};

int nat_address_check(const char *address, struct err *err);

int nat_port_add(struct switch_ *sw, const struct nat_opts *opts, struct port **out,
		 struct err *err);

#endif
