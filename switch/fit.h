/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether this build can go on with all that a running process of another one has: asked before that one ends.
 *
 * How      What is looked at is what would be taken over, where it lies, by the build that would take it. It is
 *          being written meanwhile: a name may be half of another one, and what a guest agrees later is
 *          looked at again by who takes over.
 * Threads  control only; nothing is changed.
 * Trust    as arena_adopt().
 */
#ifndef SWITCH_FIT_H
#define SWITCH_FIT_H

#include <stdint.h>

#include "base/err.h"

struct fit_ops {
	/* What a driver of this type has kept of a port can be gone on with: 0, or -EPROTO with a sentence. */
	int (*port)(void *arg, const char *type, const void *driver, struct err *err);
	/* The forwarding database of a bridge; stays the callee's. -1: there is none. */
	int (*fdb)(void *arg, uint16_t bridge);
	void *arg;
};

/* 0, or -EPROTO with a sentence that names what does not fit. arena_fd stays the caller's. */
int switch_fits(int arena_fd, const struct fit_ops *ops, struct err *err);

#endif
