/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices of uplinks where this process has no rights: the warm process opens them (control/keeper/opening.c), and goes
 * on in the place of this one once they are open.
 *
 * How      One question at a time. When a device is open, those that other uplinks have are opened there, too, as far
 *          as two can be in one interface (AF_PACKET): then these hardly notice the succession. Then whoever asked
 *          hears of it, and may answer a client; the next client waits for the process that has the device. What
 *          nobody needs after all is closed there, and nothing else happens.
 *          A succession that is refused is asked for again.
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_OPENER_H
#define CONTROL_DAEMON_OPENER_H

#include <jansson.h>

#include "control/daemon/daemon.h"
#include "tap/device_opener.h"

struct opener;

/* -ENOMEM. d->keeper is whom it asks. */
int opener_create(struct daemon *d, struct opener **out);
/* Whoever still waits hears -ESHUTDOWN. Accepts NULL. */
void opener_destroy(struct opener *o);

/* What uplinks ask. */
const struct device_opener *opener_table(const struct opener *o);

/* The keeper's answer; number 0: what was opened is open no more. */
void opener_heard(struct opener *o, uint32_t number, int result, const char *text, const char *hint);
/* There will be no succession for now. Accepts NULL. */
void opener_stayed(struct opener *o);
/* Whether somebody waits for a device. Accepts NULL. */
bool opener_busy(const struct opener *o);

/* Of an uplink's settings, whose device's text fits. */
void device_want_read(struct device_want *w, const json_t *settings);

/* ---- several at once, for a client that waits for its answer ---- */

/* rc 0: all are open; else the first that is not, with why. What needs none of them returns false. */
typedef bool (*trial_fn)(void *arg, int rc, struct err *err);

/* fn is called once, later. wants are copied. -errno with a sentence: it is not called. */
int opener_try(struct opener *o, const struct device_want *wants, unsigned n, trial_fn fn, void *arg,
	       struct err *err);

#endif
