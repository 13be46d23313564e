/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's Environment Abstraction Layer, as this switch wants it: no device that nobody asked for, no
 * shared configuration, one lcore a worker.
 *
 * Threads  main thread, once a process, before switch_create(); eal_said_*(): that thread, later.
 */
#ifndef SWITCH_EAL_H
#define SWITCH_EAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum eal_hugepages { EAL_HUGEPAGES_NO, EAL_HUGEPAGES_AUTO, EAL_HUGEPAGES_YES };

struct eal_opts {
	const int *cpus;    /* one a worker, pinned there; NULL: workers float over allowed CPUs */
	unsigned n_workers; /* 1 or more */
	enum eal_hugepages hugepages;
	bool verbose;	    /* let EAL's own log lines through */
};

/* -errno with a sentence when EAL does not start. */
int eal_start(const struct eal_opts *opts, struct err *err);
void eal_stop(void);

/*
 * What DPDK logs on this thread from eal_said_begin() on does not reach the log, but eal_said_end():
 * the first line that is not EAL's own (that says why), or else EAL's; "" when it said nothing.
 */
#define EAL_SAID_MAX 192
void eal_said_begin(void);
void eal_said_end(char out[EAL_SAID_MAX]);

#endif
