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
extern const struct method m_bridge_trace, m_capture_start;
extern const struct method m_mirror_add, m_mirror_del, m_mirror_list;

/* What the commands and methods that look at frames share. */
#define FILTER_PARAM                                                                               \
	{"f", PARAM_STRING, 0, 1, 512, "FILTER", "only frames that match, in the language of pcap-filter(7)"}
#define DIRECTION_PARAM                                                                            \
	{"direction", PARAM_ENUM, 0, 0, 0, "in|out|both",                                          \
	 "in: what the switch receives from the ports, out: what it delivers to them (both)"}
#define CAPTURE_PARAMS                                                                             \
	{"ports", PARAM_LIST, PARAM_POSITIONAL | PARAM_REQUIRED, 0, 0, "P", "the ports"},          \
	FILTER_PARAM, DIRECTION_PARAM,                                                             \
	{"drops", PARAM_BOOL, 0, 0, 0, NULL, "frames that were dropped, with the reason, and no others"}, \
	{"snaplen", PARAM_INT, 0, 14, 65557, "N", "keep at most so many bytes of each frame (all)"}
extern const struct method m_stats_ports, m_stats_workers;
extern const struct method m_config_list, m_config_apply, m_config_confirm, m_config_rollback;
extern const struct method m_config_generations;
extern const struct method m_daemon_status, m_daemon_facts, m_daemon_stop;
extern const struct method m_lease_hold;
extern const struct method m_events_subscribe, m_vm_report, m_vm_seen;

#endif
