/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that the process that forwards may make once it serves: a seccomp filter.
 *
 * What     One table of calls, each with its reason (calls_table.c), from which docs/robustness.md is written, too.
 *          A few more are answered with an error that their callers live with. Any other one ends the process
 *          by SIGSYS, after a line in the log that names it: the keeper starts the next one.
 * How      The filter is made while nobody waits and entered when the last right is given up, by all threads at
 *          once.
 * Threads  control only; the signal's handler runs in the thread that made the call.
 * Limits   Pointers cannot be looked behind: which files is Landlock's matter (landlock.h).
 */
#ifndef CONTROL_DAEMON_CALLS_H
#define CONTROL_DAEMON_CALLS_H

#include <stdbool.h>

#include "base/err.h"

struct calls;

/* One that is allowed only with certain values of one argument. */
struct call_arg {
	unsigned index;
	unsigned long mask; /* 0: all of it */
	unsigned long value;
};

struct call {
	const char *name;
	const char *why;
	int error; /* allowed; or what the caller is told */
	const struct call_arg
		*args; /* NULL: any; else one of them holds, up to .mask and .value being 0 */
};

/* Ends with .name == NULL. */
extern const struct call calls_table[];

/* 0, or -errno with a sentence. */
int calls_make(struct calls **out, struct err *err);
void calls_free(struct calls *c); /* accepts NULL */

/* All threads from now on; they need no_new_privs. -errno. */
int calls_enter(const struct calls *c);

#endif
