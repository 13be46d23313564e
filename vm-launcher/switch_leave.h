/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Letting go of a switch for good: of a lab, or of the last VM.
 *
 * What     A lease is held until the lab or VM is gone, so that the switch is there as long as there is something to
 *          delete. Where the switch was started for such, and nobody else needs it, its end is awaited, so that
 *          whoever starts one next finds its folders free.
 * Threads  any; blocking.
 */
#ifndef VM_LAUNCHER_SWITCH_LEAVE_H
#define VM_LAUNCHER_SWITCH_LEAVE_H

#include "control/rpc/client.h"

struct switch_leave {
	struct rpc_client *c; /* NULL: no switch answers */
	int process;	      /* of one that ends with its last lease; -1 */
};

/* name: whose lab or VM it is, for the log. */
void switch_leave_begin(struct switch_leave *l, const char *run_dir, const char *name);

/* Waits 10 s at most, and says on stderr where that was not enough. */
void switch_leave_end(struct switch_leave *l, const char *run_dir);

#endif
