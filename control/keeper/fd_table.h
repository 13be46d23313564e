/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors by key: what the keeper keeps, and what a successor has not taken yet.
 *
 * Threads  one; closing is done by others (base/discard.h), one a slot: ours may be the last descriptor of a
 *          guest's memory, or of a socket in which lies what somebody made slow to close. A slot that has
 *          FD_TABLE_CLOSING of those takes no more.
 * Limits   FD_TABLE_MAX entries, what 4,096 ports of eight queue pairs and 64 memory regions need.
 */
#ifndef CONTROL_KEEPER_FD_TABLE_H
#define CONTROL_KEEPER_FD_TABLE_H

#include "switch/keep.h"

#define FD_TABLE_CLOSING 1024
#define FD_TABLE_MAX (4096u * (2 + 64 + 3 * 16) + 1024 + 64)

struct fd_table;
struct fd_entry;

struct fd_table *fd_table_create(void); /* NULL: out of memory */
void fd_table_destroy(struct fd_table *t); /* accepts NULL; closes what is left */

/* fd is the table's from now on, in place of what was there; closed on failure. -ENOMEM, -ENOSPC, -EBUSY. */
int fd_table_put(struct fd_table *t, struct keep_key key, int fd);

/* Stays the table's; -1: there is none. */
int fd_table_look(const struct fd_table *t, struct keep_key key);

/* Gives it back to the caller and forgets it; -1: there is none. */
int fd_table_take(struct fd_table *t, struct keep_key key);

void fd_table_drop(struct fd_table *t, struct keep_key key);
void fd_table_drop_slot(struct fd_table *t, uint16_t slot, uint32_t kinds);
/* In all slots. */
void fd_table_drop_kinds(struct fd_table *t, uint32_t kinds);

unsigned fd_table_n(const struct fd_table *t);

/* All of them, in the order in which they were put: after NULL the first. */
const struct fd_entry *fd_table_next(const struct fd_table *t, const struct fd_entry *after);
/* The same of one slot, in any order. */
const struct fd_entry *fd_table_next_of_slot(const struct fd_table *t, uint16_t slot, const struct fd_entry *after);
struct keep_key fd_entry_key(const struct fd_entry *e);
int fd_entry_fd(const struct fd_entry *e);

#endif
