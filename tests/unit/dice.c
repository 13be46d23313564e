/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/dice.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t dice_state;

void dice_seed(void)
{
	const char *given = getenv("SEED");

	dice_state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u;
	printf("SEED=%llu\n", (unsigned long long)dice_state);
}

/* splitmix64. */
uint64_t dice(void)
{
	uint64_t x = dice_state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint32_t dice_in(uint32_t lo, uint32_t hi)
{
	return lo + (uint32_t)(dice() % ((uint64_t)hi - lo + 1));
}

int dice_once_in(uint32_t n)
{
	return dice_in(1, n) == 1;
}

void dice_fill(uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)dice();
}
