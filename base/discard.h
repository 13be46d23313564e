/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bin for descriptors and memory that came over a socket: to close or unmap them may take long, by the doing of
 * whoever sent them.
 *
 * What     close(2) of somebody else's descriptor takes as long as they like: a TCP socket that lingers, a
 *          file whose FUSE daemon does not answer. The last munmap(2) of a guest's memory frees all of
 *          its pages, seconds for a large one. A thread does it instead.
 * How      One bin for each owner, and at most one thread a bin: who makes it wait makes only itself wait.
 *          The thread lives while there is something in the bin. Where none can be made, the caller does
 *          the work.
 * Threads  one caller a bin.
 * Limits   what is in a bin stays open: its owner looks at discard_pending() before it takes more.
 */
#ifndef BASE_DISCARD_H
#define BASE_DISCARD_H

#include <stddef.h>

struct discard;

/* NULL for want of memory; all functions take that too, and do the work at once. */
struct discard *discard_create(void);

/* What is in the bin is still let go of. */
void discard_destroy(struct discard *d);

/* Closes fd, soon. */
void discard_fd(struct discard *d, int fd);

/* A connected Unix socket: hung up at once, closed by the thread if something in it was not read, which
 * may have descriptors with it. */
void discard_socket(struct discard *d, int fd);

/* Unmaps memory, soon: until then it counts in the process's address space. */
void discard_map(struct discard *d, void *at, size_t size);

/* How many are not yet gone. */
unsigned discard_pending(struct discard *d);

#endif
