/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The view: what workers know of ports, bridges and VLANs at one moment.
 *
 * What     Immutable once published. view_build() makes one from the control plane's
 *          structures; a worker reads it between two quiescent states.
 * How      Ports that do not run are in it, so that a known destination that is not up is
 *          counted as such, but they take no part in floods and are not polled.
 * Threads  built and freed by control; read by workers.
 */
#ifndef SWITCH_VIEW_H
#define SWITCH_VIEW_H

#include "switch/fdb.h"
#include "switch/port.h"

#define WATCHES_MAX 32 /* captures and mirrors: bits of a mask */

struct view_bridge;
struct watch;

/* Who looks at a port: bits of view.watches. */
struct view_watch {
	uint32_t in, out, in_drops, out_drops;
};

struct view_port {
	struct port *port;
	const struct port_ops *ops;
	struct view_bridge *bridge;
	struct view_port *peer; /* a link's other end */
	uint16_t id;
	uint8_t n_txq; /* running receive rings of the guest (a link that runs: 1); 0: not up */
	uint8_t txq[PORT_QUEUES_MAX];
	bool multi_queue; /* more than one runs: flows are spread */
	bool guarded, isolated;
	uint32_t len_max; /* bytes of the longest frame */
	struct vlan_policy vlan;
	uint16_t source[PORT_QUEUES_MAX]; /* its place among its worker's sources, where it is one */
	struct view_watch watch;
	uint32_t max_macs; /* 0: no limit */
	uint64_t storm_each, storm_depth; /* TSC cycles; 0: no limit */
	struct guard guard;
};

struct view_bridge {
	struct fdb *fdb;
	uint16_t forward_reserved;
	unsigned n_members;	    /* that run */
	struct view_port **members;
	uint64_t *owners; /* switch/owners.h; NULL: none */
	uint32_t owners_mask;
};

/* A ring of a worker. */
struct view_source {
	struct view_port *port;
	struct ring_load *load;
	uint8_t q;
	bool polled_only; /* its front end gives no kick: nobody may sleep for long */
	uint8_t special;  /* SOURCE_*; 0 for most */
	uint64_t rate_cost; /* with SOURCE_LIMITED: TSC cycles a byte, times 65536 */
};

#define SOURCE_WATCHED 1u /* its frames may come to a port that is looked at, or are looked at */
#define SOURCE_LIMITED 2u /* its port has a rate */

struct view_sources {
	unsigned n;
	bool polled_only; /* one of them is */
	struct view_source *s;
};

struct view {
	uint64_t seq; /* of the switch's views: an address may come again */
	struct view_port *by_id[SWITCH_PORTS_MAX]; /* NULL: no such port */
	struct view_port *ports;
	struct view_bridge *bridges;
	struct view_port **members; /* backing store of bridges[].members */
	struct view_source *sources;
	uint64_t *owners; /* … and of bridges[].owners */
	const struct watch *watches[WATCHES_MAX]; /* NULL: none */
	unsigned n_workers;
	struct view_sources worker[]; /* n_workers */
};

/* -ENOMEM, or 0. */
int view_build(struct switch_ *sw, struct view **out);
void view_free(struct view *v); /* accepts NULL */

#endif
