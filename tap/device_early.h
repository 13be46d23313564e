/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices that are opened before there is a port for them: by a process that still has its rights and is to go on
 * where another one forwards.
 *
 * How      device_early_open() opens one as its port will want it; that port takes it, with what came meanwhile thrown
 *          away. Nothing of the process that forwards is disturbed by one that does not open.
 * Threads  control only.
 * Trust    What is to be opened is said by a process that may be a guest's: tap/device_allow.h decides, as for a client.
 * Limits   DEVICE_EARLY_MAX.
 */
#ifndef TAP_DEVICE_EARLY_H
#define TAP_DEVICE_EARLY_H

#include "tap/device_opener.h"
#include "tap/ethdev.h"

#define DEVICE_EARLY_MAX 32

/* -ENOSPC, -EINVAL, or what the device says, with a sentence. */
int device_early_open(const struct device_want *w, struct err *err);

/* Into *e, if it is there and still what is wanted; events are then told by on_event. */
bool device_early_take(const struct device_want *w, struct ethdev *e, void (*on_event)(void *arg), void *arg);

/* Closes those that no port has taken. */
void device_early_close(void);

#endif
