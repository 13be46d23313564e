/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/latency.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/traffic.h"

#define SAMPLES_S 4e6 /* at most so many a second; their cost must not be the limit */
#define LOST_S	  0.02 /* a burst's frame that has not come by then will not */
#define TRIALS	  3

int latency_at(struct ends *l, double rate, double seconds, struct latency *out)
{
	struct sums before, after, d;
	uint64_t refused = 0;
	double us = 1e6 / l->tsc_hz;

	l->latency = calloc(1, sizeof(*l->latency));
	if (!l->latency)
		return -ENOMEM;
	for (l->sample_mask = 0; rate > SAMPLES_S * (l->sample_mask + 1);)
		l->sample_mask = l->sample_mask << 1 | 1;
	traffic_sums(l, &before);
	traffic_run_paced(l, rate, seconds, &refused);
	traffic_drain(l);
	traffic_sums(l, &after);
	d = sums_since(&after, &before);
	*out = (struct latency){
		.rate = rate,
		.p50_us = (double)histogram_at(l->latency, 0.5) * us,
		.p99_us = (double)histogram_at(l->latency, 0.99) * us,
		.p999_us = (double)histogram_at(l->latency, 0.999) * us,
		.n = l->latency->n,
		.refused = refused,
		.lost = sums_lost(l, &d),
	};
	free(l->latency);
	l->latency = NULL;
	return 0;
}

/* One burst from the first port as fast as its ring takes it; true when all of it came. */
static bool burst_arrives(struct ends *l, uint64_t n)
{
	struct sender *s = &l->all[0].senders[0];
	uint64_t got = 0, wait = (uint64_t)(LOST_S * l->tsc_hz), quiet = tsc() + wait;
	unsigned now;

	for (uint64_t left = n; left || (got < n * l->copies && tsc() < quiet);) {
		if (left)
			left -= end_send(l, s, left < BURST ? (unsigned)left : BURST, l->o->touch);
		now = traffic_receive(l, true);
		got += now;
		if (now || left)
			quiet = tsc() + wait;
	}
	return got == n * l->copies;
}

uint64_t burst_longest(struct ends *l, uint64_t max)
{
	uint64_t good = 0, bad = max + 1, n = l->o->ring;

	if (!l->all[0].senders[0].n_flows)
		return 0;
	while (bad - good > 1 + good / 16) {
		unsigned ok = 0;

		traffic_drain(l);
		while (ok < TRIALS && burst_arrives(l, n))
			ok++;
		if (ok == TRIALS)
			good = n;
		else
			bad = n;
		if (good >= max)
			break;
		n = bad > max ? (good * 2 < max ? good * 2 : max) : (good + bad) / 2;
	}
	return good;
}
