/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's console: what it says goes to a bounded log and to everybody who watches; what a
 * watcher types goes to the guest.
 *
 * How      A plain Unix socket carries bytes both ways. Who connects first sees the last 4 KiB. The
 *          log is two files of at most 1 MiB: the older is dropped when the newer is full.
 * Threads  the loop's thread.
 * Trust    The guest may print without end: the log is bounded. A watcher that does not keep up is
 *          cut off; input beyond 64 KiB that the guest does not take is thrown away.
 * Limits   8 watchers.
 */
#ifndef VM_LAUNCHER_CONSOLE_H
#define VM_LAUNCHER_CONSOLE_H

#include "base/err.h"
#include "base/loop.h"

struct console;

/* guest_fd: the socket to QEMU; listen_fd: bound and listening. Both become the console's. */
int console_create(struct loop *loop, int guest_fd, int listen_fd, const char *log_path,
		   struct console **out, struct err *err);
void console_destroy(struct console *c); /* accepts NULL */

#define CONSOLE_LOG_MAX_BYTES (1 << 20)

#endif
