/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "control/cli/capture.h"
#include "control/cli/command.h"
#include "control/cli/config.h"
#include "control/cli/events.h"
#include "control/cli/port_add.h"
#include "control/cli/show.h"
#include "control/cli/stats.h"
#include "control/cli/status.h"
#include "control/cli/top.h"
#include "control/cli/trace.h"
#include "control/rpc/methods.h"

#define BRIDGE names_complete_bridge
#define PORT   names_complete_port

static void flush_print(struct cli *cli, const json_t *params, const json_t *result)
{
	printf("%lld addresses forgotten\n",
	       (long long)json_integer_value(json_object_get(result, "forgotten")));
}

static void note_print(struct cli *cli, const json_t *params, const json_t *result)
{
	const char *note = json_string_value(json_object_get(result, "note"));

	if (note)
		puts(note);
}

const struct cli_command switch_commands[] = {
	{&m_status, status_run, status_print, NULL},
	{&m_bridge_add, NULL, NULL, NULL},
	{&m_bridge_del, NULL, NULL, BRIDGE},
	{&m_bridge_set, NULL, NULL, BRIDGE},
	{&m_bridge_list, NULL, bridges_print, BRIDGE},
	{&m_port_add, port_add_run, NULL, PORT},
	{&m_port_del, NULL, NULL, PORT},
	{&m_port_set, NULL, note_print, PORT},
	{&m_port_up, NULL, NULL, PORT},
	{&m_port_down, NULL, NULL, PORT},
	{&m_port_list, NULL, ports_print, PORT},
	{&m_fdb_list, NULL, fdb_print, BRIDGE},
	{&m_fdb_add, NULL, NULL, PORT},
	{&m_fdb_del, NULL, NULL, PORT},
	{&m_fdb_flush, NULL, flush_print, PORT},
	{&m_stats, stats_run, stats_print, PORT},
	{&m_capture, capture_run, NULL, PORT},
	{&m_mirror_add, NULL, NULL, PORT},
	{&m_mirror_del, NULL, NULL, PORT},
	{&m_mirror_list, NULL, mirrors_print, NULL},
	{&m_bridge_trace, NULL, trace_print, PORT},
	{&m_drops, drops_run, drops_print, PORT},
	{&m_top, top_run, NULL, NULL},
	{&m_events, events_run, NULL, NULL},
	{&m_show_config, show_config_run, show_config_print, NULL},
	{&m_apply, apply_run, plan_print, NULL},
	{&m_config_confirm, NULL, NULL, NULL},
	{&m_config_rollback, rollback_run, plan_print, NULL},
	{&m_diff, diff_run, plan_print, NULL},
	{&m_doctor, doctor_run, doctor_print, NULL},
	{&m_daemon_stop, NULL, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};
