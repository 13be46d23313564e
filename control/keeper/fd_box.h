/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A box of control/keeper/fd_store.h: a pair of sockets, and in the queue of one of them descriptors with their keys.
 *
 * How      What is in it is written anew as a whole, a message a slot, and only then is what was there taken out. A
 *          writer that dies meanwhile leaves both, and the later message of a slot counts. A slot that has
 *          become empty is written once more, so that it does not come back from the dead.
 * Threads  one.
 */
#ifndef CONTROL_KEEPER_FD_BOX_H
#define CONTROL_KEEPER_FD_BOX_H

#include "control/keeper/fd_store.h"

struct fd_box;

struct fd_parcel {
	uint16_t slot, n;
	struct {
		uint16_t kind, index;
	} keys[FD_STORE_A_SLOT];
	int fds[FD_STORE_A_SLOT];
};

void fd_parcel_close(struct fd_parcel *p);

/* For the slots from `first`. NULL with errno. */
struct fd_box *fd_box_create(uint16_t first);
/* Of the end that was stored: NULL, and fd stays the caller's, when it is none. */
struct fd_box *fd_box_adopt(int fd);
void fd_box_free(struct fd_box *b); /* accepts NULL; what is stored stays */

/* Takes everything out, FD_STORE_SLOTS_A_BOX parcels by slot; it is to be written again. Returns the first slot, below
 * `slots`; -EPROTO: it is none of ours, and what was taken is to be closed by the caller. *past: the latest. */
int fd_box_read(struct fd_box *b, struct fd_parcel *parcels, unsigned slots, struct fd_store_past *past);

void fd_box_begin(struct fd_box *b);
/* Of each slot, in order. */
int fd_box_write(struct fd_box *b, const struct fd_parcel *p, const struct fd_store_past *past);
/* ok: what was there goes. Else nothing is left: half of it might be worse. */
void fd_box_commit(struct fd_box *b, bool ok);

/* Nothing is left in it, for whoever has it. */
void fd_box_empty(struct fd_box *b);

/* The end that is to be stored; whether it is. */
int fd_box_fd(const struct fd_box *b);
bool fd_box_is_stored(const struct fd_box *b);
void fd_box_stored(struct fd_box *b);

#endif
