/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Did you mean: the known word nearest to one that is not known.
 *
 * Threads  any.
 */
#ifndef CONTROL_RPC_SUGGEST_H
#define CONTROL_RPC_SUGGEST_H

#include <stddef.h>

/* One nearest-word search; zero is its start. */
struct suggest {
	const char *best; /* NULL while nothing is near */
	unsigned distance;
};

/* Offers one known word; keeps it when it is nearer than what it has. */
void suggest_offer(struct suggest *s, const char *unknown, const char *known);

/* The nearest of n known words, or NULL when none is near enough to be a slip. */
const char *suggest_word(const char *unknown, const char *const *known, size_t n);

#endif
