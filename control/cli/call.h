/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls of the daemon for commands that are more than one row.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_CALL_H
#define CONTROL_CLI_CALL_H

#include "control/cli/command.h"

/* One call on a connection of its own. params is stolen, may be NULL. Returns an exit code. */
int cli_call(struct cli *cli, const struct method *m, json_t *params, json_t **result,
	     struct err *err);

/* The same for a paged method: *items is one array. */
int cli_call_all(struct cli *cli, const char *method, json_t *params, json_t **items,
		 struct err *err);

/* params without those that are the command's own. */
json_t *cli_params(const struct method *m, const json_t *params);

/* Carries out a whole command: its run(), or its row's call. Returns an exit code. */
int cli_carry_out(struct cli *cli, const struct cli_command *c, const json_t *params,
		  json_t **result, struct err *err);

#endif
