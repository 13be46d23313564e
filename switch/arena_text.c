/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/arena_text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define N_BLOCKS (TEXTS_BYTES / TEXTS_BLOCK)
#define N_WORDS	 (N_BLOCKS / 64)

/* A word: the first block, and from bit 32 on the bytes with the end. */
#define FIRST(where) ((uint32_t)(where))
#define SIZE(where)  ((uint32_t)((where) >> 32))

static uint32_t blocks_for(uint32_t size)
{
	return (size + TEXTS_BLOCK - 1) / TEXTS_BLOCK;
}

int texts_init(struct texts *t, char *base)
{
	t->base = base;
	t->next_at = 0;
	t->taken = calloc(N_WORDS, sizeof(*t->taken));
	return t->taken ? 0 : -ENOMEM;
}

void texts_fini(struct texts *t)
{
	free(t->taken);
	t->taken = NULL;
}

static bool is_taken(const struct texts *t, uint32_t block)
{
	return t->taken[block / 64] >> (block % 64) & 1;
}

static void mark(struct texts *t, uint64_t where, bool taken)
{
	for (uint32_t i = FIRST(where), end = i + blocks_for(SIZE(where)); i < end; i++)
		t->taken[i / 64] = (t->taken[i / 64] & ~(1ull << (i % 64))) | (uint64_t)taken
										      << (i % 64);
}

/* The first of n free blocks in a row at word `from` or later, before word `to`; N_BLOCKS: none. */
static uint32_t search(const struct texts *t, uint32_t n, uint32_t from, uint32_t to)
{
	uint32_t run = 0;

	for (uint32_t block = from * 64; block < to * 64; block++) {
		if (block % 64 == 0 && t->taken[block / 64] == UINT64_MAX) {
			run = 0;
			block += 63;
			continue;
		}
		run = is_taken(t, block) ? 0 : run + 1;
		if (run == n)
			return block + 1 - n;
	}
	return N_BLOCKS;
}

int texts_set(struct texts *t, uint64_t *where, const char *text)
{
	size_t size = strlen(text) + 1;
	uint64_t old = *where, new = 0;

	if (size > TEXTS_BYTES)
		return -ENOSPC;
	if (size > 1) {
		uint32_t n = blocks_for((uint32_t)size), first = search(t, n, t->next_at, N_WORDS);

		if (first == N_BLOCKS)
			first = search(t, n, 0, N_WORDS);
		if (first == N_BLOCKS)
			return -ENOSPC;
		new = (uint64_t)size << 32 | first;
		memcpy(t->base + (size_t)first * TEXTS_BLOCK, text, size);
		mark(t, new, true);
		t->next_at = first / 64;
	}
	/* The compiler must not store the word before the text; a crash cannot. */
	atomic_signal_fence(memory_order_seq_cst);
	*(volatile uint64_t *)where = new;
	atomic_signal_fence(memory_order_seq_cst);
	mark(t, old, false);
	/* What is free at the start is used again before what was never touched. */
	if (old && FIRST(old) / 64 < t->next_at)
		t->next_at = FIRST(old) / 64;
	return 0;
}

bool texts_claim(struct texts *t, uint64_t where)
{
	const char *text;
	uint32_t n;

	if (!where)
		return true;
	if (SIZE(where) < 2 || SIZE(where) > TEXTS_BYTES || FIRST(where) >= N_BLOCKS)
		return false;
	n = blocks_for(SIZE(where));
	if (n > N_BLOCKS - FIRST(where))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (is_taken(t, FIRST(where) + i))
			return false;
	text = t->base + (size_t)FIRST(where) * TEXTS_BLOCK;
	if (strnlen(text, SIZE(where)) != SIZE(where) - 1)
		return false;
	mark(t, where, true);
	return true;
}

const char *texts_get(const struct texts *t, uint64_t where)
{
	return where ? t->base + (size_t)FIRST(where) * TEXTS_BLOCK : "";
}
