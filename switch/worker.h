/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers: the threads that poll ports and forward.
 *
 * What     One lcore each. Polls the sources of its part of the view, forwards each burst to its
 *          end, and says to QSBR after every round that it holds nothing.
 * How      Adaptive mode: after IDLE_US without a frame it arms every ring, looks once more, goes
 *          offline for QSBR and sleeps in epoll_wait() on the kick descriptors, edge-triggered,
 *          so that nothing has to be read from them.
 * Threads  worker_create, worker_destroy, worker_watch, worker_unwatch, worker_wake: control;
 *          worker_run: the lcore. worker_stats_read: control, from counters the worker writes.
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

/* A kick descriptor that ends its sleep. -errno from epoll_ctl(2). */
int worker_watch(struct worker *w, int fd);
void worker_unwatch(struct worker *w, int fd);

/* Ends its sleep, if it sleeps: the view or the stop flag has changed. */
void worker_wake(struct worker *w);

void worker_stats_read(const struct worker *w, struct worker_stats *out);

#endif
