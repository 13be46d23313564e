/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the switch answers.
 *
 * Threads  any.
 */
#ifndef CONTROL_RPC_SWITCH_FIND_H
#define CONTROL_RPC_SWITCH_FIND_H

#include "base/err.h"
#include "control/rpc/client.h"

/* RUN_DIR/switch.sock; for a user that is not root and named no folder, then the host's own. */
int switch_connect(const char *run_dir, int timeout_ms, struct rpc_client **out, struct err *err);

#endif
