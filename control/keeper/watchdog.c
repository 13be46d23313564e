/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/watchdog.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

void watchdog_begin(struct watchdog *w)
{
	memset(w, 0, sizeof(*w));
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

/* All that was noted is as old as now. */
static void begin_anew(struct watchdog *w, const struct pulse *pulse, uint64_t now_ns)
{
	w->stopped_ns = 0;
	for (unsigned i = 0; i < PULSE_WORKERS_MAX; i++) {
		w->n_looks[i] = atomic_load_explicit(&pulse->workers[i].n_looks,
						     memory_order_relaxed);
		w->since_ns[i] = now_ns;
	}
}

static bool worker_hung(struct watchdog *w, unsigned i, const struct pulse_worker *p, uint64_t now_ns)
{
	uint64_t n = atomic_load_explicit(&p->n_looks, memory_order_relaxed);

	if (!atomic_load_explicit(&p->awake, memory_order_relaxed) || n != w->n_looks[i]) {
		w->n_looks[i] = n;
		w->since_ns[i] = now_ns;
	}
	return now_ns - w->since_ns[i] >= WATCHDOG_WORKER;
}

bool watchdog_look(struct watchdog *w, const struct pulse *pulse, bool stopped, uint64_t now_ns, char *text,
		   size_t size)
{
	uint64_t since = atomic_load_explicit(&pulse->control_since_ns, memory_order_relaxed);
	bool late = !w->looked_ns || now_ns - w->looked_ns > WATCHDOG_LATE;

	w->looked_ns = now_ns;
	if (late) {
		begin_anew(w, pulse, now_ns);
		return false;
	}
	if (!stopped)
		w->stopped_ns = 0;
	else if (!w->stopped_ns)
		w->stopped_ns = now_ns;
	if (stopped && now_ns - w->stopped_ns >= WATCHDOG_WORKER - WATCHDOG_TICK) {
		snprintf(text, size, "stopped for %.1f s or more", seconds(now_ns - w->stopped_ns));
		return true;
	}
	for (unsigned i = 0; i < PULSE_WORKERS_MAX; i++)
		if (worker_hung(w, i, &pulse->workers[i], now_ns)) {
			snprintf(text, size, "worker %u stood still for %.1f s", i,
				 seconds(now_ns - w->since_ns[i]));
			return true;
		}
	if (since && now_ns > since && now_ns - since >= WATCHDOG_CONTROL) {
		snprintf(text, size, "control was busy with one thing for %.1f s",
			 seconds(now_ns - since));
		return true;
	}
	return false;
}
