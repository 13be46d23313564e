/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The `run` functions of VM commands that have a file of their own.
 *
 * Threads  the CLI's only one.
 */
#ifndef VM_LAUNCHER_VM_COMMANDS_H
#define VM_LAUNCHER_VM_COMMANDS_H

#include "control/cli/command.h"
#include "vm-launcher/vm_spec.h"

/* `run`, `print` and `complete` of struct cli_command (control/cli/command.h). */
extern const struct method m_cli_vm_start;
int cmd_vm_start(struct cli *cli, const json_t *params, json_t **result, struct err *err);
int cmd_console(struct cli *cli, const json_t *params, json_t **result, struct err *err);
int cmd_exec(struct cli *cli, const json_t *params, json_t **result, struct err *err);
void cmd_exec_print(struct cli *cli, const json_t *params, const json_t *result);

extern const struct method m_cli_nic_up, m_cli_nic_down;
int cmd_nic_up(struct cli *cli, const json_t *params, json_t **result, struct err *err);
int cmd_nic_down(struct cli *cli, const json_t *params, json_t **result, struct err *err);
void cmd_nic_complete(struct cli *cli, const char *param);

int cmd_vm_facts(struct cli *cli, const json_t *params, json_t **result, struct err *err);

/* Enters hand-made VMs that were defined before the host's last start. */
void cmd_vm_restore(struct cli *cli);

/* The full name of the parameter "name", or an exit code with err. */
int cmd_vm_name(struct cli *cli, const json_t *params, char full[VM_NAME_BYTES], struct err *err);

/* -errno of a VM's call to an exit code. */
int cmd_vm_exit(int rc);

#endif
