/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the data path in several versions, of which the loader takes the best that the CPU has.
 *
 * How      HOT_CLONES before a function makes gcc compile it, with what is inlined into it, once
 *          for plain x86-64 and once for AVX2, where the copy of a frame's head takes half the
 *          instructions. Builds with sanitizers, which cannot run the loader's choice, and other
 *          machines have the plain version: the unit tests under ASan are its tests.
 */
#ifndef BASE_HOT_H
#define BASE_HOT_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
	!defined(__SANITIZE_ADDRESS__) && !defined(HOT_PORTABLE)
#define HOT_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define HOT_CLONES
#endif

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
