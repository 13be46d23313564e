/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Watches from parameters: ports by name, filter, direction, as captures and mirrors share them.
 *
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_WATCH_PARAMS_H
#define CONTROL_DAEMON_WATCH_PARAMS_H

#include <jansson.h>

#include "control/daemon/daemon.h"
#include "switch/watch.h"

/* What a watch is made of; opts points into the rest. */
struct watch_params {
	struct watch_opts opts;
	struct port *ports[CAPTURE_PORTS_MAX];
	struct bpf_insn *insns;
};

/* params has `f`, `direction`, `drops` and `snaplen`; names is the list of ports. What it returns is to be
 * given to watch_params_free() also after an error. */
int watch_params_read(struct daemon *d, const json_t *params, const json_t *names,
		      struct watch_params *out, struct err *err);
void watch_params_free(struct watch_params *p);

#endif
