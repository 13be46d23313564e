/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether this build can go on with all that a running process of another build has: asked before that one ends.
 *
 * How      This build looks at the very memory that it would take over, where it lies. The running process writes
 *          it meanwhile, so a name that is read may be half an old one and half a new one; and a guest may
 *          agree something new afterwards, which is why it is all checked once more when it is taken over.
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
