/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Learns of the death of a packet process before the kernel has taken it apart.
 *
 * What     A pidfd tells when nothing of a process is left, which with guests' memory and asynchronous I/O takes
 *          20 to 50 ms. But none of its threads can run any more, or touch a ring, from the moment in which
 *          each has lost the lock that it holds for its life (switch/pulse.h).
 * How      A thread waits on these locks' futex words one after the other. Where the kernel says of each that its
 *          owner had died, its eventfd becomes readable; else the pidfd is all there is. It ends by itself
 *          with the process; whoever does not want to hear of it any more closes its own descriptor.
 * Threads  start: the keeper's. The rest is the mourner's own, with a mapping of its own.
 * Trust    A process that gives its locks back lives on unseen by this; one that spoils their words can make the
 *          thread wait until mourner_release(). Nothing but the words is looked at.
 */
#ifndef CONTROL_KEEPER_MOURNER_H
#define CONTROL_KEEPER_MOURNER_H

#include "switch/pulse.h"

/* What the eventfd has of a thread that got a fatal signal; 1 is the end of all. */
#define MOURNER_CRASH (1ull << 32)

/* pulse_fd stays the caller's. Returns an eventfd, or -errno: control or workers have not begun yet, or there is
 * no memory. */
int mourner_start(int pulse_fd);

/* Lets whatever still waits there go; before a pulse is given up. */
void mourner_release(struct pulse *p);

#endif
