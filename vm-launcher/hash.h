/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A 64-bit hash for names of files and MAC addresses: FNV-1a with a final mix. Not for anything
 * that somebody could profit from guessing.
 */
#ifndef VM_LAUNCHER_HASH_H
#define VM_LAUNCHER_HASH_H

#include <stdint.h>

struct hash {
	uint64_t state;
};

#define HASH_INIT                                                                                  \
	{                                                                                          \
		0xcbf29ce484222325                                                                 \
	}

static inline void hash_byte(struct hash *h, uint8_t b)
{
	h->state = (h->state ^ b) * 0x100000001b3;
}

/* The NUL is hashed too, so that "a","bc" and "ab","c" differ. */
static inline void hash_text(struct hash *h, const char *text)
{
	do
		hash_byte(h, (uint8_t)*text);
	while (*text++);
}

static inline void hash_u64(struct hash *h, uint64_t v)
{
	for (int i = 0; i < 64; i += 8)
		hash_byte(h, (uint8_t)(v >> i));
}

/* FNV's high bits change little with the last byte; this spreads them. */
static inline uint64_t hash_end(const struct hash *h)
{
	uint64_t x = h->state;

	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccd;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53;
	return x ^ (x >> 33);
}

#endif
