/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the keeper keeps, left with the service manager: for the keeper that comes after this one.
 *
 * What     A copy of each descriptor of a fd_table, but for those that die with the keeper, survives in systemd's
 *          store (sd_notify(3), FDSTORE=1); the next keeper begins with it.
 * How      The store holds boxes: sockets with descriptors in their queues, one for FD_STORE_SLOTS_A_BOX slots. Not
 *          the descriptors themselves: systemd compares each new one with all that it has, forgets one that it
 *          knows under another name, and hands on no more names than fit into 128 KiB. A slot is one message with
 *          its keys; a later one takes the place of an earlier one, so no moment is without a whole one.
 *          In each message lies the other end of its box too: whoever has the box can go on filling it.
 * Threads  one; descriptors are let go of by others (base/discard.h).
 * Trust    What the store hands back is checked as a stranger's. Nobody waits for systemd: what it does not take
 *          is offered again at the next flush or push.
 * Limits   FD_STORE_SLOTS slots, FD_STORE_A_SLOT descriptors each; what is beyond is not stored, and said.
 */
#ifndef CONTROL_KEEPER_FD_STORE_H
#define CONTROL_KEEPER_FD_STORE_H

#include <stdbool.h>

#include "base/err.h"
#include "control/keeper/channel.h"
#include "control/keeper/fd_table.h"

#define FD_STORE_SLOTS	     4096
#define FD_STORE_SLOTS_A_BOX 8
#define FD_STORE_A_SLOT	     250 /* the kernel takes 253 with a message */

struct fd_store;

/* What is known of packet processes; `left`: the keeper went because it was told to leave all behind. */
struct fd_store_past {
	struct channel_go go;
	uint64_t left_ns; /* 0: it was not */
};

/* From NOTIFY_SOCKET and LISTEN_FDS, which go from the environment: nobody whom we start shall take them for its
 * own. -ENOTSUP with a sentence where there is no service manager. */
int fd_store_open(struct fd_store **out, struct err *err);

/* What was stored stays so. Accepts NULL. */
void fd_store_close(struct fd_store *s);

/* Puts what a predecessor left into t. How many; 0: there was none, or nothing of it is of any use. */
unsigned fd_store_load(struct fd_store *s, struct fd_table *t, struct fd_store_past *past);

/* A slot of t is not what is stored any more; all are. */
void fd_store_mark(struct fd_store *s, uint16_t slot);
void fd_store_mark_all(struct fd_store *s, const struct fd_table *t);

/* Stores all that was marked. done() is called for each slot once it is in its box. */
void fd_store_flush(struct fd_store *s, const struct fd_table *t, const struct fd_store_past *past,
		    void (*done)(void *arg, uint16_t slot), void *arg);

/* Whether systemd has every box; it is offered again what it did not take. */
bool fd_store_push(struct fd_store *s);

/* Nothing is stored any more. */
void fd_store_clear(struct fd_store *s);

#endif
