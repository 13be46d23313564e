/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DHCP and DNS on one interface: a dnsmasq of our own.
 *
 * What     Gives addresses of the interface's network to whoever asks there, and answers names as the
 *          host's resolver does. It reads no configuration but its arguments.
 * How      A child of an ordinary user with three capabilities, which dies with this process
 *          (PR_SET_PDEATHSIG). One that ends is started again after RETRY_MIN, doubling to RETRY_MAX;
 *          its last words are told. Leases live as long as the server, not its child.
 * Threads  control only.
 * Trust    It is dnsmasq that reads what guests send.
 */
#ifndef TAP_DHCP_SERVER_H
#define TAP_DHCP_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"

struct dhcp_server;

struct dhcp_server_opts {
	const char *ifname;
	int tun_fd; /* a queue of its tap, for who starts dnsmasq for others; stays the caller's */
	uint32_t address; /* the interface's, host order */
	unsigned prefix;  /* 8 to 30 */

	/* Why it does not run, or NULL: it does. */
	void (*tell)(void *arg, const char *why);
	void *arg;
};

/* -ENOENT with a sentence where dnsmasq is not installed. Later failures are told. */
int dhcp_server_start(struct loop *loop, const struct dhcp_server_opts *opts,
		      struct dhcp_server **out, struct err *err);
/* The interface has another name now. */
void dhcp_server_rename(struct dhcp_server *s, const char *ifname);
void dhcp_server_stop(struct dhcp_server *s); /* accepts NULL */

/* Who it runs as, where root starts it. */
void dhcp_server_user(uid_t *uid, gid_t *gid);

/* The same by somebody else, who has the rights for it (control/host/dhcp.h). */
struct dhcp_ops {
	int (*start)(struct loop *loop, const struct dhcp_server_opts *opts, void **out, struct err *err);
	void (*rename)(void *server, const char *ifname, int tun_fd);
	void (*stop)(void *server); /* accepts NULL */
};
extern const struct dhcp_ops dhcp_direct;

#endif
