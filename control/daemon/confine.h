/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Least privilege of the process that forwards: once it serves, whoever gets hold of it has hardly anything.
 *
 * What     Another user than root (run_as.h), no capability, no_new_privs, few system calls (base/calls.h), the state
 *          folder and next to nothing else of the file system (base/landlock.h). What the kernel cannot do
 *          is left out and said; what it refuses to do ends the start.
 * How      confine_begin() first, before there are threads: what may be gone from then on, and what takes time
 *          to make. confine_enter() when all is open that needs a right (uplinks; everything else is opened
 *          by others and comes as descriptors), before a guest's frame or a client's request is read.
 *          Slots of a predecessor have been read by then, with rights.
 * Threads  control only; the other threads are made to do their part.
 * Trust    A core of the process is allowed, where the system wants it: guests' memory is not in it. Where cores
 *          are files, the folder in which they are made can be written to (but not read).
 * Limits   A build with a sanitizer becomes the user and no more: at its end and in its reports it needs the rest.
 */
#ifndef CONTROL_DAEMON_CONFINE_H
#define CONTROL_DAEMON_CONFINE_H

#include <stdbool.h>

#include "base/err.h"
#include "control/daemon/run_as.h"

struct calls;

/* Which of them hold. */
struct confinement {
	bool on; /* false: it was not asked for */
	struct run_as user;
	bool no_capabilities, no_new_privs, calls;
	int landlock;	      /* its version; 0: none */
	struct calls *filter; /* until it is entered */
};

int confine_begin(struct confinement *c, const struct run_as *user, struct err *err);

/* keeper: whose death ends us; 0: nobody's. */
int confine_enter(struct confinement *c, const char *state_dir, int keeper_pid, struct err *err);

/* "user 61200, no capabilities, 50 system calls, Landlock 7" */
void confine_text(const struct confinement *c, char *out, size_t size);

/* Accepts one that never began. */
void confine_free(struct confinement *c);

#endif
