/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is generated from the tables: the overview of commands, the man page, completion.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_REFERENCE_H
#define CONTROL_CLI_REFERENCE_H

#include "control/cli/command.h"
#include "control/cli/commands.h"

/* Commands that go on from m (all, when it is empty), with their summaries. */
void reference_overview(const struct command_match *m);

/* lanyard.1 */
void reference_man(void);

/* Candidates for the last of words, one a line. */
void reference_complete(struct cli *cli, int n_words, char *const *words);

#endif
