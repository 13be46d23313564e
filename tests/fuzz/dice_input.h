/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TESTS_FUZZ_DICE_INPUT_H
#define TESTS_FUZZ_DICE_INPUT_H

#include "tests/fuzz/input.h"

/* From now on the dice of tests/unit/dice.h show what is in these bytes. */
void dice_from(struct input *in);

#endif
