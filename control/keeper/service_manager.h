/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * systemd's side of a service: its socket, and what it hands on (sd_notify(3), sd_listen_fds(3)).
 *
 * How      The documented protocol and not libsystemd, whose calls wait for systemd as long as it likes.
 * Threads  one.
 */
#ifndef CONTROL_KEEPER_SERVICE_MANAGER_H
#define CONTROL_KEEPER_SERVICE_MANAGER_H

#include "base/err.h"

struct service_manager {
	int fd;
	unsigned n_handed; /* descriptors 3 and up */
	char *names;	   /* theirs, with colons between */
};

/* From the environment, out of which it goes. -ENOTSUP with a sentence when there is none. */
int service_manager_open(struct service_manager *m, struct err *err);
void service_manager_close(struct service_manager *m);

/* Gives each descriptor that was handed on to fn, whose it is then. */
void service_manager_handed(struct service_manager *m, void (*fn)(void *arg, int fd, const char *name), void *arg);

/* Waits for room that long at most: -EAGAIN, -errno. */
int service_manager_say(struct service_manager *m, const char *text, const int *fds, unsigned n, int wait_ms);

#endif
