/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands stats and drops.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_STATS_H
#define CONTROL_CLI_STATS_H

#include "control/cli/command.h"

extern const struct method m_stats, m_drops;

int stats_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);
void stats_print(struct cli *cli, const json_t *params, const json_t *result);
int drops_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);
void drops_print(struct cli *cli, const json_t *params, const json_t *result);

#endif
