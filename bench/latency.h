/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long frames take, and how long a burst may be.
 *
 * How      The time of sending is in the frame (TSC, read once a burst), that of arrival is read when
 *          the receiver sees the ring's index move: what the load waits for itself is not in it.
 *          Idle: one frame after a pause in which nothing runs, and in turn with it a bare wake, that
 *          is an eventfd written here and a thread on the switch's CPU that wakes from epoll.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include "bench/end.h"
#include "base/err.h"

struct latency {
	double rate; /* offered, frames a second */
	double p50_us, p99_us, p999_us;
	uint64_t n, refused;
	int64_t lost;
};

/* At the rate for so many seconds. 0, or -ENOMEM. */
int latency_at(struct ends *l, double rate, double seconds, struct latency *out);

/* The longest burst, up to max frames, that comes through without loss three times in three. */
uint64_t burst_longest(struct ends *l, uint64_t max);

struct idle {
	struct latency frame, bare;
	uint64_t n_lost;
};

int idle_measure(struct ends *l, struct idle *out, struct err *err);

#endif
