/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 forwarding of the host: on while a nat port needs it.
 *
 * What     Where it was off, it is switched off again with the last that needed it; after a crash, by the
 *          next switch of that run dir (tap/host_note.h) unless that needs it.
 * Threads  control only.
 */
#ifndef TAP_IP_FORWARD_H
#define TAP_IP_FORWARD_H

#include "base/err.h"

int ip_forward_take(struct err *err);
void ip_forward_give(void); /* once for each take that succeeded */

/* Switches off what an earlier process has left on, where nobody needs it. */
void ip_forward_end_left(void);

#endif
