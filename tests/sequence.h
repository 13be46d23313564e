/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbered frames of one sender, as their receiver sees them: which are new, came twice, late or not at all.
 *
 * How      The numbers of the last SEQUENCE_SEEN frames are remembered; there must be fewer under way.
 * Threads  one.
 */
#ifndef TESTS_SEQUENCE_H
#define TESTS_SEQUENCE_H

#include <stdint.h>

#define SEQUENCE_SEEN 8192

struct sequence {
	uint64_t first, next; /* next: after the latest that came */
	uint64_t n_came;      /* without doubles */
	uint8_t seen[SEQUENCE_SEEN];
};

enum sequence_verdict { SEQUENCE_NEW, SEQUENCE_LATE, SEQUENCE_DOUBLE };

enum sequence_verdict sequence_take(struct sequence *s, uint64_t number);

/* Nothing before this number counts as lost. */
void sequence_begin(struct sequence *s, uint64_t number);

/* That have not come though later ones have. */
uint64_t sequence_lost(const struct sequence *s);

#endif
