/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taps over a crash: the interface stays, with all that the host has put on it.
 *
 * How      Its descriptors are kept (switch/keep.h), in the port's slot lies what was done to it. The
 *          successor goes on with them, whatever it is called now and in whatever namespace it is.
 * Threads  control only.
 */
#ifndef TAP_TAP_KEEP_H
#define TAP_TAP_KEEP_H

#include "tap/tap.h"

/* What it has done to the interface, and its descriptors, outlive this process. Again after each change. */
void tap_keep(struct tap *t);

/* They do not any more: the interface is being left. One that we made is deleted. */
void tap_unkeep(struct tap *t);

/* Takes over the descriptors of the port in this slot, and what was done. False: there are none, or the
 * interface has gone; then it is made as any other. */
bool tap_take(struct tap *t, struct switch_ *sw, const struct port_opts *opts);

/* Whether the interface is in the namespace in which it is listened for. */
bool tap_is_here(const struct tap *t);

/* The address that the interface of the port in this slot has from us, "" for none. */
void tap_kept_address(struct switch_ *sw, const struct port_opts *opts, char *out, size_t size);

#endif
