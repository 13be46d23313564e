/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands show config, apply, diff, and what rollback prints.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_CONFIG_H
#define CONTROL_CLI_CONFIG_H

#include "control/cli/command.h"

extern const struct method m_show_config, m_apply, m_diff;

int show_config_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);
void show_config_print(struct cli *cli, const json_t *params, const json_t *result);
int apply_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);
int rollback_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);
int diff_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);
void plan_print(struct cli *cli, const json_t *params, const json_t *result);

#endif
