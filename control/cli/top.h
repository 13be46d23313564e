/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Command top: workers and ports by the second, in a terminal.
 *
 * What     Redrawn once a second. Keys: s or arrows choose the column that ports are sorted by, r
 *          reverses, / filters by name, p pauses, h or ? helps, q quits; up, down, page keys move.
 * How      control/cli/rates.h reads and subtracts, ncurses draws only what has changed. Ports that do
 *          not fit are there to scroll to; columns that do not fit are left out from the right.
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_TOP_H
#define CONTROL_CLI_TOP_H

#include "control/cli/command.h"

extern const struct method m_top;

int top_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);

#endif
