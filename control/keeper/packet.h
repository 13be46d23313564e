/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet process as its keeper sees it: started, talked to, watched, buried.
 *
 * How      fork and exec with the keeper's own arguments and `--channel 3`. Its death is seen by a pidfd,
 *          which becomes readable when nothing of the process is left: no worker of it touches a ring
 *          any more. When the keeper dies, the kernel sends it SIGTERM.
 * Threads  the keeper's one.
 */
#ifndef CONTROL_KEEPER_PACKET_H
#define CONTROL_KEEPER_PACKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "control/keeper/channel.h"

struct packet {
	pid_t pid;
	int pidfd, channel;
	struct loop_fd *exit_watch, *channel_watch; /* whoever watches it sets them; they end with it */
	uint64_t handed_ns, ready_ns; /* when it was handed everything, and forwarded */
	bool warm, ready;
};

/* Watches its pidfd and its channel from now on, in place of whoever did. -errno: nobody does. */
int packet_watch(struct packet *p, struct loop *loop, loop_fd_fn on_exit, loop_fd_fn on_channel, void *arg);
void packet_unwatch(struct packet *p);

/* argv: of the keeper, argv[0] too. */
int packet_start(const char *program, char *const *argv, struct packet **out, struct err *err);

/* Kills it without asking, and waits. Accepts NULL. */
void packet_kill(struct packet *p);

/* When its pidfd is readable: takes its status and says it in words, "killed by signal 9 (Killed)". Returns
 * the exit status, or 128 + the signal; *end says whose doing it was. */
int packet_bury(struct packet *p, enum keep_end *end, char *text, size_t size);

/* Of one whose threads have all come to their end, the same before it is gone: false, and nothing said, where the
 * kernel does not tell yet. It is to be buried all the same. */
bool packet_cause(const struct packet *p, enum keep_end *end, char *text, size_t size);

/* True while the kernel writes its core: each of its threads has got SIGKILL and comes to no instruction more. */
bool packet_is_dumping(const struct packet *p);

/* True while it is stopped, by a signal or a debugger. */
bool packet_is_stopped(const struct packet *p);

#endif
