/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's methods: the rows that the daemon serves and the CLI offers.
 *
 * Threads  constant.
 */
#ifndef CONTROL_RPC_METHODS_H
#define CONTROL_RPC_METHODS_H

#include "control/rpc/method.h"

extern const struct method m_bridge_add, m_bridge_del, m_bridge_set, m_bridge_list;
extern const struct method m_port_add, m_port_del, m_port_set, m_port_up, m_port_down, m_port_list;
extern const struct method m_fdb_list, m_fdb_add, m_fdb_del, m_fdb_flush;
extern const struct method m_bridge_trace;
extern const struct method m_stats_ports, m_stats_workers;
extern const struct method m_config_list, m_config_apply, m_config_confirm, m_config_rollback;
extern const struct method m_daemon_status, m_daemon_facts, m_daemon_stop;
extern const struct method m_lease_hold;
extern const struct method m_events_subscribe, m_vm_report, m_vm_seen;

#endif
