/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Large tables that are looked at everywhere: memory in few, large pages.
 *
 * How      Address space that is zero and costs nothing until it is touched. With `huge` the kernel is
 *          asked for 2 MiB pages: with small ones each random look waits for the TLB too.
 * Threads  any.
 */
#ifndef SWITCH_PAGES_H
#define SWITCH_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#define PAGES_HUGE (2u << 20) /* bytes */

/* NULL: no memory. */
void *pages_alloc(size_t size, bool huge);
/* The same of a file in memory, from its start, for as long as anybody has it open or mapped. */
void *pages_map(int fd, size_t size, bool huge);
void pages_free(void *p, size_t size); /* accepts NULL */

#endif
