/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/suggest.h"

#include <string.h>

#define WORD_MAX 40 /* longer words are compared by their beginning */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits from a to b: inserted, lost, wrong and swapped letters (Damerau, restricted). */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];
	size_t n_a = strnlen(a, WORD_MAX), n_b = strnlen(b, WORD_MAX);

	for (size_t j = 0; j <= n_b; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= n_a; i++) {
		unsigned *spare = before;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned wrong = last[j - 1] + (a[i - 1] != b[j - 1]);

			now[j] = min3(last[j] + 1, now[j - 1] + 1, wrong);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[n_b];
}

void suggest_offer(struct suggest *s, const char *unknown, const char *known)
{
	size_t len = strnlen(unknown, WORD_MAX);
	/* A slip changes about one letter in three; more is another word. */
	unsigned limit = len < 3 ? 1 : (unsigned)(len + 2) / 3, d = distance(unknown, known);

	/* What was typed may also be the beginning of the word. */
	if (len >= 2 && !strncmp(unknown, known, len))
		d = 1;
	if (!d || d > limit || (s->best && d >= s->distance))
		return;
	s->best = known;
	s->distance = d;
}

const char *suggest_word(const char *unknown, const char *const *known, size_t n)
{
	struct suggest s = {NULL, 0};

	for (size_t i = 0; i < n; i++)
		suggest_offer(&s, unknown, known[i]);
	return s.best;
}
