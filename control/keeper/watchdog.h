/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the packet process moves, from the pulse that it shows (switch/pulse.h).
 *
 * How      Looked at every WATCHDOG_TICK. A worker that is awake and does not go on for WATCHDOG_WORKER
 *          has hung; so has a process that is stopped for as long, and control that is busy
 *          with one thing for WATCHDOG_CONTROL (it may wait for a disk: frames flow meanwhile). Who comes to
 *          look too late was kept from it, as everybody may have been: it begins anew.
 * Threads  the keeper's one.
 */
#ifndef CONTROL_KEEPER_WATCHDOG_H
#define CONTROL_KEEPER_WATCHDOG_H

#include <stdbool.h>
#include <stddef.h>

#include "switch/pulse.h"

#define WATCHDOG_TICK	 (250 * 1000000ull)
#define WATCHDOG_WORKER	 (700 * 1000000ull) /* with a tick: within a second */
#define WATCHDOG_CONTROL (10 * 1000000000ull)
#define WATCHDOG_LATE	 (2 * WATCHDOG_TICK)

struct watchdog {
	uint64_t looked_ns;  /* 0: not yet */
	uint64_t stopped_ns; /* seen stopped first; 0: it is not */
	uint64_t n_looks[PULSE_WORKERS_MAX], since_ns[PULSE_WORKERS_MAX];
};

/* A new process: nothing is known of it. */
void watchdog_begin(struct watchdog *w);

/* True when it has hung, with words for it: "worker 1 stood still for 0.8 s". */
bool watchdog_look(struct watchdog *w, const struct pulse *pulse, bool stopped, uint64_t now_ns, char *text,
		   size_t size);

#endif
