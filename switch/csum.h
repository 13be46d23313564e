/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum, RFC 1071: the one's complement sum of 16-bit words.
 *
 * What     A running sum over pieces of any length and alignment, alone or while copying.
 * How      Words are added as they lie in memory, which the sum permits in either byte order: what
 *          csum_fold() returns is stored with memcpy(), not swapped. A piece that begins at an odd
 *          byte of the whole is summed as if it began at an even one, and its sum's bytes swapped.
 * Threads  any; a struct csum belongs to its caller.
 * Trust    `from` may change meanwhile (guest memory): then the sum is wrong, and nothing else.
 * Limits   2^32 bytes.
 */
#ifndef SWITCH_CSUM_H
#define SWITCH_CSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hot.h"

/* All zero: the sum of nothing. */
struct csum {
	uint64_t sum;
	bool odd; /* so many bytes so far */
};

/* Adds what lies there. */
void csum_add(struct csum *c, const void *from, size_t n);
HOT_DECLARE(void, csum_add, struct csum *c, const void *from, size_t n);

/* Copies as memcpy() does, and adds what it copied. */
void csum_copy(struct csum *c, void *to, const void *from, size_t n);
HOT_DECLARE(void, csum_copy, struct csum *c, void *to, const void *from, size_t n);

/* The sum's 16 bits in the order of memory, not complemented; 0 only when every byte was 0. */
static inline uint16_t csum_fold(const struct csum *c)
{
	uint64_t sum = c->sum;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32); /* at most 0x1fffe */
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Adds the bytes that `next` summed behind those of c; next began at its own byte 0. */
static inline void csum_join(struct csum *c, const struct csum *next)
{
	uint16_t sum = csum_fold(next);

	c->sum += c->odd ? __builtin_bswap16(sum) : sum;
	c->odd ^= next->odd;
}

#endif
