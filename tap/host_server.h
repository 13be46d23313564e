/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host helper's work: answers questions of the process that forwards, with the rights that one does not have.
 *
 * Threads  the helper's one.
 * Trust    Whoever asks may have been taken over by a guest: every question is checked as a stranger's is, and what
 *          it is about is shown by a descriptor that only the kernel gives out: a queue of a tap, a namespace.
 *          So no other interface can be changed than one whose tap it holds, and nat is for these only.
 */
#ifndef TAP_HOST_SERVER_H
#define TAP_HOST_SERVER_H

#include "base/loop.h"

struct host_server;

/* fd: of a SOCK_SEQPACKET pair; becomes the server's. on_end is called when nobody can ask any more. */
int host_server_create(struct loop *loop, int fd, loop_fn on_end, void *arg,
		       struct host_server **out);
/* Another process asks from now on, on this socket: it becomes the server's, in place of the one before. -errno. */
int host_server_renew(struct host_server *s, int fd);
void host_server_destroy(struct host_server *s); /* accepts NULL */

#endif
