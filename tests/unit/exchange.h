/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of every length between two front ends of ours, each byte compared.
 *
 * Threads  the test's.
 */
#ifndef TESTS_UNIT_EXCHANGE_H
#define TESTS_UNIT_EXCHANGE_H

#include "tests/front_end.h"

/* len bytes from 02::src to 02::dst, of a type that nobody knows; what follows depends on the seed. */
void frame_fill(uint8_t *f, uint8_t dst, uint8_t src, uint32_t len, unsigned seed);

/* Sends frames of 14 to len_max bytes on the first pair of queues, and asserts that each comes as it was sent. */
void exchange(struct fe *a, struct fe *b, uint32_t len_max);

#endif
