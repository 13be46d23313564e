/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page of metrics, in Prometheus' text format.
 *
 * What     One copy of all counters, taken first, then a family of metrics after the other, so that
 *          what belongs together was read together.
 * How      Slices of SLICE_NS from the loop: 4,096 ports make 100,000 lines. When a port or bridge comes
 *          or goes while they are copied, copying begins anew.
 * Threads  control only.
 * Trust    label values are escaped, whatever they hold. /proc is read for processes that
 *          supervisors named.
 */
#ifndef CONTROL_DAEMON_METRICS_PAGE_H
#define CONTROL_DAEMON_METRICS_PAGE_H

#include <stddef.h>

#include "control/daemon/daemon.h"

struct metrics_page;

/* text is the receiver's to free; NULL: out of memory. The page is gone. */
typedef void (*metrics_page_fn)(void *arg, char *text, size_t len);

/* Calls fn from the loop when the page is finished. -ENOMEM. */
int metrics_page_make(struct daemon *d, metrics_page_fn fn, void *arg, struct metrics_page **out);
void metrics_page_free(struct metrics_page *p); /* fn is not called; accepts NULL */

#endif
