/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages with descriptors: over a SOCK_SEQPACKET pair of processes of ours, and the part of it that every
 * sendmsg(2) and recvmsg(2) with descriptors has in common.
 *
 * How      A message is whole or not there. One that is longer than its reader's buffer, or has more
 *          descriptors, is thrown away with them: nothing is left open by what a stranger sends.
 * Threads  any; one at a time a socket.
 * Trust    The bytes are the other side's: whoever calls checks them.
 */
#ifndef BASE_FD_MSG_H
#define BASE_FD_MSG_H

#include <stddef.h>
#include <sys/socket.h>

#define FD_MSG_FDS  16	/* descriptors a message of fd_msg_receive(), at most */
#define FD_MSG_WIRE 253 /* what the kernel takes with one message (SCM_MAX_FD) */

/* Room for the descriptors of one message. */
union fd_msg_control {
	char buf[CMSG_SPACE(FD_MSG_WIRE * sizeof(int))];
	struct cmsghdr align;
};

/* Has up to FD_MSG_WIRE descriptors go with a message; `control` must live until it is sent. */
void fd_msg_attach(struct msghdr *mh, union fd_msg_control *control, const int *fds, unsigned n);

/* The descriptors that came with a message, which are the caller's then; how many. What is beyond max is closed,
 * and MSG_CTRUNC set in msg_flags, as the kernel does for what it had no room for. */
unsigned fd_msg_detach(struct msghdr *mh, int *fds, unsigned max);

/* A pair of ends, both closed by exec. -errno. */
int fd_msg_pair(int fds[2]);

/* With up to FD_MSG_WIRE descriptors, which stay the caller's. 0, -EAGAIN when the other side has made no room within
 * timeout_ms, -EPIPE, -errno. */
int fd_msg_send(int sock, const void *data, size_t size, const int *fds, unsigned n, int timeout_ms);

/* The next message, of at most `size` bytes and max descriptors (up to FD_MSG_FDS). Returns its size; -EAGAIN when there
 * is none within timeout_ms (-1: ever); -EPIPE at the end; -EPROTO for one that was thrown away. */
int fd_msg_receive(int sock, void *data, size_t size, int *fds, unsigned max, unsigned *n,
		   int timeout_ms);

/* Closes n descriptors, of which some may be -1, and makes all of them -1. */
void fd_msg_close(int *fds, unsigned n);

#endif
