/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings and the workers they belong to: where one starts, and when it moves.
 *
 * What     A ring starts with the worker that has least to do. A worker that was busy for a second says
 *          so; control then compares, and moves one ring, if that helps (switch/balance.h).
 * How      A ring leaves its worker's view; after the grace period nobody is in it, and it appears in
 *          the other worker's. What its guest sends meanwhile waits on the ring, so that nothing is
 *          lost or overtaken. No timer: idle workers say nothing.
 * Threads  control only.
 * Limits   one ring a second.
 */
#ifndef SWITCH_REBALANCE_H
#define SWITCH_REBALANCE_H

struct switch_;

/* The worker for a ring that starts now. */
unsigned rebalance_place(struct switch_ *sw);

/* A worker was busy for the last second. */
void rebalance(struct switch_ *sw);

#endif
