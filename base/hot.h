/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of the data path in several versions, of which the best that the CPU has is used.
 *
 * How      The build compiles each such file once for any x86-64 (or any other machine), once for
 *          x86-64-v3 (AVX2, BMI2) and once for x86-64-v4 (AVX-512), with HOT_VARIANT set to the
 *          version's name. The file calls its public functions HOT_NAME(f); HOT_DECLARE makes the
 *          declarations and HOT_CALL, in a file compiled once, the choice between them.
 * Threads  any; hot_isa_set() before there are others.
 */
#ifndef BASE_HOT_H
#define BASE_HOT_H

#include <stdbool.h>

enum hot_isa { HOT_ISA_UNKNOWN, HOT_ISA_PORTABLE, HOT_ISA_V3, HOT_ISA_V4 };

/* What is used; HOT_ISA_UNKNOWN before it was asked for. */
extern enum hot_isa hot_isa_used;

/* Finds the best that this CPU has, and uses it from now on. */
enum hot_isa hot_isa_find(void);

/* Uses another one, for tests and measurements. False: this CPU or build does not have it. */
bool hot_isa_set(enum hot_isa isa);

const char *hot_isa_name(enum hot_isa isa); /* "portable", "v3", "v4" */

static inline enum hot_isa hot_isa(void)
{
	return __builtin_expect(hot_isa_used != HOT_ISA_UNKNOWN, 1) ? hot_isa_used : hot_isa_find();
}

#define HOT_PASTE_(a, b) a##_##b
#define HOT_PASTE(a, b)	 HOT_PASTE_(a, b)
#define HOT_NAME(f)	 HOT_PASTE(f, HOT_VARIANT)

#ifdef __x86_64__
#define HOT_DECLARE(type, f, ...) \
	type f##_portable(__VA_ARGS__); type f##_v3(__VA_ARGS__); type f##_v4(__VA_ARGS__)
#define HOT_CALL(f, ...)                                       \
	(hot_isa() == HOT_ISA_V3   ? f##_v3(__VA_ARGS__) :      \
	 hot_isa() == HOT_ISA_V4   ? f##_v4(__VA_ARGS__) :      \
				     f##_portable(__VA_ARGS__))
#else
#define HOT_DECLARE(type, f, ...) type f##_portable(__VA_ARGS__)
#define HOT_CALL(f, ...)	  f##_portable(__VA_ARGS__)
#endif

/* Part of the function that uses it, whatever the compiler thinks of its size. */
#define hot_inline static inline __attribute__((always_inline))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* The line at p will be written: other cores give it up now. A CPU that does not know it does nothing. */
static inline void prefetch_write(const void *p)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* In a loop that waits for another core. */
static inline void hot_pause(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

#endif
