/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands status, bare `lanyard`, and doctor.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_STATUS_H
#define CONTROL_CLI_STATUS_H

#include "control/cli/command.h"

extern const struct method m_status, m_doctor;

int status_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);
void status_print(struct cli *cli, const json_t *params, const json_t *result);
int doctor_run(struct cli *cli, const json_t *params, json_t **result, struct err *err);
void doctor_print(struct cli *cli, const json_t *params, const json_t *result);

#endif
