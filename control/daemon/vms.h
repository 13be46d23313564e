/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VMs as their supervisors report them: for events and metrics.
 *
 * What     A supervisor reports over the connection on which it holds its lease. Events are
 *          vm.state {old, new, reason, pid} and vm.ready {ready}, their object the VM's name;
 *          one whose supervisor goes away without a word has the new state "gone".
 * How      A VM is here as long as its supervisor is connected. Its name is that of one connection:
 *          another one is refused while the first lives.
 * Threads  control only.
 * Trust    A report is a client's word. Its process is the client itself, a child of it, or one of the
 *          same user unless that is root; it is looked up in /proc for metrics and never signalled.
 * Limits   one VM a connection.
 */
#ifndef CONTROL_DAEMON_VMS_H
#define CONTROL_DAEMON_VMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/err.h"
#include "control/daemon/daemon.h"
#include "control/rpc/server.h"

struct vm_seen {
	LIST_ENTRY(vm_seen) link;
	struct daemon *daemon;
	struct rpc_conn *conn; /* the supervisor's */
	char *name;
	char state[16], lab[72], accel[8];
	char reason[256];
	pid_t pid;	      /* QEMU's; 0: none */
	bool ready, in_order; /* in_order: has said that it has ended */
	unsigned cpus;
	uint64_t memory_bytes;
};

/* Takes in a report on its connection. */
int vms_report(struct daemon *d, struct rpc_call *call, const json_t *params, struct err *err);

/* The list as {name, lab, state, …}. */
json_t *vms_json(const struct daemon *d);

/* After the server. */
void vms_forget(struct daemon *d);

#endif
