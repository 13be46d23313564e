/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets that have a path, by way of the keeper (base/unix_path.h), so that the packet process needs no right on
 * any folder.
 *
 * What     A server in the keeper, which does what it is asked, and its client in the packet process, which waits
 *          for each answer, PATHS_WAIT_MS at most.
 * How      A socket pair for each packet process: what one of them did to it, or gave it to, is nobody's after it.
 *          Who is to own a file, and its mode, is said with it, or else the word of the keeper's options.
 * Threads  one a side.
 * Trust    The server checks all that it reads. What a packet process that was taken over gains here is to bind
 *          where nothing is or nobody serves, and to connect, in the folders that were listed at the start
 *          (base/socket_dirs.h): it cannot remove or replace anything else, nor change another file's owner or mode.
 *          Where it is the keeper's own user there is no list, and nothing to gain.
 */
#ifndef CONTROL_KEEPER_PATHS_H
#define CONTROL_KEEPER_PATHS_H

#include "base/loop.h"
#include "base/unix_path.h"

#define PATHS_WAIT_MS 5000 /* an answer was seen to take over two seconds on a busy machine */

struct paths;

/* The keeper's side. *client_fd is the other end, the caller's. -errno. */
int paths_create(struct loop *loop, struct paths **out, int *client_fd);
void paths_destroy(struct paths *p); /* accepts NULL */

/* For a keeper that takes over from another: its side, which stays its own; and going on with that, which becomes
 * *out's. -errno. */
int paths_fd(const struct paths *p);
int paths_adopt(struct loop *loop, int fd, struct paths **out);

/* The packet process's side: from here on sockets are asked for over fd, which it owns. */
void paths_ask_by(int fd);
void paths_ask_end(void);

#endif
