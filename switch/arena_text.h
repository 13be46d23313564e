/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Texts in memory that outlives its process.
 *
 * What     A heap of blocks in which texts lie, each named by one word: where it begins and how long it is.
 * How      A text is written to free blocks, then the word that names it is stored at once: whoever looks
 *          after a crash finds the old text or the new one. Which blocks are free is known to the process
 *          alone, which learns it from the words that are stored.
 * Threads  control only.
 * Trust    texts_claim(): a word may name anything.
 * Limits   TEXTS_BYTES in all, of which only what is written takes memory.
 */
#ifndef SWITCH_ARENA_TEXT_H
#define SWITCH_ARENA_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define TEXTS_BLOCK 256u
#define TEXTS_BYTES (256u << 20) /* every port may have the longest settings */

struct texts {
	char *base;	  /* TEXTS_BYTES of zero, or what a predecessor left */
	uint64_t *taken;  /* a bit a block */
	uint32_t next_at; /* word of taken where the next search begins */
};

int texts_init(struct texts *t, char *base); /* all blocks are free; -ENOMEM */
void texts_fini(struct texts *t);	     /* accepts one that was zeroed */

/* A copy of text, which *where names from now on; what it named before is free. -ENOSPC, and nothing has
 * changed. An empty text is where 0. */
int texts_set(struct texts *t, uint64_t *where, const char *text);

/* Takes the blocks of a text that a predecessor left. False when the word names no text, or another's. */
bool texts_claim(struct texts *t, uint64_t where);

const char *texts_get(const struct texts *t, uint64_t where); /* "" for 0 */

#endif
