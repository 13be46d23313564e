/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A digest of frames in the order in which they came, which two receivers compare: FNV-1a, 64 bits.
 */
#ifndef TESTS_DIGEST_H
#define TESTS_DIGEST_H

#include <stdint.h>

struct digest {
	uint64_t value, n_frames;
};

static inline void digest_byte(struct digest *d, uint8_t byte)
{
	d->value = (d->value ^ byte) * 0x100000001b3ull;
}

static inline void digest_frame(struct digest *d, const uint8_t *frame, uint32_t len)
{
	if (!d->n_frames++)
		d->value = 0xcbf29ce484222325ull;
	for (unsigned i = 0; i < 4; i++)
		digest_byte(d, (uint8_t)(len >> 8 * i));
	for (uint32_t i = 0; i < len; i++)
		digest_byte(d, frame[i]);
}

/* The source address of what is digested, and the type of the frame that ends it. */
#define DIGEST_SOURCE "\x02\x6d\x61\x74\x72\x78"
#define DIGEST_END    "\x88\xb5"

#endif
