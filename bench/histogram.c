/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/histogram.h"

/* The largest value of a bucket: those of shift 0 are exact, both its halves. */
static uint64_t bucket_end(unsigned i)
{
	unsigned shift = i >> HISTOGRAM_BITS;

	shift -= shift > 0;
	return ((uint64_t)(i - (shift << HISTOGRAM_BITS)) << shift) + (1ull << shift) - 1;
}

uint64_t histogram_at(const struct histogram *h, double share)
{
	uint64_t want = (uint64_t)(share * (double)h->n), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->counts[i];
		if (seen > want || (seen && seen == h->n))
			return bucket_end(i);
	}
	return 0;
}
