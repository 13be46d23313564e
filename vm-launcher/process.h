/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting the programs that belong to Lanyard, detached from the terminal.
 *
 * Threads  any.
 */
#ifndef VM_LAUNCHER_PROCESS_H
#define VM_LAUNCHER_PROCESS_H

#include <sys/types.h>

#include "base/err.h"

/*
 * Finds `name` ("lanyard-vm") beside the running program, in ../libexec/lanyard or ../sbin, in the
 * installed libexec folder, or where the build tree has it. -ENOENT with a sentence.
 */
int process_find(const char *name, char *path, size_t size, struct err *err);

/* True when `name` is a program in one of PATH's folders. */
int process_in_path(const char *name);

/*
 * Starts argv[0] in a session of its own, with stdin from /dev/null, stdout and stderr appended to
 * log_path, and fds (n_fds of them) as 3, 4, …; nothing else stays open.
 */
int process_start(char *const *argv, const char *log_path, const int *fds, unsigned n_fds,
		  pid_t *pid, struct err *err);

#endif
