/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "control/cli/call.h"
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
#include "control/rpc/switch_end.h"

#define STOP_MS 10000 /* hundreds of interfaces are removed in a second */

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

/* Done when it has ended: the next command may be another switch. */
static int stop_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	struct rpc_client *c;
	int rc = cli_connect(cli, &c, err), fd;

	if (rc < 0)
		return rc == -ENOENT ? EXIT_NOT_RUNNING : cli_exit_code(rc);
	fd = switch_end_watch(c);
	rpc_close(c);
	rc = cli_call(cli, &m_daemon_stop, NULL, result, err);
	if (rc) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = switch_end_await(fd, STOP_MS);
	if (rc < 0) {
		err_set(err, rc, "the switch was told to end, and has not within %d s", STOP_MS / 1000);
		err_hint(err, "its log says what it waits for");
	}
	return cli_exit_code(rc);
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
	{&m_port_list, ports_run, ports_print, PORT},
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
	{&m_daemon_stop, stop_run, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};
