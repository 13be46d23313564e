/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is saved and could not be made at start: kept out, and still saved.
 *
 * What     Its settings are in daemon.kept_out, why it is there in daemon.kept_why. A port of it is a row of
 *          port.list, errored, so that nobody has to miss it first; `port up` tries again, `port set` changes
 *          what is tried, `port del` forgets it.
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_KEPT_OUT_H
#define CONTROL_DAEMON_KEPT_OUT_H

#include "control/daemon/daemon.h"

/* section: "bridges" or "ports". */
void kept_out_add(struct daemon *d, const char *section, const char *name, json_t *settings, const char *why);

/* Its settings, or NULL. */
json_t *kept_out_find(const struct daemon *d, const char *section, const char *name);
const char *kept_out_why(const struct daemon *d, const char *section, const char *name);

/* As port.list has ports; NULL: there is none. */
json_t *kept_out_port_json(const struct daemon *d, const char *name);
/* The i-th of them. */
json_t *kept_out_port_nth(const struct daemon *d, size_t i);

/* [{kind, name, reason}] */
json_t *kept_out_json(const struct daemon *d);

#endif
