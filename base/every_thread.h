/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One function, once in every thread of the process: for what the kernel holds for each thread by itself, such
 * as capabilities and Landlock.
 *
 * How      The calling thread does it first; then each other one in the handler of a signal, until a look at
 *          /proc/self/task finds nobody new. Threads inherit such things from the one that starts them.
 * Threads  every_thread(): one at a time, the one that starts threads. fn runs in a signal handler: only what
 *          signal-safety(7) lists.
 * Limits   A thread that blocks EVERY_THREAD_SIGNAL is waited for until it has ended, EVERY_THREAD_MS at most.
 */
#ifndef BASE_EVERY_THREAD_H
#define BASE_EVERY_THREAD_H

#include <signal.h>

#define EVERY_THREAD_SIGNAL (SIGRTMIN + 6)
#define EVERY_THREAD_MS	    2000

/* 0; what fn returned where that was not 0; -ETIMEDOUT; -errno. On failure some threads may have done it. */
int every_thread(int (*fn)(void *arg), void *arg);

#endif
