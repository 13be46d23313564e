/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: the Internet checksum; see switch/csum.h.
 */
#include "switch/csum.h"

#include <string.h>

#include "base/hot.h"

/* One register, from any address. */
#ifdef __AVX2__
#define CHUNK 32
#else
#define CHUNK 16
#endif
typedef uint64_t chunk __attribute__((vector_size(CHUNK), aligned(1), may_alias));

/*
 * Sums n bytes, which are also copied when `to` is there. 64-bit sums of 32-bit words cannot
 * overflow below 2^34 bytes, so no carry has to be looked at on the way.
 */
hot_inline uint64_t pass(uint8_t *to, const uint8_t *from, size_t n)
{
	uint64_t sum = 0, word = 0;
	size_t at = 0;

	if (n >= sizeof(chunk)) {
		chunk low = {0}, high = {0};

		for (; n - at >= sizeof(chunk); at += sizeof(chunk)) {
			chunk c = *(const chunk *)(from + at);

			if (to)
				*(chunk *)(to + at) = c;
			low += c & 0xffffffff;
			high += c >> 32;
		}
		low += high;
		for (unsigned i = 0; i < CHUNK / sizeof(sum); i++)
			sum += low[i];
	}
	for (; n - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, from + at, sizeof(word));
		if (to)
			memcpy(to + at, &word, sizeof(word));
		sum += (word & 0xffffffff) + (word >> 32);
	}
	/* Up to 7 bytes and zeros behind them: half a word at the end counts as its first byte. */
	word = 0;
	memcpy(&word, from + at, n - at);
	if (to)
		memcpy(to + at, &word, n - at);
	return sum + (word & 0xffffffff) + (word >> 32);
}

static inline void piece_add(struct csum *c, uint64_t sum, size_t n)
{
	const struct csum piece = {.sum = sum, .odd = n & 1};

	csum_join(c, &piece);
}

void HOT_NAME(csum_add)(struct csum *c, const void *from, size_t n)
{
	piece_add(c, pass(NULL, from, n), n);
}

void HOT_NAME(csum_copy)(struct csum *c, void *to, const void *from, size_t n)
{
	piece_add(c, pass(to, from, n), n);
}
