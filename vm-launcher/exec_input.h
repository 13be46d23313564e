/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is piped into `lanyard exec`, for a program in the guest.
 *
 * How      The agent takes a program's input with its start, whole, so it is read to its end first.
 *          Only when asked for (--stdin): `exec` in a loop that reads lines would eat them, and a
 *          pipe that nobody writes to would hang it.
 * Threads  the CLI's only one; blocking.
 * Limits   EXEC_INPUT_MAX.
 */
#ifndef VM_LAUNCHER_EXEC_INPUT_H
#define VM_LAUNCHER_EXEC_INPUT_H

#include "base/err.h"

#define EXEC_INPUT_MAX (512 * 1024) /* in base64 below the 1 MiB of a JSON-RPC request */

/* Reads fd to its end. *base64 is the caller's to free, NULL when there was nothing. -EFBIG, -EIO … */
int exec_input_read(int fd, char **base64, struct err *err);

#endif
