/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP programs that are to be taken off when nobody is left who would: the whole switch was killed, and the host
 * helper outlives it.
 *
 * What     A copy of each program's descriptor, by interface. One that was taken off meanwhile, or is another one, or
 *          whose interface has gone, is nobody's loss: the kernel compares (tap/xdp_program.h).
 * Threads  control only.
 * Trust    Whoever asks may be a guest's: it can have nothing taken off that it could not have at once.
 * Limits   XDP_KEEP_MAX, as many as there can be uplinks; the oldest makes room.
 */
#ifndef TAP_XDP_KEEP_H
#define TAP_XDP_KEEP_H

#include "base/err.h"

#define XDP_KEEP_MAX 32

/* prog_fd stays the caller's. In the place of what was kept for that interface. -errno with a sentence. */
int xdp_keep(int prog_fd, unsigned ifindex, struct err *err);

/* xdp_program_off(), and it is kept no more. */
int xdp_keep_off(int prog_fd, unsigned ifindex, struct err *err);

/* Takes off all that are kept. */
void xdp_keep_end(void);

#endif
