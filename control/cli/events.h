/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Command events: what happens, as it happens.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_EVENTS_H
#define CONTROL_CLI_EVENTS_H

#include "control/cli/command.h"

extern const struct method m_events;

int events_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);

#endif
