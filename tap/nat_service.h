/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is behind a nat port on the host: masquerading (tap/nat_rules.h), IPv4 forwarding (tap/ip_forward.h), DHCP and
 * DNS for the guests (tap/dhcp_server.h).
 *
 * What     One service a port, by the port's slot, as a whole: it is there, or nothing of it is. Rules that somebody
 *          changes are put back.
 * How      For the interface behind a tap's descriptor, in this process's namespace, and for no other. A service
 *          outlives the process that asked for it: who comes next starts it again under the same slot and
 *          interface, which changes nothing; what nobody has started again is stopped by nat_service_settle().
 * Threads  control only.
 * Trust    All that is given is checked: the one who asks may be a stranger.
 * Limits   NAT_SERVICES_MAX.
 */
#ifndef TAP_NAT_SERVICE_H
#define TAP_NAT_SERVICE_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

#define NAT_SERVICES_MAX 60
#define NAT_NOTE_MAX	 224 /* bytes with the end */

struct nat_service_opts {
	unsigned slot;
	int tun_fd;	  /* a queue of the tap; stays the caller's */
	uint32_t address; /* the interface's, host order */
	unsigned prefix;  /* 8 to 30 */
	const char *port; /* its name, for the log; copied */

	/* What is to be said of it, "" for nothing; also before the start has returned. */
	void (*tell)(void *arg, const char *note);
	/* It has ended without having been stopped, and is to be started again. */
	void (*again)(void *arg);
	void *arg;
};

struct dhcp_ops;

void nat_service_begin(struct loop *loop);
/* Who runs dnsmasq (tap/dhcp_server.h); this process does, until this is called. */
void nat_service_dhcp_by(const struct dhcp_ops *ops);
void nat_service_end(void); /* stops all */

int nat_service_start(const struct nat_service_opts *opts, struct err *err);
/* The interface has another name now; on failure it is as before. */
int nat_service_rename(unsigned slot, int tun_fd, struct err *err);
void nat_service_stop(unsigned slot); /* accepts one that there is not */

/* Another process asks from now on: what it does not start again before it settles is to end. */
void nat_service_disclaim(void);
void nat_service_settle(void);

#endif
