/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that a process may make from now on: a seccomp filter.
 *
 * What     A table of calls that are allowed, each with its reason; docs/robustness.md is written from it, too.
 *          A few others fail with an error that their callers can live with. Any other call ends the process by
 *          SIGSYS, after a line in the log that names the call; whoever started the process starts the next one.
 * How      The filter is made early, while nobody waits for this process, and entered by all threads at once when
 *          the last right is given up.
 * Threads  one at first; the signal's handler runs in the thread that made the call. One filter a process.
 * Limits   Pointers cannot be looked behind: which files is Landlock's matter (landlock.h).
 */
#ifndef BASE_CALLS_H
#define BASE_CALLS_H

#include <stdbool.h>

#include "base/err.h"

struct calls;

/* One that is allowed only with certain values of one argument. */
struct call_arg {
	unsigned index;
	unsigned long mask; /* 0: all of it */
	unsigned long value;
	bool and; /* the next one, of another argument, holds too */
};

struct call {
	const char *name;
	const char *why;
	int error; /* allowed; or what the caller is told */
	const struct call_arg
		*args; /* NULL: any; else one of them holds, or some together, up to .mask and .value being 0 */
};

/* Whether this kernel has such filters. */
bool calls_known(void);

/* Of a table that ends with .name == NULL. 0, or -errno with a sentence. */
int calls_make(const struct call *table, struct calls **out, struct err *err);
void calls_free(struct calls *c); /* accepts NULL */

/* All threads from now on; they need no_new_privs. who: begins the line about a call that is not listed, and lasts;
 * witness is called in the signal's handler then, or is NULL. -errno. */
int calls_enter(const struct calls *c, const char *who, void (*witness)(void));

#endif
