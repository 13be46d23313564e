/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A histogram of times in TSC cycles with buckets that grow with the value.
 *
 * How      64 buckets an octave: a percentile is at most 1.6 % too high. Adding costs a few cycles.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS	  6
#define HISTOGRAM_BUCKETS ((65 - HISTOGRAM_BITS) << HISTOGRAM_BITS)

struct histogram {
	uint64_t n;
	uint32_t counts[HISTOGRAM_BUCKETS];
};

static inline void histogram_add(struct histogram *h, uint64_t value)
{
	unsigned log = 63 - (unsigned)__builtin_clzll(value | 1 << HISTOGRAM_BITS),
		 shift = log - HISTOGRAM_BITS;

	h->counts[((uint64_t)shift << HISTOGRAM_BITS) + (value >> shift)]++;
	h->n++;
}

/* The value that a share of all (0 to 1) does not exceed; 0 when there is none. */
uint64_t histogram_at(const struct histogram *h, double share);

#endif
