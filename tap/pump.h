/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pumps: the threads that read and write the descriptors of host ports for the workers.
 *
 * What     As many as there are workers, at most PORT_HELPERS_MAX; each serves its part of the queues.
 * How      One epoll set a pump, edge-triggered: of each queue its descriptor and pump_fd. Queues with
 *          something to do are in a list and get TURN frames each way in a round. A descriptor that
 *          would block, and a ring without room, wait for their edge: a pump without work sleeps.
 *          They start with the first queue and end with the last.
 * Threads  functions here: control. pump_start() hands the queue over; pump_stop() returns when the pump
 *          has let go of it, after at most a turn of each queue that is busy.
 * Trust    A descriptor that takes nothing fills its own ring and blocks nobody else's.
 */
#ifndef TAP_PUMP_H
#define TAP_PUMP_H

#include "base/err.h"
#include "tap/host_queue.h"

/* From now on frames flow between the queue and fd, which stays the caller's and is non-blocking. */
int pump_start(struct host_queue *hq, int fd, struct err *err);

/* Accepts a queue that does not run. No worker may use it any more. What was not written is counted as
 * TX_NOT_UP, what was read and no worker has taken as RX_NOT_UP: at the next start it would be old. */
void pump_stop(struct host_queue *hq);

/* The same for a queue that another process goes on with: what can be written at once, without waiting for the
 * host, is written before. */
void pump_yield(struct host_queue *hq);

#endif
