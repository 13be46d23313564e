/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A child of the host helper that has a right which the helper gives up, and does one thing with it.
 *
 * How      Started before the helper gives anything up, and never again: a helper that loses one ends, and its keeper
 *          starts all of them anew. It ends when the helper does, with the socket between them.
 * Threads  one each.
 */
#ifndef CONTROL_HOST_SERVANT_H
#define CONTROL_HOST_SERVANT_H

#include "base/err.h"
#include "base/loop.h"

/* Runs serve(sock, arg) in a child of that name (15 characters), which has no other descriptor but the standard ones.
 * *sock is its other side. */
int servant_start(const char *name, int (*serve)(int sock, void *arg), void *arg, int *sock,
		  struct err *err);

/* lost is called when it has ended, take for each message of it that nobody has waited for. take may be NULL. -errno. */
int servant_watch(struct loop *loop, int sock, void (*take)(const void *answer, int size),
		  loop_fn lost);

/* Sends a question, which begins with a number of its own (uint32_t op, seq), with descriptor fd, or -1, and waits for the
 * answer, which begins so, too. *out: a descriptor that came with it, or -1. Others' answers are for take. -errno with
 * a sentence; the answer's own result is the caller's matter. */
int servant_ask(int sock, const void *question, int size, int fd, void *answer, int answer_size,
		int *out, void (*take)(const void *answer, int size), struct err *err);

#endif
