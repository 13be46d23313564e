/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory with a descriptor, to be shared with another process or left to a successor.
 *
 * Threads  any.
 * Trust    Whoever has the descriptor may write. Nobody may cut it: who maps it would die of that.
 */
#ifndef BASE_MEMFD_H
#define BASE_MEMFD_H

#include <stdint.h>

/* Zeroed, size bytes, which stay so many (F_SEAL_SHRINK, F_SEAL_GROW); the descriptor is closed by exec.
 * Or -errno. */
int memfd_sized(const char *name, uint64_t size);

#endif
