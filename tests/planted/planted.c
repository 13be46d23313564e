/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lanyard-packet with a bug, which tests/smoke/crashes.py looks for with a frame: no user ever gets it.
 *
 * What     Its vhost-user ports write to nowhere when they read a frame of type 0x88b5 that says "planted".
 * How      packet_main.c is compiled with another name for its table of port types: ours, whose vhost-user
 *          ports are the product's with one function of their vtable in front of it.
 * Threads  as switch/port.h says.
 */
#include <string.h>

#include "control/daemon/port_type.h"
#include "switch/internal.h"

static const char magic[] = "\x88\xb5planted";
static const struct port_ops *real_ops;
static struct port_ops planted_ops;
static volatile int *volatile nowhere = (int *)8;

static unsigned planted_rx_burst(struct port *p, unsigned q, struct burst *b)
{
	unsigned n = real_ops->rx_burst(p, q, b);

	for (unsigned i = 0; i < n; i++)
		if (!memcmp(b->frames[i].head + 12, magic, sizeof(magic) - 1))
			*nowhere = 1;
	return n;
}

static int planted_add(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		       struct port **out, struct err *err)
{
	int rc = port_type_vhost_user.add(sw, opts, settings, out, err);

	if (rc < 0)
		return rc;
	real_ops = (*out)->ops;
	planted_ops = *real_ops;
	planted_ops.rx_burst = planted_rx_burst;
	(*out)->ops = &planted_ops;
	return switch_publish(sw);
}

static const char *const keys[] = {"path", "listen", "queues", "carrier", NULL};
static const struct port_type planted_vhost_user = {"vhost-user", keys, NULL, planted_add};

const struct port_type *const planted_port_types[] = {&planted_vhost_user, &port_type_link, NULL};
