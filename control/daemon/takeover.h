/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `lanyard-switch --takeover`: has this build take over from the one that runs. See control/keeper/takeover.h.
 *
 * Threads  main.
 */
#ifndef CONTROL_DAEMON_TAKEOVER_H
#define CONTROL_DAEMON_TAKEOVER_H

#include "base/err.h"

/* packet: the packet process's program of this build. Waits, and prints how it went: 0; -errno with a sentence when
 * the one that runs goes on. */
int takeover_run(const char *run_dir, const char *version, const char *packet, struct err *err);

#endif
