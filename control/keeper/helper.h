/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host helper, lanyard-host, as its keeper sees it: started when somebody asks something, started again when it
 * has died.
 *
 * How      The keeper has the answering end of the pair, and lets the helper inherit it. When a question lies there
 *          and no helper runs, one is started. When one dies, what it was asked is thrown away and whoever asked is
 *          told (HOST_GONE), so nobody waits in vain. A switch without taps never has one.
 * Threads  the keeper's one.
 */
#ifndef CONTROL_KEEPER_HELPER_H
#define CONTROL_KEEPER_HELPER_H

#include <stdbool.h>

#include "base/loop.h"

struct helper;

struct helper_opts {
	const char *program;
	const char *run_dir;
	const int *lock_fds; /* held by it, too, until it has undone all; they stay the caller's */
	unsigned n_locks;
};

/* *client_fd: the asking end, the caller's. The opts' strings must last. -errno. */
int helper_create(struct loop *loop, const struct helper_opts *opts, struct helper **out,
		  int *client_fd);

/* For a keeper that becomes another build's: what it is, which stays its own; and going on with that. */
struct helper_image {
	int fd, pidfd; /* pidfd -1: none runs */
	int pid;
};
void helper_image(const struct helper *h, struct helper_image *out);
int helper_adopt(struct loop *loop, const struct helper_opts *opts, const struct helper_image *was,
		 struct helper **out);

/* Nobody asks any more: it undoes what it did, and ends, or is killed. leave: another keeper goes on, and what was done
 * to the host stays, with its note. Accepts NULL. */
void helper_destroy(struct helper *h, bool leave);

#endif
