/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening a device in another process, which has the rights and is about to go on in the place of this one.
 *
 * What     The table of functions by which an uplink, in a process without rights, has its device opened. Who is behind
 *          the table the uplink does not know.
 * Threads  control only.
 */
#ifndef TAP_DEVICE_OPENER_H
#define TAP_DEVICE_OPENER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "tap/device_name.h"

struct device_want {
	char device[DEVICE_TEXT_MAX];
	unsigned n_queues; /* 0: 1 */
	uint32_t mtu;	   /* 0: the device's */
};

struct device_ask; /* one that was asked and not yet answered */

/* rc 0: it is open there, and this process will end soon; -errno and a sentence. False where it is not needed after
 * all. */
typedef bool (*device_opened_fn)(void *arg, int rc, const struct err *err);

struct device_opener {
	/* fn is called later. -errno with a sentence: nobody can be asked. */
	int (*ask)(void *arg, const struct device_want *w, device_opened_fn fn, void *fn_arg,
		   struct device_ask **out, struct err *err);
	/* fn is not called any more. */
	void (*forget)(struct device_ask *a);
	/* Whether it is open there already. */
	bool (*has)(void *arg, const struct device_want *w);
	void *arg;
};

/* Whether one open device serves both. */
bool device_want_same(const struct device_want *a, const struct device_want *b);

#endif
