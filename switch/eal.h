/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's Environment Abstraction Layer, as this switch wants it: no PCI scan, no shared
 * configuration, one lcore a worker.
 *
 * Threads  main thread, once a process, before switch_create().
 */
#ifndef SWITCH_EAL_H
#define SWITCH_EAL_H

#include <stdbool.h>

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

#endif
