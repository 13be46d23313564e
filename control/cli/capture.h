/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `lanyard capture`: frames of ports into a pcapng file, or as lines.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_CAPTURE_H
#define CONTROL_CLI_CAPTURE_H

#include "control/cli/command.h"

extern const struct method m_capture;

int capture_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);

#endif
