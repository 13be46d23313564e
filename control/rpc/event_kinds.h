/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kinds of events: what a subscriber may ask for.
 *
 * Threads  any.
 */
#ifndef CONTROL_RPC_EVENT_KINDS_H
#define CONTROL_RPC_EVENT_KINDS_H

#include <jansson.h>

#include "base/err.h"

/* All of them; ends with NULL. */
extern const char *const event_kinds[];

/* 0 where each text of the array (may be NULL) is one of them, or the front of one up to a dot: "port". -EINVAL. */
int event_kinds_check(const json_t *kinds, struct err *err);

#endif
