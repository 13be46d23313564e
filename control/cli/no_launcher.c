/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of a build without the VM launcher: none. */
#include "control/cli/command.h"

const struct cli_command vm_commands[] = {{NULL, NULL, NULL, NULL}};
const struct cli_command lab_commands[] = {{NULL, NULL, NULL, NULL}};
