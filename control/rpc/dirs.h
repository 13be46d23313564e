/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where things live: run dir (sockets) and state dir (configuration, disks), as cli.md says.
 *
 * Threads  any; reads the environment.
 */
#ifndef CONTROL_RPC_DIRS_H
#define CONTROL_RPC_DIRS_H

#include <stddef.h>

#include "base/err.h"

#define DIR_ROOT_RUN   "/run/lanyard"
#define DIR_ROOT_STATE "/var/lib/lanyard"
#define SWITCH_SOCKET  "switch.sock" /* in the run dir */

/* Exit status of a lanyard-switch that found its folders in use by another. */
#define SWITCH_EXIT_BUSY 75

/* option is the value of --run-dir or --state-dir, or NULL; it is made absolute. Then come
 * LANYARD_RUN_DIR or LANYARD_STATE_DIR, then root's or the user's own folder: without a
 * login session sockets are in run/ of the state dir. -EINVAL or -ENAMETOOLONG with a sentence.
 * Nothing is made. */
int dir_run(const char *option, char *out, size_t size, struct err *err);
int dir_state(const char *option, char *out, size_t size, struct err *err);

/* Makes dir and its parents with mode for those that are missing. */
int dir_make(const char *dir, unsigned mode, struct err *err);

#endif
