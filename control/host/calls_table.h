/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that the host helper and its opener may make.
 */
#ifndef CONTROL_HOST_CALLS_TABLE_H
#define CONTROL_HOST_CALLS_TABLE_H

#include "base/calls.h"

/* Each ends with .name == NULL. */
extern const struct call host_calls[];	 /* calls_table.c */
extern const struct call opener_calls[]; /* opener_calls.c */

#endif
