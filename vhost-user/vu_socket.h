/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Unix sockets of vhost-user ports.
 *
 * Threads  control.
 * Trust    what lies at a path may be anybody's: only a socket that nobody serves is replaced.
 */
#ifndef VHOST_USER_VU_SOCKET_H
#define VHOST_USER_VU_SOCKET_H

#include "base/err.h"

/* Connects without waiting: the descriptor, or -errno. path fits into sun_path. */
int vu_socket_connect(const char *path);

/* Binds path and listens. port: whose it is, for the sentence. -EEXIST, -EADDRINUSE; *fd may be open
 * after a failure too. */
int vu_socket_listen(const char *port, const char *path, int *fd, struct err *err);

#endif
