/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host helper, lanyard-host, as its keeper sees it: started when somebody asks something, started again when it
 * has died.
 *
 * How      The keeper has the answering end of the pair, and lets the helper inherit it; that of the next process it
 *          sends to the helper over a socket that nobody else has. When a question lies there
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

/* The opts' strings must last. -errno. */
int helper_create(struct loop *loop, const struct helper_opts *opts, struct helper **out);

/* For each process that asks: an asking end of its own, *client_fd, which is the caller's; what is asked on those before
 * nobody hears. A helper that runs goes on with it. -errno. */
int helper_renew(struct helper *h, int *client_fd);

/* For a keeper that becomes another build's: what it is, which stays its own; and going on with that. */
struct helper_image {
	int fd, pidfd; /* pidfd -1: none runs */
	int next;
	int pid;
};
void helper_image(const struct helper *h, struct helper_image *out);
int helper_adopt(struct loop *loop, const struct helper_opts *opts, const struct helper_image *was,
		 struct helper **out);

/* Nobody asks any more: it undoes what it did, and ends, or is killed. leave: another keeper goes on, and what was done
 * to the host stays, with its note. Accepts NULL. */
void helper_destroy(struct helper *h, bool leave);

#endif
