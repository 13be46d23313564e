/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How far the store (control/keeper/fd_store.h) is behind what the packet process has given to be kept.
 *
 * What     When both die at once, the state that the packet process left (switch/arena.h) may speak of descriptors that
 *          the keeper had not stored yet: a guest would be given a ring's old kick, or worse. The packet process
 *          counts what it says of each slot before it says it, the keeper what it has stored of that; the next
 *          keeper believes a slot where both are the same.
 * How      A memfd of two rows of numbers, a new one for each packet process, stored like all else.
 * Threads  one a side; each writes its own row.
 * Trust    A packet process that counts wrong makes the next keeper drop what it should not, or believe what its own
 *          state does not fit: its front ends pay for that.
 */
#ifndef CONTROL_KEEPER_LEDGER_H
#define CONTROL_KEEPER_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LEDGER_SLOTS 4096 /* what is stored; nobody counts beyond */

struct ledger {
	_Atomic uint32_t said[LEDGER_SLOTS];   /* by the packet process */
	_Atomic uint32_t stored[LEDGER_SLOTS]; /* by the keeper */
};

/* A memfd, or -errno. */
int ledger_create(void);
/* NULL: it is none. fd stays the caller's. */
struct ledger *ledger_map(int fd);
void ledger_unmap(struct ledger *l); /* accepts NULL */

/* Takes NULL, as for a keeper that stores nothing. */
void ledger_say(struct ledger *l, uint16_t slot);
bool ledger_is_even(const struct ledger *l, uint16_t slot);

#endif
