/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 forwarding of the host: on while a nat port needs it.
 *
 * What     Where it was off, it is switched off again with the last that needed it. After a crash it
 *          stays on: nobody knows any more who wanted it.
 * Threads  control only.
 */
#ifndef TAP_IP_FORWARD_H
#define TAP_IP_FORWARD_H

#include "base/err.h"

int ip_forward_take(struct err *err);
void ip_forward_give(void); /* once for each take that succeeded */

#endif
