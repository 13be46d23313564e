/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper: owns what must outlive the packet process, and sees to it that there is one.
 *
 * What     Keeps descriptors (fd_table), starts a packet process and, once that forwards, another one as a
 *          warm spare, which has done everything that needs no state. When the first dies or hangs, the
 *          spare is handed everything and goes on.
 * How      No thread, nothing of DPDK, hardly any memory; it sleeps but for a look at the pulse four times a
 *          second. An end that somebody wants ends all. A start that fails before any packet process
 *          was ready ends the keeper with its status; later ones are tried again for ever, with
 *          pauses. Three in a row that die before they are ready may die of what they are
 *          handed: then the next begins from the saved configuration.
 * Threads  one.
 * Trust    a packet process may say anything on its channel (channel.h); the worst that comes of it is that
 *          it is killed.
 */
#ifndef CONTROL_KEEPER_KEEPER_H
#define CONTROL_KEEPER_KEEPER_H

#include <stdbool.h>

#include "base/err.h"

struct fd_store;

struct keeper_opts {
	const char *program; /* the packet process's */
	char *const *argv;   /* its arguments, argv[0] too */
	const char *helper;  /* the host helper's program */
	const char *run_dir; /* … and its argument */
	char *const *own_argv; /* of this process, as it was started */
	int signal_fd;	     /* of signals that end the switch */
	int lock_fds[2];     /* stay the caller's */
	int metrics_fd;	     /* -1: none; stays the caller's */
	struct fd_store *store; /* NULL: nothing outlives the keeper; stays the caller's */
	const char *version; /* of this build */
	const char *takeover_path; /* of the socket for control/keeper/takeover.h; NULL: none */
	int image_fd; /* from the keeper that this process was until now; -1: none. Then neither
		       * locks nor metrics_fd are given */
	/* Opens the control socket; called when somebody is about to serve it. */
	int (*listen)(void *arg, int *fd, struct err *err);
	/* Whether fd, of a keeper before this one, is that socket, and can still be reached. */
	bool (*is_listening)(void *arg, int fd);
	/* The switch is ready, for the first time; it is about to end, and its socket goes. */
	void (*on_ready)(void *arg);
	void (*on_stopping)(void *arg);
	void *arg;
};

/* Returns the exit status when the switch has ended; -errno with a sentence when it could not begin. */
int keeper_run(const struct keeper_opts *opts, struct err *err);

#endif
