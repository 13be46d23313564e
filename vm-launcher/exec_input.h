/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is piped into `lanyard exec`, for a program in the guest.
 *
 * How      The agent takes a program's input with its start, whole, so it is read to its end first.
 *          Terminals and other devices are no input. A pipe that nobody writes to, as programs get
 *          from schedulers and remote shells, must not hang every `exec`: where not one byte nor
 *          the end comes in time, the program runs without, and this is said.
 * Threads  the CLI's only one; blocking.
 * Limits   EXEC_INPUT_MAX.
 */
#ifndef VM_LAUNCHER_EXEC_INPUT_H
#define VM_LAUNCHER_EXEC_INPUT_H

#include <stdbool.h>

#include "base/err.h"

#define EXEC_INPUT_MAX	   (512 * 1024) /* in base64 below the 1 MiB of a JSON-RPC request */
#define EXEC_INPUT_WAIT_MS 2000		/* for the first byte */

/*
 * Reads fd to its end. *base64 is the caller's to free, NULL when there is nothing to pass. patient:
 * waits for the first byte for ever. -EFBIG, -EINTR …; 1: nothing came in time.
 */
int exec_input_read(int fd, bool patient, char **base64, struct err *err);

#endif
