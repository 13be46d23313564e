/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of all ports' counters, which a successor goes on counting from.
 *
 * What     For each port there can be: one block for each worker, one for each helper thread, one with what the
 *          processes before this one counted, and last one that is in no sum (trace).
 * How      A memfd, kept under KEEP_ARENA, index 1. The successor sums what its predecessor's holds for each
 *          port of the arena into a memory of its own, whose number of workers may be another, and has that
 *          kept instead. A crash between two counters of one burst leaves a sum that does not add up (see
 *          switch/counters.h); the successor then corrects rx_frames so that it does.
 * Threads  control only; the blocks as switch/counters.h says.
 * Trust    A predecessor's memory is read, never mapped: it may lie about everything, and gets wrong numbers.
 * Limits   SWITCH_PORTS_MAX ports; what no port uses takes no memory.
 */
#ifndef SWITCH_TALLY_H
#define SWITCH_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "switch/counters.h"

struct switch_;
struct tally;

/* With what a predecessor counted, where the switch has adopted its arena. -errno with a sentence. */
int tally_create(struct switch_ *sw, struct tally **out, struct err *err);
void tally_destroy(struct tally *t); /* accepts NULL; what is kept stays */

/* The blocks of the port with this id, zero but for what an adopted one counted before. */
struct port_counters *tally_blocks(struct tally *t, uint16_t id, bool adopted);

/* How many of them are summed; the next one is trace's. */
unsigned tally_n_summed(const struct switch_ *sw);

#endif
