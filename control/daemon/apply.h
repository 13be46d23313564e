/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * apply: makes the hand-made part equal to a document.
 *
 * What     A plan of steps (delete, add, change; bridges and ports) from what runs to what is
 *          wanted, carried out in slices from the loop.
 * How      Everything that can be refused is refused while planning. A step that fails
 *          undoes those before it, in reverse order.
 * Threads  control only.
 * Limits   one at a time; 10 ms a slice.
 */
#ifndef CONTROL_DAEMON_APPLY_H
#define CONTROL_DAEMON_APPLY_H

#include <jansson.h>

#include "base/err.h"
#include "control/daemon/daemon.h"
#include "tap/device_opener.h"

/* Called once, from the loop: 0, or the failure after all was undone; err says so where that failed, too. */
typedef void (*apply_done)(void *arg, int rc, struct err *err);

/* Checks document and makes the plan. *out is freed by apply_free() or apply_start(). */
int apply_plan(struct daemon *d, const json_t *document, struct apply **out, struct err *err);

/* The plan for people and scripts: [{do, kind, name, settings, was}], cut off at plan_max bytes. */
json_t *apply_plan_json(const struct apply *a, size_t plan_max_bytes);
size_t apply_n_steps(const struct apply *a);

/* Devices that a process without rights has to have opened first; all of them, up to n_max. How many. */
unsigned apply_devices(const struct apply *a, struct device_want *wants, unsigned n_max);

/* Carries out the plan; takes a over. done may be called before this returns. */
void apply_start(struct apply *a, apply_done done, void *arg);
/* The same at once, for few steps: control does nothing else meanwhile. */
int apply_run(struct apply *a, struct err *err);
void apply_free(struct apply *a); /* accepts NULL; also one under way: it stops where it is */

#endif
