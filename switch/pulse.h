/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pulse: what the process that forwards shows to whoever watches over it.
 *
 * What     A page that both map. A worker says whether it is awake, and counts on while it is; control
 *          says since when it has been doing what it does. Nobody has to be asked, so that an
 *          idle switch is not woken for being alive.
 * How      Plain stores, and none in the data path: a worker stores when it looks for kicks (every 50 us
 *          while frames flow) and when it sleeps or wakes.
 * Threads  each line has one writer, that worker or control; the watcher only reads. Before it lets a
 *          process in, nobody writes, and the watcher clears all.
 * Trust    What stands here may be anything: the watcher believes it and at worst restarts a process
 *          that is well, or leaves one that is not.
 */
#ifndef SWITCH_PULSE_H
#define SWITCH_PULSE_H

#include <stdalign.h>
#include <stdint.h>

#define PULSE_WORKERS_MAX 64

struct pulse_worker {
	alignas(64) _Atomic uint64_t n_looks; /* goes on while it is awake */
	_Atomic uint32_t awake;
};

struct pulse {
	alignas(64) _Atomic uint64_t control_since_ns; /* CLOCK_MONOTONIC; 0: it waits for work */
	struct pulse_worker workers[PULSE_WORKERS_MAX];
};

#endif
