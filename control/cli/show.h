/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of bridges, ports and addresses for people, and candidates for completion.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_SHOW_H
#define CONTROL_CLI_SHOW_H

#include "control/cli/command.h"

void bridges_print(struct cli *cli, const json_t *params, const json_t *result);
int ports_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);
void ports_print(struct cli *cli, const json_t *params, const json_t *result);
void fdb_print(struct cli *cli, const json_t *params, const json_t *result);

/* `port show --qemu` and `--libvirt`: what to paste. */
void attach_qemu_print(const json_t *ports);
void attach_libvirt_print(const json_t *ports);

/* Prints the names of bridges or ports, whatever param asks for. */
void names_complete_bridge(struct cli *cli, const char *param);
void names_complete_port(struct cli *cli, const char *param);

#endif
