/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pulse: what the process that forwards shows to whoever watches over it.
 *
 * What     A page that both map. A worker says whether it is awake, and counts on while it is; control
 *          says since when it has been doing what it does. Nobody has to be asked, so that an
 *          idle switch is not woken for being alive.
 * How      Plain stores, and none in the data path: a worker stores when it looks for kicks (every 50 us
 *          while frames flow) and when it sleeps or wakes.
 *          Each of these threads also holds a robust lock for its life: the kernel gives it free in the moment
 *          in which the thread can run no more, tens of milliseconds before a process with memory
 *          of guests and asynchronous I/O is gone altogether.
 * Threads  each line has one writer, that worker or control; the watcher only reads. Before it lets a
 *          process in, nobody writes, and the watcher clears all.
 * Trust    What stands here may be anything: the watcher believes it and at worst restarts a process
 *          that is well, or leaves one that is not.
 */
#ifndef SWITCH_PULSE_H
#define SWITCH_PULSE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define PULSE_WORKERS_MAX 64

struct pulse_life {
	alignas(64) pthread_mutex_t held;
	_Atomic uint32_t begun; /* somebody has taken it */
};

struct pulse_worker {
	alignas(64) _Atomic uint64_t n_looks; /* goes on while it is awake */
	_Atomic uint32_t awake;
	struct pulse_life life;
};

struct pulse {
	alignas(64) _Atomic uint64_t control_since_ns; /* CLOCK_MONOTONIC; 0: it waits for work */
	_Atomic uint32_t crashed; /* a thread has got a fatal signal; whoever waits for control's lock is woken */
	struct pulse_life control;
	_Atomic uint32_t n_workers; /* there will be; 0: control has not come to that */
	struct pulse_worker workers[PULSE_WORKERS_MAX];
};

/* The watcher: before anybody else sees it. */
static inline void pulse_init(struct pulse *p)
{
	pthread_mutexattr_t attr;

	memset(p, 0, sizeof(*p));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&p->control.held, &attr);
	for (unsigned i = 0; i < PULSE_WORKERS_MAX; i++)
		pthread_mutex_init(&p->workers[i].life.held, &attr);
	pthread_mutexattr_destroy(&attr);
}

/* The thread itself, when it begins and when it leaves of its own accord. */
static inline void pulse_live(struct pulse_life *l)
{
	if (pthread_mutex_trylock(&l->held) == 0)
		atomic_store(&l->begun, 1);
}

static inline void pulse_leave(struct pulse_life *l)
{
	if (atomic_exchange(&l->begun, 0))
		pthread_mutex_unlock(&l->held);
}

#endif
