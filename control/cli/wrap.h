/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text for people, broken between words where the terminal ends.
 *
 * What     Only a terminal has a width: what goes to a file or a pipe stays one line, for grep.
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_WRAP_H
#define CONTROL_CLI_WRAP_H

#include <stdio.h>

/* Columns of the terminal that f is; 0: it is none. */
unsigned wrap_width(FILE *f);

/* text and a line's end. The first line begins at column indent, where the caller has come to; further ones are
 * indented by as much. width 0: in one line. */
void wrap_print(FILE *f, const char *text, unsigned indent, unsigned width);

#endif
