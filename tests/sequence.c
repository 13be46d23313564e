/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sequence.h"

enum sequence_verdict sequence_take(struct sequence *s, uint64_t number)
{
	enum sequence_verdict verdict = number < s->next ? SEQUENCE_LATE : SEQUENCE_NEW;

	if (number < s->next && (s->next - number > SEQUENCE_SEEN || s->seen[number % SEQUENCE_SEEN]))
		return SEQUENCE_DOUBLE;
	for (; s->next <= number; s->next++)
		s->seen[s->next % SEQUENCE_SEEN] = 0;
	s->seen[number % SEQUENCE_SEEN] = 1;
	s->n_came++;
	return verdict;
}

void sequence_begin(struct sequence *s, uint64_t number)
{
	s->first = s->next = number;
}

uint64_t sequence_lost(const struct sequence *s)
{
	return s->next - s->first - s->n_came;
}
