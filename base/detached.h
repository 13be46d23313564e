/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that nobody waits for, for what may take as long as somebody else likes.
 *
 * Threads  any.
 * Limits   DETACHED_STACK_BYTES of stack. No signal is the thread's, but for those that each thread is asked
 *          (base/every_thread.h) or gets for what it does itself (SIGSYS).
 */
#ifndef BASE_DETACHED_H
#define BASE_DETACHED_H

#define DETACHED_STACK_BYTES (1 << 20) /* address space; what is thread-local lies in it too */

/* 0; -EAGAIN: there is no thread to be had. */
int detached_start(void *(*fn)(void *arg), void *arg);

#endif
