/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reader's end of a capture: the workers' records as one sequence by time.
 *
 * How      Each worker's records are in order; the one with the earliest time of all comes next. With
 *          several workers, what is younger than a millisecond waits for what another is writing.
 * Threads  the CLI's only one.
 * Trust    the switch's memory is believed, but not so far that a damaged one crashes us.
 */
#ifndef CONTROL_CLI_CAPTURE_READ_H
#define CONTROL_CLI_CAPTURE_READ_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "switch/capture_ring.h"

struct capture_reader;

struct capture_frame {
	struct capture_record r;
	uint64_t time_ns;     /* since 1970 */
	const uint8_t *bytes; /* r.kept; until the next capture_next() */
};

/* Maps fd, which stays the caller's; started is what capture.start has answered. */
int capture_open(int fd, const json_t *started, struct capture_reader **out, struct err *err);
void capture_close(struct capture_reader *c); /* accepts NULL */

/* True when no port of the capture is left: what capture_look() finds from now on is all there will be. */
bool capture_has_ended(const struct capture_reader *c);

/* Looks what there is by now; with `all`, capture_next() keeps nothing back. */
void capture_look(struct capture_reader *c, bool all);

/* The next frame: 1, 0 when there is none, -EPROTO. */
int capture_next(struct capture_reader *c, struct capture_frame *f, struct err *err);

/* Copies of port's frames that there was no room for. */
uint64_t capture_n_lost(const struct capture_reader *c, unsigned port);

#endif
