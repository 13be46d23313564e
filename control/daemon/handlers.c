/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/handlers.h"

#include "control/rpc/methods.h"

const struct rpc_method daemon_methods[] = {
	{&m_bridge_add, do_bridge_add},
	{&m_bridge_del, do_bridge_del},
	{&m_bridge_set, do_bridge_set},
	{&m_bridge_list, do_bridge_list},
	{&m_port_add, do_port_add},
	{&m_port_del, do_port_del},
	{&m_port_set, do_port_set},
	{&m_port_up, do_port_up},
	{&m_port_down, do_port_down},
	{&m_port_list, do_port_list},
	{&m_fdb_list, do_fdb_list},
	{&m_fdb_add, do_fdb_add},
	{&m_fdb_del, do_fdb_del},
	{&m_fdb_flush, do_fdb_flush},
	{&m_capture_start, do_capture_start},
	{&m_bridge_trace, do_bridge_trace},
	{&m_stats_ports, do_stats_ports},
	{&m_stats_workers, do_stats_workers},
	{&m_config_list, do_config_list},
	{&m_config_apply, do_config_apply},
	{&m_config_confirm, do_config_confirm},
	{&m_config_rollback, do_config_rollback},
	{&m_daemon_status, do_daemon_status},
	{&m_daemon_facts, do_daemon_facts},
	{&m_daemon_stop, do_daemon_stop},
	{&m_lease_hold, do_lease_hold},
	{&m_events_subscribe, do_events_subscribe},
	{&m_vm_report, do_vm_report},
	{&m_vm_seen, do_vm_seen},
	{NULL, NULL},
};
