/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A copy of all that metrics tell, taken in slices.
 *
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_METRICS_COPY_H
#define CONTROL_DAEMON_METRICS_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/daemon/daemon.h"

struct port_copy {
	char name[SWITCH_NAME_MAX], bridge[SWITCH_NAME_MAX], lab[SWITCH_LAB_MAX];
	const char *type;
	enum port_state state;
	struct port_counters counters;
};

struct bridge_copy {
	char name[SWITCH_NAME_MAX];
	unsigned n_ports, n_macs, max_macs;
	uint64_t n_refused, n_evicted;
};

struct vm_copy {
	char name[SWITCH_NAME_MAX + 32];
	char state[16];
	bool ready, has_process;
	unsigned cpus;
	uint64_t memory_bytes, resident_bytes;
	double cpu_s;
};

/* Zeroed to begin with. */
struct metrics_copy {
	struct port_copy *ports;
	struct bridge_copy *bridges;
	struct vm_copy *vms;
	struct worker_stats *workers;
	size_t n_ports, n_bridges, n_vms, n_workers;
	uint64_t version; /* of the daemon's objects, when it was begun */
	unsigned n_begun;
	bool begun, whole;
};

/* Copies until end_ns: 1 when all is there, 0 when there is more, -ENOMEM. */
int metrics_copy_some(struct metrics_copy *c, struct daemon *d, uint64_t end_ns);
void metrics_copy_free(struct metrics_copy *c);

#endif
