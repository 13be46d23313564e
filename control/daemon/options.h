/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Command line of lanyard-switch.
 *
 * Threads  main, before anything else runs.
 */
#ifndef CONTROL_DAEMON_OPTIONS_H
#define CONTROL_DAEMON_OPTIONS_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/socket_dirs.h"
#include "control/daemon/access.h"
#include "control/daemon/metrics_address.h"
#include "control/daemon/run_as.h"
#include "switch/eal.h"
#include "switch/switch.h"

#define WORKERS_MAX	   64
#define UPLINK_DEVICES_MAX 64

struct options {
	char run_dir[PATH_MAX], state_dir[PATH_MAX];
	int cpus[WORKERS_MAX];
	unsigned n_workers;
	bool pinned; /* cpus holds one a worker */
	enum switch_mode mode;
	enum eal_hugepages hugepages;
	struct access access;
	struct unix_path_access ports; /* to their sockets */
	char *socket_dirs[SOCKET_DIRS_MAX]; /* of --socket-dir */
	unsigned n_socket_dirs;
	char *uplink_devices[UPLINK_DEVICES_MAX]; /* of --uplink-device */
	unsigned n_uplink_devices;
	bool serve_metrics;
	union metrics_address metrics; /* where to */
	bool until_unused;
	bool no_keeper;
	bool fd_store;
	bool confine;
	char user[64];	      /* of --user; empty: choose */
	struct run_as run_as; /* of --run-as: the keeper has chosen */
	int channel_fd; /* to the keeper; -1: there is none */
	bool takeover;
	int image_fd; /* of the keeper that this process was until now; -1: of none. The last two arguments */
	bool verbose;
};

/* For main(). 0: go on; else --help, --version or the man page was printed, or an error said: end with *status. */
int options_main(int argc, char **argv, struct options *o, int *status);

#endif
