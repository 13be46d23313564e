/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Phases of a measurement: learning, as fast as frames go, paced, and at rest.
 *
 * How      One thread: a round takes what every port has received and sends a burst from each queue
 *          that has flows. Ports that only listen are looked at in every 64th round.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include "bench/end.h"

struct learning {
	uint64_t n_addresses, n_flooded;
	double seconds;	 /* until the switch had taken the last of their frames */
	bool can_tell;	 /* n_flooded: a port listens only, and sees what is flooded */
};

struct sums {
	uint64_t sent, received, bytes_sent, bytes, tries, full;
	uint64_t to_stalled, stalled; /* sent to the port that takes nothing; received there */
	uint64_t gaps, late, duplicates, stray, gso;
};

void traffic_learn(struct ends *l, struct learning *result);

/* As fast as frames go; the seconds that it took. */
double traffic_run(struct ends *l, double seconds);

/* At so many frames a second; refused: frames that a full ring did not take. */
double traffic_run_paced(struct ends *l, double rate, double seconds, uint64_t *refused);

/* Receives until nothing has come for 100 ms. */
void traffic_drain(struct ends *l);

void traffic_sums(const struct ends *l, struct sums *sums);
/* Later sums minus earlier ones. */
struct sums sums_since(const struct sums *now, const struct sums *before);

/* Frames of `s` that should have come and did not. */
int64_t sums_lost(const struct ends *l, const struct sums *s);

/* Calls receive once for every port. */
unsigned traffic_receive(struct ends *l, bool listeners);

#endif
