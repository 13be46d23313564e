/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whatever needs a right: one small interface, so that dropping rights later changes one file.
 *
 * What     Folders, locks, the control socket and limits. In-process for now; the sockets of
 *          vhost-user ports are still bound by their driver.
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_PRIV_H
#define CONTROL_DAEMON_PRIV_H

#include "base/err.h"
#include "control/daemon/access.h"
#include "control/daemon/metrics_address.h"

/* Makes dir and its parents, and takes the lock file `name` in it for as long as *fd is open.
 * -EBUSY with the holder's pid when another process has it. */
int priv_dir_lock(const char *dir, const char *name, int *fd, struct err *err);

/* Binds and listens on the control socket, whose file gets owner, group and mode. */
int priv_listen(const char *path, const struct access *a, int *fd, struct err *err);
/* Binds and listens on a TCP address. -EADDRINUSE, -EADDRNOTAVAIL, -EACCES in words. */
int priv_listen_tcp(const union metrics_address *a, int *fd, struct err *err);
/* Whether fd listens on path, where others still find it; it is given to its owner anew. */
bool priv_is_listening(const char *path, const struct access *a, int fd);

void priv_unlink(const char *path);

/* Raises the limit of open files to what is allowed, at most 1,048,576. */
void priv_nofile_raise(void);

#endif
