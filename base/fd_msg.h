/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages with descriptors over a SOCK_SEQPACKET pair of processes of ours.
 *
 * How      A message is whole or not there. One that is longer than its reader's buffer, or has more
 *          descriptors, is thrown away with them: nothing is left open by what a stranger sends.
 * Threads  one a side.
 * Trust    The bytes are the other side's: whoever calls checks them.
 */
#ifndef BASE_FD_MSG_H
#define BASE_FD_MSG_H

#include <stddef.h>

#define FD_MSG_FDS 16 /* descriptors a message, at most */

/* A pair of ends, both closed by exec. -errno. */
int fd_msg_pair(int fds[2]);

/* Never waits: -EAGAIN where the other side does not read. The descriptors stay the caller's. 0, -EPIPE, -errno. */
int fd_msg_send(int sock, const void *data, size_t size, const int *fds, unsigned n);

/* The next message, of at most `size` bytes and max descriptors. Returns its size; -EAGAIN when there is none
 * within timeout_ms; -EPIPE at the end; -EPROTO for one that was thrown away. */
int fd_msg_receive(int sock, void *data, size_t size, int *fds, unsigned max, unsigned *n,
		   int timeout_ms);

void fd_msg_close(int *fds, unsigned n);

#endif
