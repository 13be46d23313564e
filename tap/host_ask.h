/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of tap/host.h by way of the host helper: for a process that has no rights.
 *
 * How      One question at a time, and its answer is waited for. A helper that dies with a question is started anew
 *          by the keeper, and asked once more. What is behind nat ports ends with it: they are told to begin it
 *          again, with pauses that double from AGAIN_MIN to AGAIN_MAX.
 * Threads  control only.
 */
#ifndef TAP_HOST_ASK_H
#define TAP_HOST_ASK_H

#include "base/err.h"
#include "base/loop.h"

/* Becomes the one who asks over fd, which it owns; host_end() closes it. run_dir: where the helper notes what it has
 * changed; without a note there is nothing to settle, and no helper needs to start for it. */
int host_ask_begin(struct loop *loop, int fd, const char *run_dir, struct err *err);

#endif
