/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Event loop of a control thread: descriptors, timers and deferred calls over
 * epoll. It never ticks: without a due timer it sleeps until something happens.
 *
 * How      Watches and timers are freed by loop_fd_del() and loop_timer_del(),
 *          which may be called from any callback, their own included: what is
 *          deleted is not called again, and is freed once the round is over.
 * Threads  the thread that runs the loop; nothing here is for workers.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdint.h>

struct loop;
struct loop_fd;
struct loop_timer;

/* events: EPOLLIN | EPOLLOUT | EPOLLHUP … as epoll_wait(2) returned them. */
typedef void (*loop_fd_fn)(void *arg, int fd, uint32_t events);
typedef void (*loop_fn)(void *arg);

int loop_create(struct loop **out);  /* 0 or -errno */
void loop_destroy(struct loop *l); /* accepts NULL; frees all watches and timers */

/* Watches fd (which stays the caller's to close, after loop_fd_del). 0 or -errno. */
int loop_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_fn fn, void *arg,
		struct loop_fd **out);
int loop_fd_mod(struct loop_fd *w, uint32_t events); /* 0 or -errno */
void loop_fd_del(struct loop_fd *w); /* accepts NULL */

/* Calls fn once after delay_ns. The timer frees itself after fn has run: *slot, where
 * the caller keeps it, is set to NULL before the call. 0 or -errno. */
int loop_timer_add(struct loop *l, uint64_t delay_ns, loop_fn fn, void *arg,
		   struct loop_timer **slot);
void loop_timer_del(struct loop_timer *t); /* accepts NULL; clears its slot */

/* Runs until loop_stop(). Returns the value given to loop_stop(), or -errno. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int result);

/* From now on keeps *since_ns up to date for whoever watches from another process: loop_now_ns() of the moment when the
 * loop last woke up, 0 while it sleeps. */
void loop_pulse(struct loop *l, _Atomic uint64_t *since_ns);

/* Handles what is ready, waiting at most timeout_ms (-1: until something is). For tests. */
int loop_once(struct loop *l, int timeout_ms);

/* CLOCK_MONOTONIC in nanoseconds; any thread. */
uint64_t loop_now_ns(void);

#define MS_NS 1000000ull
#define S_NS  1000000000ull

#endif
