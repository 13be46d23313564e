/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All commands of the CLI as one list, and how words find theirs.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_COMMANDS_H
#define CONTROL_CLI_COMMANDS_H

#include <stdbool.h>

#include "base/err.h"
#include "control/cli/command.h"

/* Options that every command knows: --json, --run-dir, --state-dir, --help, --version. */
extern const struct param common_params[];

/* Calls fn for every command that people can type, in the order of the tables; stops when fn says
 * true. Returns the command that it stopped at, or NULL. */
const struct cli_command *commands_each(bool (*fn)(const struct cli_command *c, void *arg),
					void *arg);

/* The command with exactly these words (and table, when two have them), or NULL. */
const struct cli_command *command_by_words(const struct cli_command *table, const char *words);

/* The command of that rpc name in any table, hidden ones too, or NULL. */
const struct cli_command *command_by_rpc(const char *rpc);

/* What words mean so far. */
struct command_match {
	const struct cli_command *command; /* NULL: not yet a whole command */
	unsigned depth;			   /* words that were taken */
	char taken[64];			   /* the same words, unabbreviated */
};

/* Takes one more word. 1: taken; 0: it does not go on with the command; -EINVAL: ambiguous. */
int command_match_word(struct command_match *m, const char *word, struct err *err);

/* Calls fn once for each word that could come next. */
void command_next_words(const struct command_match *m, void (*fn)(const char *word, void *arg),
			void *arg);

/* The sentence for words that make no command. -EINVAL. */
int command_unknown(const struct command_match *m, const char *word, struct err *err);

#endif
