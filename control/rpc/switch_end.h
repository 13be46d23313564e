/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a switch: awaited by who told it to end.
 *
 * How      Whoever listens on the control socket is the keeper, or with --no-keeper the one process: when it has
 *          ended, the folders are another switch's to use.
 * Threads  any.
 */
#ifndef CONTROL_RPC_SWITCH_END_H
#define CONTROL_RPC_SWITCH_END_H

#include "control/rpc/client.h"

/* A descriptor of that process, for switch_end_await(); -1 where it cannot be seen from here. */
int switch_end_watch(const struct rpc_client *c);

/* Closes fd, which may be -1. 0 when the process has ended, or cannot be seen; -ETIMEDOUT when it has not within timeout_ms. */
int switch_end_await(int fd, int timeout_ms);

#endif
