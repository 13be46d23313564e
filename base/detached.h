/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that nobody joins: for work that may take as long as somebody else likes.
 *
 * Threads  any.
 * Limits   DETACHED_STACK_BYTES of stack. All signals are blocked in it but two: the one by which every thread is
 *          asked to do its part (base/every_thread.h), and SIGSYS, which a thread gets for its own calls.
 */
#ifndef BASE_DETACHED_H
#define BASE_DETACHED_H

#define DETACHED_STACK_BYTES (1 << 20) /* address space; what is thread-local lies in it too */

/* 0; -EAGAIN: there is no thread to be had. */
int detached_start(void *(*fn)(void *arg), void *arg);

#endif
