/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whatever of a host's network needs a right: one small table.
 *
 * What     Namespaces, queues of taps, sockets to listen to interfaces, changes of a tap's interface, and what a nat
 *          port needs behind it. Everything else that ports of the host do needs a descriptor only.
 * How      Directly in this process (without a keeper), or by the host helper lanyard-host (tap/host_ask.h), which
 *          has the rights that the process that forwards does not have. The same functions do it there.
 * Threads  control only. A call waits for the helper, HOST_WAIT_MS at most.
 */
#ifndef TAP_HOST_H
#define TAP_HOST_H

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "tap/link_change.h"
#include "tap/nat_service.h"

#define HOST_WAIT_MS 4000 /* nftables takes its time where a host has many rules */

struct host_ops {
	int (*netns)(const char *name, int *fd, struct err *err);
	int (*netlink)(int ns_fd, int fds[2], struct err *err);
	int (*tun)(int ns_fd, const char *name, bool exists, int *fds, unsigned n, struct err *err);
	int (*tun_netns)(int tun_fd);
	int (*link)(int tun_fd, const struct link_change *c, struct err *err);
	int (*nat_start)(const struct nat_service_opts *opts, struct err *err);
	int (*nat_rename)(unsigned slot, int tun_fd, struct err *err);
	void (*nat_stop)(unsigned slot);
	int (*xdp_off)(int prog_fd, unsigned ifindex, struct err *err);
	int (*xdp_keep)(int prog_fd, unsigned ifindex, struct err *err);
	void (*settle)(void);
	void (*end)(void);
};

/* Directly. run_dir: where it is noted what of this host was changed. */
int host_begin(struct loop *loop, const char *run_dir, struct err *err);
/* By a table of others; host_end() calls its end. */
void host_begin_by(const struct host_ops *ops);
void host_end(void);

/* netns_open(), tun_open(), tun_netns(), link_change(), nat_service_*(), of the files that have these names. */
int host_netns(const char *name, int *fd, struct err *err);
int host_tun(int ns_fd, const char *name, bool exists, int *fds, unsigned n, struct err *err);
int host_tun_netns(int tun_fd);
int host_link(int tun_fd, const struct link_change *c, struct err *err);
int host_nat_start(const struct nat_service_opts *opts, struct err *err);
int host_nat_rename(unsigned slot, int tun_fd, struct err *err);
void host_nat_stop(unsigned slot);

/* Two sockets in the namespace: for requests, and one that hears of changes of interfaces. */
int host_netlink(int ns_fd, int fds[2], struct err *err);

/* xdp_keep_off(), xdp_keep(): of an interface here. */
int host_xdp_off(int prog_fd, unsigned ifindex, struct err *err);
int host_xdp_keep(int prog_fd, unsigned ifindex, struct err *err);

/* fn is called when whoever keeps programs has begun anew, and has none; NULL: nobody is. */
void host_forgot_set(void (*fn)(void));
/* That is so. False: nobody is to be told. */
bool host_forgot_has(void);
void host_forgot(void);

/* All saved ports have been made again: what an earlier process left and nobody took over is undone. */
void host_settle(void);

#endif
