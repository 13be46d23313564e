/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Yielding to a successor: what the process that forwards does before it may end, so that nobody notices.
 *
 * How      succession_yield() keeps new clients waiting at the socket, and forwards on until requests are answered,
 *          messages of front ends are whole, and an apply is through; then the loop ends with DAEMON_YIELDS,
 *          and main() has the workers end. What does not come to rest within REST_MAX does not count: a
 *          client or a front end that is slow loses its connection, no more.
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_SUCCESSION_H
#define CONTROL_DAEMON_SUCCESSION_H

#include "control/daemon/daemon.h"

#define DAEMON_YIELDS 1 /* what loop_run() returns */

/*
 * Asks the keeper, where there is one, that another process go on in the place of this one: a warm one that still has
 * the rights of the start. reason is for the log. It happens within a second or so, unless the log says why not; what
 * is saved until then is the successor's. New clients wait for that one, for HOLD_MAX at most.
 */
void succession_ask_soon(struct daemon *d, const char *reason);

/* The keeper asks for it. Answers by d->keeper.refuse() if it cannot be. */
void succession_yield(struct daemon *d, const char *reason);
/* It does not any more. */
void succession_stay(struct daemon *d);

#endif
