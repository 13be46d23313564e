/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Help and man pages from rows: what the table says is what people read.
 *
 * How      Parameters without help text are hidden, and JSON-only ones too.
 * Threads  any.
 */
#ifndef CONTROL_RPC_HELP_H
#define CONTROL_RPC_HELP_H

#include <stdio.h>

#include "control/rpc/method.h"

/* The whole of `--help`; common rows are those that every command of the program knows. prog may be NULL where
 * words name the program. */
void help_method(FILE *f, const char *prog, const struct method *m, const struct param *common);

/* One command's section of a man page (roff). */
void man_method(FILE *f, const char *prog, const struct method *m);

/* Options as a list of a man page. */
void man_params(FILE *f, const struct param *rows);

/* Text in a man page: what roff would take for its own is escaped. Newlines begin paragraphs. */
void man_text(FILE *f, const char *text);

/* The head of a man page. */
void man_head(FILE *f, const char *name, unsigned section, const char *summary);

/* A whole man page for a program that is one row. */
void man_program(FILE *f, const char *name, unsigned section, const struct method *m);

#endif
