/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Landlock: takes from the process all of the file system but the listed folders and files.
 *
 * What     Everything that the running kernel's Landlock knows is forbidden: files, devices' requests, TCP,
 *          signals to others, their abstract sockets. Descriptors that are open stay what they are.
 * Threads  landlock_make(): control. landlock_enter(): each thread, of itself, also in a signal handler.
 * Limits   A kernel without Landlock (before 5.13, or started without it) has none: -ENOSYS, -EOPNOTSUPP.
 */
#ifndef BASE_LANDLOCK_H
#define BASE_LANDLOCK_H

#include <stdbool.h>

struct landlock_path {
	const char *path;
	bool write; /* also make, rename and remove what is in it */
	bool drop;  /* write new files, but read none: core dumps */
	bool device; /* requests of a device, too */
};

/* Of the running kernel; 0: none. */
int landlock_version(void);

/* A descriptor for landlock_enter(), or -errno. Ends with .path == NULL; paths that do not exist are left out. */
int landlock_make(const struct landlock_path *paths);

/* The calling thread from now on; it needs no_new_privs. -errno. */
int landlock_enter(int fd);

#endif
