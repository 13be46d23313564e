/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sink: a file or pipe that gets whole units (blocks of pcapng, lines) and no part of one, also where it
 * ends early.
 *
 * How      Units are collected in memory and written together. To what may have no room (a pipe, a
 *          terminal) go groups of at most PIPE_BUF bytes, once poll() says that there is room: those the
 *          kernel takes whole or not at all. A unit that is longer goes in pieces, and is finished.
 *          A file of ours that cannot be written on is cut to its last whole unit.
 *          Once an end is wanted, a reader that takes nothing for STOP_WAIT_NS is waited for no more, nor one that
 *          has not opened a named pipe yet.
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_SINK_H
#define CONTROL_CLI_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct sink;

/* The length of the first unit of len bytes at p; len where it cannot tell. */
typedef size_t (*sink_unit_fn)(const uint8_t *p, size_t len);

/* Asked while a reader is waited for: 0 to go on, 1: an end is wanted, 2: at once. */
typedef int (*sink_over_fn)(void *arg);

/* path NULL: stdout. 0 or -errno; -ECANCELED: nobody has opened the named pipe until an end was wanted. */
int sink_open(const char *path, sink_unit_fn unit, sink_over_fn is_over, void *arg, struct sink **out);
/* 0 or -errno of what the file system had to say at the end. Does not write; accepts NULL. */
int sink_close(struct sink *s);

/* Where units are written to. */
FILE *sink_file(const struct sink *s);
bool sink_is_terminal(const struct sink *s);
/* True when enough has come together to be written. */
bool sink_is_full(const struct sink *s);

/*
 * Writes what there is. After an error nothing is left to write, and *n_left units were not written.
 * -EPIPE: the reader has gone; -ECANCELED: somebody wanted an end, and the reader takes nothing;
 * -EINTR: the same, within a unit, of which it has got a part.
 */
int sink_flush(struct sink *s, uint64_t *n_left);

#endif
