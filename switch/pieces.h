/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking lists of pieces of memory (struct seg), to copy a frame from its sender's to its
 * receiver's.
 *
 * Threads  any; a cursor is its caller's.
 * Trust    The pieces may be a guest's memory: bytes are copied, never looked at. That a list has
 *          as many bytes as are asked for is the caller's to know.
 */
#ifndef SWITCH_PIECES_H
#define SWITCH_PIECES_H

#include <stdint.h>
#include <string.h>

#include "switch/csum.h"
#include "switch/frame.h"

/* A place in a list of pieces. */
struct cursor {
	const struct seg *seg;
	uint32_t at; /* bytes into it */
};

/* Where to go on, and how many bytes are there in one piece, up to n; n is within the list. */
static inline uint32_t cursor_next(struct cursor *c, uint32_t n, uint8_t **va)
{
	uint32_t here;

	while (c->at == c->seg->len)
		*c = (struct cursor){.seg = c->seg + 1};
	here = c->seg->len - c->at < n ? c->seg->len - c->at : n;
	*va = c->seg->va + c->at;
	c->at += here;
	return here;
}

static inline void cursor_skip(struct cursor *c, uint32_t n)
{
	uint8_t *va;

	while (n)
		n -= cursor_next(c, n, &va);
}

static inline void cursor_put(struct cursor *to, const uint8_t *from, uint32_t n)
{
	uint8_t *va;

	for (uint32_t here; n; n -= here, from += here) {
		here = cursor_next(to, n, &va);
		memcpy(va, from, here);
	}
}

/* Copies n bytes from one list to the other, and sums them when sum is there. */
static inline void cursor_copy(struct cursor *to, struct cursor *from, uint32_t n, struct csum *sum)
{
	uint8_t *to_va, *from_va;

	while (n) {
		uint32_t left = cursor_next(from, n, &from_va);

		n -= left;
		for (uint32_t here; left; left -= here, from_va += here) {
			here = cursor_next(to, left, &to_va);
			if (sum)
				csum_copy(sum, to_va, from_va, here);
			else
				memcpy(to_va, from_va, here);
		}
	}
}

/* Copies n bytes, those of head first while there are any, and sums them when sum is there. */
static inline void payload_copy(struct cursor *to, struct seg *head, struct cursor *from,
				uint32_t n, struct csum *sum)
{
	struct cursor first = {.seg = head};
	uint32_t here = head->len < n ? head->len : n;

	cursor_copy(to, &first, here, sum);
	head->va += here;
	head->len -= here;
	cursor_copy(to, from, n - here, sum);
}

#endif
