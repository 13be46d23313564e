/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handlers of the daemon's methods, gathered in control/daemon/handlers.c. One file a noun.
 *
 * Threads  control only; each returns within 20 ms or defers its reply.
 */
#ifndef CONTROL_DAEMON_HANDLERS_H
#define CONTROL_DAEMON_HANDLERS_H

#include "control/daemon/daemon.h"
#include "control/rpc/server.h"

#define HANDLER(name)                                                                              \
	int name(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)

HANDLER(do_bridge_add);
HANDLER(do_bridge_del);
HANDLER(do_bridge_set);
HANDLER(do_bridge_list);
HANDLER(do_port_add);
HANDLER(do_port_del);
HANDLER(do_port_set);
HANDLER(do_port_up);
HANDLER(do_port_down);
HANDLER(do_port_list);
HANDLER(do_fdb_list);
HANDLER(do_fdb_add);
HANDLER(do_fdb_del);
HANDLER(do_fdb_flush);
HANDLER(do_capture_start);
HANDLER(do_mirror_add);
HANDLER(do_mirror_del);
HANDLER(do_mirror_list);
HANDLER(do_bridge_trace);
HANDLER(do_stats_ports);
HANDLER(do_stats_workers);
HANDLER(do_config_list);
HANDLER(do_config_apply);
HANDLER(do_config_confirm);
HANDLER(do_config_rollback);
HANDLER(do_config_generations);
HANDLER(do_daemon_status);
HANDLER(do_daemon_facts);
HANDLER(do_daemon_stop);
HANDLER(do_lease_hold);
HANDLER(do_events_subscribe);
HANDLER(do_vm_report);
HANDLER(do_vm_seen);

/* {rx_frames, …, rx_drops {}, tx_drops {}} of a port. */
json_t *counters_json(const struct port *p);

/* In a process without rights: RPC_DEFERRED where port.add of params, or setting p up, needs a device that another
 * process has to open first; then it is done, saved and answered later. 0: it needs none. */
int uplink_add_later(struct rpc_call *call, const json_t *params, struct err *err);
int uplink_up_later(struct rpc_call *call, const json_t *params, struct port *p, struct err *err);

/* What do_port_add() and do_port_up() do at once. */
int port_add_now(struct daemon *d, const json_t *params, struct err *err);
int port_up_now(struct daemon *d, const json_t *params, struct err *err);

/* -EBUSY while an apply runs or awaits its confirmation: hand-made objects stay as they are. */
int changes_allowed(const struct daemon *d, struct err *err);

#endif
