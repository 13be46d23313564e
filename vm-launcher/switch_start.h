/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A switch for who needs one: the one that runs, or a new one that ends with its last lease.
 *
 * Threads  any.
 */
#ifndef VM_LAUNCHER_SWITCH_START_H
#define VM_LAUNCHER_SWITCH_START_H

#include "base/err.h"
#include "control/rpc/client.h"

/* Connects, starting one if nobody answers, and holds a lease named `who` on the connection.
 * *started says whether it was this call's doing; it may be NULL. */
int switch_ensure(const char *run_dir, const char *state_dir, const char *who,
		  struct rpc_client **out, int *started, struct err *err);

#endif
