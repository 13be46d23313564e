/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet process's side of its keeper: what it was handed, what it gives to be kept.
 *
 * What     keep_ops (switch/keep.h) over the channel. kept_await() is where a warm spare sleeps until it
 *          is needed.
 * Threads  control.
 */
#ifndef CONTROL_KEEPER_KEPT_H
#define CONTROL_KEEPER_KEPT_H

#include "base/err.h"
#include "control/keeper/channel.h"

struct kept;

extern const struct keep_ops kept_ops; /* their arg is a struct kept */

/* channel_fd: inherited; becomes kept's. */
int kept_create(int channel_fd, struct kept **out, struct err *err);
void kept_destroy(struct kept *k); /* accepts NULL */

/* What a spare is asked. Any may be NULL. */
struct kept_spare_ops {
	/* Whether this build can go on with what k was handed: 0, or -errno with a sentence. */
	int (*check)(void *arg, struct kept *k, struct err *err);
	/* Opens a device for the port that will want it: the same. */
	int (*open)(void *arg, const struct channel_device *device, struct err *err);
	/* What was opened is not needed. */
	void (*unopen)(void *arg);
};

/* Says that all is ready that needs no state, and waits for GO; answers by ops whoever asks meanwhile. 0; 1: the
 * keeper has gone, or stop_fd became readable; -errno with a sentence. */
int kept_await(struct kept *k, int stop_fd, const struct kept_spare_ops *ops, void *arg, struct err *err);

/* One that was handed; stays k's. -1: there is none. */
int kept_look(const struct kept *k, struct keep_key key);
const struct channel_go *kept_go(const struct kept *k);

/* One of the process's own, now the caller's, or -1. */
int kept_own(struct kept *k, enum channel_own which, uint16_t index);

/* Everything that belonged to somebody has been taken: the rest is closed, here and there. How many. */
unsigned kept_sweep(struct kept *k);

/* A message without a body, with a number, or with a text. */
void kept_say(struct kept *k, enum channel_type what);
void kept_say_number(struct kept *k, enum channel_type what, uint64_t number);
void kept_say_text(struct kept *k, enum channel_type what, const char *text);

/* Readable when the keeper says something, or has gone. */
int kept_fd(const struct kept *k);

void kept_say_device(struct kept *k, const struct channel_device *device);

/* What it says after GO, without descriptors: its enum channel_type; 0: nothing more; -EPIPE: it has gone. */
int kept_hear(struct kept *k, struct channel_msg *m);

#endif
