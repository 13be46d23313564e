/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tests/unit/dice.h thrown by the fuzzer: generators of the unit tests make what its bytes say. Behind
 * their end the dice roll by themselves, as some generators throw until they like it.
 */
#include "tests/fuzz/dice_input.h"

#include "tests/unit/dice.h"

static struct input *from;
uint64_t dice_state;

void dice_from(struct input *in)
{
	from = in;
	dice_state = 0;
}

static uint64_t taken(unsigned bytes)
{
	uint64_t v = 0;

	if (from && from->left) {
		in_bytes(from, &v, bytes);
		return v;
	}
	dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
	return dice_state >> 20;
}

uint64_t dice(void)
{
	return taken(2) * 0x9e3779b97f4a7c15ull;
}

uint32_t dice_in(uint32_t lo, uint32_t hi)
{
	uint64_t n = (uint64_t)hi - lo + 1;

	return lo + (uint32_t)(taken(n <= 256 ? 1 : 2) % n);
}

int dice_once_in(uint32_t n)
{
	return dice_in(1, n) == 1;
}

/* Content: two bytes of the input say which. */
void dice_fill(uint8_t *to, size_t n)
{
	uint64_t x = taken(2) + 1;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		to[i] = (uint8_t)x;
	}
}
