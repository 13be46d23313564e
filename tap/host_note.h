/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What this switch has changed of the host and the kernel does not take back by itself.
 *
 * What     RUN_DIR/host has a line for each: "table lanyard-out", "forward". It is written before the
 *          change is made and loses the line once that is undone, so that after a crash the next switch of
 *          that run dir finds what is its own: what it makes again it takes over, the rest it undoes.
 * How      One page, written in place by a descriptor from the start: its writer has no rights on the run dir any more,
 *          and whoever is killed has written all or nothing. The file is empty when there is nothing to note. It is not
 *          made durable: the changes end with the running kernel, too. What is of another boot or network namespace
 *          is dropped.
 * Threads  control only.
 * Trust    The run dir is this user's; lines that are none of ours are left out all the same.
 * Limits   62 lines. Without host_note_open() nothing is noted.
 */
#ifndef TAP_HOST_NOTE_H
#define TAP_HOST_NOTE_H

#include <stdbool.h>

#include "base/err.h"

#define HOST_NOTE_MAX 64 /* bytes of a line, with its end */

/* Reads what an earlier process has left behind. */
int host_note_open(const char *run_dir, struct err *err);
void host_note_close(void); /* leaves the file as it is */

/* 0, or 1 where the line is there already: it is this process's from now on. */
int host_note_add(const char *line, struct err *err);
void host_note_del(const char *line);

/* Whether an earlier process has noted it, and this one has not. */
bool host_note_is_left(const char *line);

/* Calls fn for each line that is left so; fn may delete lines. */
void host_note_each_left(void (*fn)(const char *line));

#endif
