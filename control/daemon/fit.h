/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether this build can go on with what a running process of another one has: types of ports, and what drivers
 * have agreed with front ends. See switch/fit.h.
 *
 * Threads  control, as a spare.
 */
#ifndef CONTROL_DAEMON_FIT_H
#define CONTROL_DAEMON_FIT_H

#include "control/daemon/port_type.h"
#include "control/keeper/kept.h"

/* Of what k was handed. 0; -EPROTO with a sentence. */
int fit_check(struct kept *k, const struct port_type *const *types, struct err *err);

#endif
