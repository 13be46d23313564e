/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mirrors: copies of what some ports receive and are sent, delivered to another port.
 *
 * What     Settings of the port that they go to: mirror (names of ports), mirror_direction,
 *          mirror_filter. So they are saved, applied and rolled back with that port.
 * How      Names stay in the settings until their port is deleted, and count while it is there: a saved
 *          mirror waits for ports that come later. Whoever makes, changes or drops a port says so here.
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_MIRROR_H
#define CONTROL_DAEMON_MIRROR_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "control/daemon/owner.h"

/* Settings that could never work. They were checked by the row of port.add. */
int mirror_check(const char *name, const json_t *settings, struct err *err);

/* Makes the mirror to `to`, whose owner is o, what settings say, for the ports that are there. */
int mirror_apply(struct port *to, struct owner *o, const json_t *settings, struct err *err);

/* Ends it; before its port goes. */
void mirror_end(struct owner *o);

/* The port of that name has come: mirrors may have waited for it. */
void mirrors_refresh(const char *name);

/* A place of a capture or mirror is free: mirrors may have waited for it. */
void mirrors_retry(void);

/* The port of that name has gone: no mirror names it any more. */
void mirrors_forget(const char *name);

/* True when settings name one of names (a list of texts). */
bool mirror_names(const json_t *settings, const char *name);

#endif
