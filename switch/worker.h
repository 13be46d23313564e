/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers: the threads that poll ports and forward.
 *
 * What     One lcore each. Polls the active rings of its part of the view (switch/active.h), forwards
 *          each burst to its end, and says to QSBR after every round that it holds nothing.
 * How      Kick descriptors are in an epoll set, edge-triggered, so that nothing has to be read from
 *          them. Adaptive mode: while some rings are busy it asks epoll every LOOK_US
 *          (switch/worker_run.c) which of the quiet ones were kicked, so a frame on a quiet ring waits
 *          for LOOK_US and one round at most. After some idle microseconds it makes all rings quiet,
 *          goes offline for QSBR and sleeps in epoll. How many microseconds follows from how long it
 *          slept before: few where sleeps are long, up to WORKER_SPIN_MAX_US where polling on would
 *          have spared the sleep. Poll mode: all rings are active, always.
 * Threads  worker_run(): the lcore. All others: control, which reads counters that the worker writes.
 */
#ifndef SWITCH_WORKER_H
#define SWITCH_WORKER_H

#include "switch/switch.h"

struct worker;

/* For an lcore of EAL, on which the caller launches worker_run(). */
int worker_create(struct switch_ *sw, unsigned id, unsigned lcore, struct worker **out,
		  struct err *err);
void worker_destroy(struct worker *w); /* accepts NULL; the lcore must have returned */

/* lcore entry: returns when the switch stops. arg is the worker. */
int worker_run(void *arg);

/* Memory for frames that are looked at, once and for all; before a view with watches. -ENOMEM. */
int worker_room_make(struct worker *w);

/* The kick descriptor of queue q of a port. -errno from epoll_ctl(2). */
int worker_watch(struct worker *w, int fd, unsigned port_id, unsigned q);
void worker_unwatch(struct worker *w, int fd);

/* Ends its sleep, if it sleeps: the view or the stop flag has changed. */
void worker_wake(struct worker *w);

/* Its busy share of the last one to two seconds, in 1/1000. */
unsigned worker_busy_permille(const struct worker *w);

/* Any time: counters that are read one by one, and so may differ by a round. */
void worker_stats_read(const struct worker *w, struct worker_stats *out);

#endif
