/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines out of a byte stream from QEMU or a guest.
 *
 * How      Bytes come in pieces of any size. 0xff, which no UTF-8 text holds, throws away what came
 *          before it on its line: that is how the agent protocol finds its place again.
 * Threads  any; a reader belongs to its caller.
 * Trust    a line longer than max_bytes ends in -EMSGSIZE or, with skip_long, is left out: then fn
 *          is called with NULL in its place. No more memory than max_bytes is used.
 */
#ifndef VM_LAUNCHER_LINE_READER_H
#define VM_LAUNCHER_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

struct line_reader {
	char *buf;
	size_t len, cap, max_bytes;
	bool skip_long;
	bool skipping; /* until the end of a line that is too long */
};

/* One line without its end, NUL-terminated (NULs inside are possible). Non-zero ends the feeding.
 */
typedef int (*line_fn)(void *arg, char *line, size_t len);

/* Sets skip_long false; no memory is taken before the first bytes come. */
void line_reader_init(struct line_reader *r, size_t max_bytes);
void line_reader_free(struct line_reader *r);

/* 0, -EMSGSIZE, -ENOMEM, or what fn returned. */
int line_reader_feed(struct line_reader *r, const char *data, size_t len, line_fn fn, void *arg);

#endif
