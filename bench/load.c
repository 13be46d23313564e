/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Load for a switch between vhost-user ports, from one core.
 *
 * What     Opens the ports as a guest's driver would, lets the switch learn their addresses, sends as
 *          fast as the switch takes frames (or at a rate), checks what arrives and prints one JSON
 *          line: bench/options.c has what can be asked for, docs/performance.md what is printed.
 * How      bench/end.c moves frames, bench/traffic.c decides who sends when, bench/latency.c and
 *          bench/idle.c measure times.
 * Limits   split rings; one thread, which must be the faster side to measure a switch: load_bound
 *          says when it was not.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "bench/latency.h"
#include "bench/traffic.h"

#define WARM_UP_S  0.2
#define LONGEST_BURST  65536
#define LOAD_BOUND 0.05 /* share of tries that found the ring full below which the load was slower */

static const double shares[] = {0.1, 0.5, 0.9};

struct result {
	struct learning learning;
	struct sums sums;	/* of the measured time, with what was in flight at its end */
	uint64_t n_frames, n_bytes; /* received while the clock ran */
	double attach_s, seconds;
	uint64_t refused;
	struct latency paced, at[3];
	uint64_t burst;
	struct idle idle;
};

static double tsc_hz_measure(void)
{
	uint64_t start_ns = loop_now_ns(), start = tsc(), ns;

	while ((ns = loop_now_ns() - start_ns) < 50 * MS_NS)
		;
	return (double)(tsc() - start) * 1e9 / (double)ns;
}

/* The other side reads counters between the two. */
static void step(const struct options *o, const char *say)
{
	char line[16];

	if (!o->step)
		return;
	printf("%s", say);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return;
}

static int measure(struct ends *l, struct result *r, struct err *err)
{
	const struct options *o = l->o;
	struct sums before, end, after;
	int rc = 0;

	traffic_learn(l, &r->learning);
	if (!o->idle_gap_ms) {
		if (o->rate)
			traffic_run_paced(l, o->rate, WARM_UP_S, &r->refused);
		else
			traffic_run(l, WARM_UP_S);
	}
	traffic_drain(l);
	step(o, "ready\n");
	if (o->idle_gap_ms)
		return idle_measure(l, &r->idle, err);
	r->refused = 0;
	traffic_sums(l, &before);
	r->seconds = o->rate ? traffic_run_paced(l, o->rate, o->seconds, &r->refused) :
			       traffic_run(l, o->seconds);
	traffic_sums(l, &end);
	traffic_drain(l);
	traffic_sums(l, &after);
	r->sums = sums_since(&after, &before);
	end = sums_since(&end, &before);
	r->n_frames = end.received;
	r->n_bytes = end.bytes;
	if (o->rate)
		rc = latency_at(l, o->rate, o->seconds, &r->paced);
	for (unsigned i = 0; rc == 0 && o->latency && i < 3; i++)
		rc = latency_at(l, shares[i] * (double)r->n_frames / r->seconds / (double)l->copies,
				o->seconds, &r->at[i]);
	if (o->bursts)
		r->burst = burst_longest(l, LONGEST_BURST);
	return rc < 0 ? err_set(err, rc, "no memory for a histogram") : 0;
}

/* ---- the JSON line ---- */

static void latency_print(const struct latency *t)
{
	printf("{\"rate\": %.0f, \"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, \"samples\": "
	       "%llu, \"refused\": %llu, \"lost\": %lld}",
	       t->rate, t->p50_us, t->p99_us, t->p999_us, (unsigned long long)t->n,
	       (unsigned long long)t->refused, (long long)t->lost);
}

static void learning_print(const struct learning *t)
{
	printf("\"learning\": {\"addresses\": %llu, \"seconds\": %.6f, \"per_s\": %.0f, \"flooded\": ",
	       (unsigned long long)t->n_addresses, t->seconds,
	       (double)t->n_addresses / t->seconds);
	if (t->can_tell)
		printf("%llu}", (unsigned long long)t->n_flooded);
	else
		printf("null}");
}

static void checks_print(const struct ends *l, const struct sums *s)
{
	printf(", \"lost\": %lld", (long long)sums_lost(l, s));
	if (l->o->touch == TOUCH_NONE)
		printf(", \"duplicates\": null, \"reordered\": null, \"stray\": null");
	else
		printf(", \"duplicates\": %llu, \"reordered\": %llu, \"stray\": %llu",
		       (unsigned long long)s->duplicates, (unsigned long long)s->late,
		       (unsigned long long)s->stray);
	if (l->o->stall >= 0)
		printf(", \"to_stalled\": %llu", (unsigned long long)s->to_stalled);
	if (l->o->send != KIND_OFF)
		printf(", \"gso_received\": %llu, \"tso\": %s", (unsigned long long)s->gso,
		       l->all[0].fe->features & NET_F_HOST_TSO4 ? "true" : "false");
}

static void rates_print(const struct ends *l, const struct result *r)
{
	double full = r->sums.tries ? (double)r->sums.full / (double)r->sums.tries : 0;

	printf(", \"mframes_s\": %.3f, \"gbit_s\": %.3f, \"seconds\": %.3f, \"sent\": %llu",
	       (double)r->n_frames / r->seconds / 1e6, (double)r->n_bytes * 8 / r->seconds / 1e9,
	       r->seconds, (unsigned long long)r->sums.sent);
	printf(", \"ring_full_share\": %.3f, \"load_bound\": %s", full,
	       !l->o->rate && full < LOAD_BOUND ? "true" : "false");
	checks_print(l, &r->sums);
	if (l->o->rate) {
		printf(", \"refused\": %llu, \"paced\": ", (unsigned long long)r->refused);
		latency_print(&r->paced);
	}
	for (unsigned i = 0; l->o->latency && i < 3; i++) {
		printf("%s\"%.0f\": ", i ? ", " : ", \"latency\": {", 100 * shares[i]);
		latency_print(&r->at[i]);
		printf("%s", i == 2 ? "}" : "");
	}
	if (l->o->bursts)
		printf(", \"burst\": %llu, \"burst_max\": %d", (unsigned long long)r->burst, LONGEST_BURST);
}

static void result_print(const struct ends *l, const struct result *r)
{
	printf("{\"attach_s\": %.3f, \"tsc_hz\": %.0f, ", r->attach_s, l->tsc_hz);
	learning_print(&r->learning);
	if (l->o->idle_gap_ms) {
		printf(", \"lost\": %llu, \"first_frame\": ", (unsigned long long)r->idle.n_lost);
		latency_print(&r->idle.frame);
		printf(", \"bare_wake\": ");
		latency_print(&r->idle.bare);
	} else {
		rates_print(l, r);
	}
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct err err = ERR_NONE;
	struct result r = {0};
	struct options o;
	struct ends l;
	cpu_set_t set;
	uint64_t start_ns;
	int rc = options_parse(&o, argc, argv);

	if (rc >= 0)
		return rc;
	CPU_ZERO(&set);
	if (o.cpu >= 0) {
		CPU_SET((size_t)o.cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	start_ns = loop_now_ns();
	rc = ends_open(&l, &o, &err);
	r.attach_s = (double)(loop_now_ns() - start_ns) / 1e9;
	l.tsc_hz = tsc_hz_measure();
	if (rc == 0)
		rc = measure(&l, &r, &err);
	if (rc == 0) {
		result_print(&l, &r);
		step(&o, "");
	} else {
		fprintf(stderr, "load: %s\n", err.text);
	}
	ends_close(&l);
	return rc < 0;
}
