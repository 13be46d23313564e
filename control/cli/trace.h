/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `lanyard trace`, the steps of a frame that nobody sent, and `lanyard mirror show`, for people.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_TRACE_H
#define CONTROL_CLI_TRACE_H

#include "control/cli/command.h"

void mirrors_print(struct cli *cli, const json_t *params, const json_t *result);
void trace_print(struct cli *cli, const json_t *params, const json_t *result);

#endif
