/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that rewrites what is being read: bits of its memory flip while its frames are taken.
 *
 * Threads  flipper_start() makes the one that flips; all else is the test's.
 */
#ifndef TESTS_FLIPPER_H
#define TESTS_FLIPPER_H

#include <pthread.h>
#include <stdatomic.h>

#include "tests/front_end.h"

struct flipper {
	struct fe *fe;
	/* The place of the next flip, by a random number. What makes the switch stop the ring is to be hit now and
	 * then only, or nothing else would ever be tried. */
	uint8_t *(*place)(const struct flipper *x, uint64_t r);
	unsigned where;	    /* place's own */
	uint64_t r;	    /* the seed, not 0; then the last random number */
	_Atomic uint64_t n; /* bits that were flipped */
	atomic_bool stop;
	pthread_t thread;
};

void flipper_start(struct flipper *x);
void flipper_stop(struct flipper *x);

/* Whether a ring was stopped since somebody asked. */
bool flipper_errored(struct fe *fe);

/* Gives all receive buffers back, and publishes n more chains of the transmit ring when it has room. False when the
 * port is errored, or nothing moves any more: the flipper may have hit the index that tells of room. */
bool flipper_burst(struct fe *fe, unsigned n);

#endif
