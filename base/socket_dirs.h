/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where sockets that have a path may be, when they are made for a process that may ask for what it should not have.
 *
 * What     A list of folders: the run dir and those that the administrator named, with all that is beneath them, and
 *          the folder of a run dir that was put into one of the administrator's own. Never the sockets by which
 *          switch and VMs are controlled. Without a list: anywhere.
 * How      By name first, for a sentence. Then folder by folder, each opened in the one before, none by a symbolic
 *          link and none by "..": whoever moves folders about meanwhile is left behind.
 * Threads  control only.
 * Trust    paths may be an attacker's. What stands above a listed folder is the administrator's.
 * Limits   SOCKET_DIRS_MAX folders.
 */
#ifndef BASE_SOCKET_DIRS_H
#define BASE_SOCKET_DIRS_H

#include "base/err.h"

#define SOCKET_DIRS_MAX 32

/* run_dir: the switch's, which exists; NULL: no list any more. Each path begins with a slash. -errno with a sentence. */
int socket_dirs_set(const char *run_dir, char *const *dirs, unsigned n, struct err *err);

/* By its name alone: 0, or -EACCES with a sentence that says what helps. */
int socket_dirs_check(const char *path, struct err *err);

/* *dir: the folder of the socket, in which *name is its name; AT_FDCWD and the whole path without a list. To be
 * closed again. -EACCES; -errno of a folder that cannot be opened. */
int socket_dirs_open(const char *path, int *dir, const char **name);
void socket_dirs_close(int dir);

#endif
