/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading what a console said.
 *
 * Threads  any.
 * Trust    the text is the guest's: what is not printable ASCII, tab or newline becomes '?' or is
 *          left out, escape sequences included, so that it can be shown on a terminal.
 */
#ifndef VM_LAUNCHER_CONSOLE_LOG_H
#define VM_LAUNCHER_CONSOLE_LOG_H

#include <stddef.h>

#include "base/err.h"

/* The last max bytes of the log and its predecessor; *text is the caller's to free. */
int console_log_read(const char *run_dir, const char *id, size_t max, char **text, struct err *err);

/* In place; returns the new length. */
size_t console_log_clean(char *text, size_t len);

#endif
