/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a switch takes before anything runs: signals, locks, sockets that need no switch. The keeper's part,
 * or that of the one process without a keeper.
 *
 * Threads  main.
 */
#ifndef CONTROL_DAEMON_STARTUP_H
#define CONTROL_DAEMON_STARTUP_H

#include "base/err.h"
#include "control/daemon/options.h"

/* SIGTERM, SIGINT and SIGHUP come to *fd alone. Before there are threads, which inherit the mask. */
int startup_signals(int *fd, struct err *err);

/* SIGUSR1 comes there too. */
int startup_signals_leave(int fd, struct err *err);

/* The folders are ours as long as fds are open, -1 where it failed. -EBUSY with the holder. */
int startup_locks(const struct options *o, int fds[2], struct err *err);

/* Says an error that ends us. Returns the exit status: SWITCH_EXIT_BUSY for -EBUSY. */
int startup_failed(int rc, const struct err *err);

#endif
