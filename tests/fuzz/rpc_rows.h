/* SPDX-License-Identifier: BSD-3-Clause */
/* All methods: those of the daemon and those of a VM's supervisor. */
#ifndef TESTS_FUZZ_RPC_ROWS_H
#define TESTS_FUZZ_RPC_ROWS_H

#include "control/rpc/methods.h"
#include "vm-launcher/vm_methods.h"

static const struct method *const rpc_rows[] = {
	&m_bridge_add,	  &m_bridge_del,   &m_bridge_set,   &m_bridge_list,    &m_port_add,
	&m_port_del,	  &m_port_set,	   &m_port_up,	    &m_port_down,      &m_port_list,
	&m_fdb_list,	  &m_fdb_add,	   &m_fdb_del,	    &m_fdb_flush,      &m_bridge_trace,
	&m_capture_start, &m_mirror_add,   &m_mirror_del,   &m_mirror_list,    &m_stats_ports,
	&m_stats_workers, &m_config_list,  &m_config_apply, &m_config_confirm, &m_config_rollback,
	&m_daemon_status, &m_daemon_facts, &m_daemon_stop,  &m_lease_hold,     &m_events_subscribe,
	&m_vm_report,	  &m_vm_seen,	   &m_vm_status,    &m_vm_wait,	       &m_vm_stop,
	&m_vm_kill,	  &m_vm_reset,	   &m_vm_pause,	    &m_vm_resume,      &m_vm_exec,
	&m_vm_console,	  &m_vm_log,	   &m_vm_link,
};
#define RPC_ROWS (sizeof(rpc_rows) / sizeof(rpc_rows[0]))

#endif
