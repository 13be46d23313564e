/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker from inside: what control's side of it (switch/worker.c) and its loop (switch/worker_run.c) share.
 *
 * Threads  written by the worker once worker_run() has begun; control reads what is marked so.
 */
#ifndef SWITCH_WORKER_INTERNAL_H
#define SWITCH_WORKER_INTERNAL_H

#include "switch/active.h"
#include "switch/arena.h"
#include "switch/forward.h"
#include "switch/hold.h"
#include "switch/port.h"
#include "switch/pulse.h"
#include "switch/share.h"
#include "switch/worker.h"

/* The longest that a worker polls on without frames before it sleeps; see switch/worker_run.c. */
#define WORKER_SPIN_MAX_US 50

/* The data of an epoll event: which ring's kick descriptor it is about, or that it is about wake_fd. */
#define WORKER_KICK(id, q) ((uint64_t)(id) * PORT_QUEUES_MAX + (q))
#define WORKER_WAKE	   UINT64_MAX

/* A burst, and what of it is tried again at the end of the round. */
struct worker_slot {
	struct burst burst;
	struct hold hold;
	const struct view_source *source;
};

struct worker {
	struct forward fw;
	struct hold_room rooms[SWITCH_PORTS_MAX];
	struct worker_slot slots[HOLDS_MAX + 1]; /* those held, then the one that is worked on */
	unsigned n_held;
	struct switch_ *sw;
	unsigned id; /* from 0; also its number for QSBR and of its block of counters */
	struct active active;
	struct shares shares;
	int epfd, wake_fd;
	int cpu; /* -1: may run on several */
	struct arena_note *note, unnoted; /* the arena's, or nobody's */
	struct pulse_worker *pulse, unseen; /* the one of switch/pulse.h, or nobody's */
	uint64_t next_second_tsc, next_look_tsc;
	uint64_t us_cycles;   /* of the TSC in a microsecond */
	uint64_t spin_cycles; /* how long it polls on without frames before it sleeps */
	uint64_t frames_told; /* of frames: when control was last asked to sweep */
	/* worker: rw, ctl: ro */
	_Atomic uint64_t busy_cycles, frames, polls, sleeps;
	/* Two moments about a second apart, and busy_cycles at each: for worker_busy_permille(). */
	_Atomic uint64_t older_tsc, older_busy, newer_tsc, newer_busy;
};

/* The slot that the next burst goes into; the last one is not held. */
static inline void worker_slot_use(struct worker *w, unsigned i)
{
	w->n_held = i;
	w->fw.burst = &w->slots[i].burst;
	w->fw.slot = i;
	w->fw.hold = i < HOLDS_MAX ? &w->slots[i].hold : NULL;
}

#endif
