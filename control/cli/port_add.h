/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `port add`, whose --path is relative to the person's working folder.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_PORT_ADD_H
#define CONTROL_CLI_PORT_ADD_H

#include "control/cli/command.h"

int port_add_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);

#endif
