/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random numbers for tests that can be had again: the seed is printed, and SEED=… sets it.
 */
#ifndef TESTS_UNIT_DICE_H
#define TESTS_UNIT_DICE_H

#include <stddef.h>
#include <stdint.h>

extern uint64_t dice_state; /* to go back to, or to throw the same again */

void dice_seed(void);
uint64_t dice(void);

/* lo to hi, both included. */
uint32_t dice_in(uint32_t lo, uint32_t hi);

/* True once in n. */
int dice_once_in(uint32_t n);

void dice_fill(uint8_t *to, size_t n);

#endif
