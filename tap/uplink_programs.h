/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The programs that uplinks have in interfaces, as the host helper is told of them: it takes them off when the whole
 * switch is killed (tap/xdp_keep.h).
 *
 * How      A moment after a device was opened, when frames flow already: the helper may have to be started for it. Anew
 *          when the helper has died.
 * Threads  control only.
 */
#ifndef TAP_UPLINK_PROGRAMS_H
#define TAP_UPLINK_PROGRAMS_H

#include "base/loop.h"
#include "tap/ethdev.h"

/* e is an open uplink's. */
void uplink_programs_keep(struct loop *loop, const struct ethdev *e);
void uplink_programs_end(void);

#endif
