/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type `vhost-user`: a virtio-net device whose front end (QEMU, virtio-user) speaks the
 * vhost-user protocol over a Unix socket. We are the back end.
 *
 * Threads  control only.
 */
#ifndef VHOST_USER_VU_PORT_H
#define VHOST_USER_VU_PORT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/unix_path.h"
#include "switch/switch.h"

#define VU_QUEUE_PAIRS_MAX 8

struct vu_port_opts {
	struct port_opts port;
	const char *path;  /* the socket */
	struct unix_path_words whose; /* the socket's file, with listen */
	bool listen;	   /* own the socket; else connect to it and keep trying */
	bool keep_open;	   /* the socket stays open while the port is down: see vu_port.c */
	unsigned n_queues; /* queue pairs offered, 1 to VU_QUEUE_PAIRS_MAX; 0: the maximum */
};

/* Makes the port; with listen the socket is bound when this returns. A path too long for sun_path,
 * or one that somebody serves already, is refused. */
int vu_port_add(struct switch_ *sw, const struct vu_port_opts *opts, struct port **out,
		struct err *err);

#endif
