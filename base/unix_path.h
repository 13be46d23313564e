/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets that have a path: the file system's part of Unix sockets, which needs the rights of whoever owns the
 * folders.
 *
 * What     Binding, connecting, and removing a socket's file again. Everything else is done on the descriptor,
 *          and needs no right.
 * How      Through a table: these functions' own (unix_path_direct), or another process that has the rights.
 *          A file is its owner's, group's and mode's before anybody can connect: it is made with mode 0600,
 *          and changed by its inode, not by its name. Only a socket that nobody serves is replaced, nothing
 *          that a symbolic link stands for, and only the very file that was bound is removed. Where there is a
 *          list of folders (base/socket_dirs.h), nothing else is touched.
 * Threads  control only.
 * Trust    paths come from clients; the folders may be others', who move files about meanwhile.
 */
#ifndef BASE_UNIX_PATH_H
#define BASE_UNIX_PATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define UNIX_PATH_MAX 108 /* bytes with the end: sizeof(sun_path) */

/* What the files get that are bound from now on; (uid_t)-1, (gid_t)-1: those of the process. 0660 at first. */
struct unix_path_access {
	uid_t owner;
	gid_t group;
	mode_t mode;
};

/* The same in words, for one socket: user, group, octal mode. NULL, or empty: as for all. */
#define UNIX_PATH_WORD_MAX 33
struct unix_path_words {
	const char *owner, *group, *mode;
};

struct unix_path_ops {
	int (*bind)(const char *path, int type, const struct unix_path_words *whose, int *fd, struct err *err);
	int (*connect)(const char *path);
	int (*peer)(int fd, const char *path);
	bool (*is_there)(int fd);
	void (*unlink)(int fd);
};
extern const struct unix_path_ops unix_path_direct;

void unix_path_access_set(const struct unix_path_access *a); /* of the direct functions */
void unix_path_ops_set(const struct unix_path_ops *ops);

/* Takes words over. -EINVAL with a sentence: no such user, no such group, no mode of a socket. It asks passwd and
 * group, which may take its time, where a word is no number. */
int unix_path_access_words(struct unix_path_access *a, const struct unix_path_words *words, struct err *err);
int unix_path_mode_check(const char *mode, struct err *err);

/* 0; -ENAMETOOLONG with a sentence that names option; -EACCES where no socket may be (base/socket_dirs.h). */
int unix_path_check(const char *path, const char *option, struct err *err);

/* A socket of this type, SOCK_STREAM (which listens) or SOCK_DGRAM, at path; it never waits. -EEXIST: there is
 * something else; -EADDRINUSE: somebody serves it. whose NULL: as all sockets are. */
int unix_path_bind(const char *path, int type, const struct unix_path_words *whose, int *fd, struct err *err);

/* A stream socket that is connected, and never waits, or -errno. */
int unix_path_connect(const char *path);

/* Connects a datagram socket to whoever is at path now. 0 or -errno. */
int unix_path_peer(int fd, const char *path);

/* Whether the file of this bound socket is still where it was bound. */
bool unix_path_is_there(int fd);

/* Removes the file of this bound socket, if it is there. */
void unix_path_unlink(int fd);

#endif
