/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that the process that forwards may make once it serves.
 */
#ifndef CONTROL_DAEMON_CALLS_TABLE_H
#define CONTROL_DAEMON_CALLS_TABLE_H

#include "base/calls.h"

/* Ends with .name == NULL. */
extern const struct call calls_table[];

#endif
