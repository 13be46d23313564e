/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports as their drivers see them: the vtable, and the part that all port types share.
 *
 * What     A driver embeds struct port as its first member, fills the vtable and tells the
 *          switch when its rings start and stop.
 * How      Life: port_init() registers; port_rx_start()/port_tx_start() make a ring visible to
 *          the workers, port_rx_stop()/port_tx_stop() take it away again and return when no
 *          worker uses it any more; ops->destroy() frees what the driver owns, after the
 *          port has left the view.
 * Threads  ops say theirs; functions here are control only unless said otherwise.
 */
#ifndef SWITCH_PORT_H
#define SWITCH_PORT_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "switch/arena.h"
#include "switch/frame.h"
#include "switch/meter.h"
#include "switch/switch.h"

#define PORT_QUEUES_MAX	 8
#define PORT_FLOW_SLOTS	 1024
#define PORT_REASON_MAX	 224
#define PORT_HELPERS_MAX 4 /* threads beside the workers that count frames of ports: those of host ports */

struct port_ops {
	const char *type; /* as in cli.md: "vhost-user" */

	/* Worker. Fills b->frames from 0 on with up to BURST_MAX - b->n_unwanted frames; returns how many. */
	unsigned (*rx_burst)(struct port *p, unsigned q, struct burst *b);

	/* Worker, after each rx_burst that returned frames: their memory is the sender's again. */
	void (*rx_done)(struct port *p, unsigned q, struct burst *b);

	/* Worker, one at a time for a queue. Delivers d[0..n-1] in order, or counts why not, until there
	 * is no room: returns how many. Each is in tx_frames or tx_drops of c, or will be in those of a
	 * helper's block once its fate is known; drops that c gets are seen here at once. The
	 * caller tries the others again or counts them as TX_RING_FULL. */
	unsigned (*tx_burst)(struct port *p, unsigned q, const struct frame *frames,
			     const struct delivery *d, unsigned n, struct port_counters *c);

	/* Worker. Asks for a kick on the next frame; true when frames wait already. */
	bool (*arm)(struct port *p, unsigned q);

	/* Worker. Polling again: no kicks, please. */
	void (*disarm)(struct port *p, unsigned q);

	/* Control. Administrator's up (which also heals an errored port) or down. */
	int (*admin)(struct port *p, bool up, struct err *err);

	/* Control; may be NULL. Whoever is at the port shall see a link from now on, or none. */
	void (*carrier)(struct port *p, bool on);

	/* Control; may be NULL. The administrator is about to give another MTU (0: none any more); 0, or
	 * -errno with a sentence, and it stays. */
	int (*mtu)(struct port *p, uint32_t mtu, struct err *err);

	/* Control; may be NULL. Adds path, queues and features. */
	void (*info)(const struct port *p, struct port_info *info);

	/* Control; may be NULL. A worker has called port_fault_raise(). */
	void (*fault)(struct port *p);

	/* Control; may be NULL. The workers have ended, and a successor goes on with the port: what it owes its
	 * other side goes out, and what two processes cannot both have is given back. */
	void (*yield)(struct port *p);

	/* Control. Stops and frees the port (port_fini() within). */
	void (*destroy)(struct port *p);
};

/* What a guest's transmit ring takes of its worker. */
struct ring_load {
	_Atomic uint64_t busy_cycles; /* its worker: rw, ctl: ro; TSC spent on its frames */
	uint64_t seen;		      /* ctl: of busy_cycles, at the last reading */
	uint32_t rests_until_s;	      /* ctl: by switch_now_s(): it has just moved */
} __attribute__((aligned(64)));

/* ctl: written by control only. Workers see these through the view and the vtable alone, except
 * what is marked. */
struct port {
	const struct port_ops *ops;
	uint16_t id; /* slot in the switch; reused after the port is gone */
	uint32_t rx_mask, tx_mask; /* queues that run */
	uint8_t rx_worker[PORT_QUEUES_MAX];
	int kick_fd[PORT_QUEUES_MAX]; /* -1: the queue can only be polled */
	struct switch_ *sw;
	struct bridge *bridge;
	struct arena_port *kept; /* its slot: VLAN policy, MTU and what else outlives a crash */
	uint32_t mtu_told; /* bytes; the peer's, where none was given. 0: not told */
	enum port_state state;
	bool carrier; /* see switch/carrier.h */
	bool unsettled; /* its driver is between two steps that a successor must see both of, or none */
	char reason[PORT_REASON_MAX];
	char name[SWITCH_NAME_MAX];
	struct port *peer; /* the other end of a link, else NULL */
	bool link_first;
	void *user;
	/* See switch/tally.h; each block is written by its thread alone. */
	struct port_counters *counters;
	atomic_flag tx_lock[PORT_QUEUES_MAX]; /* worker: taken for one run of one burst */
	/* worker: queue + 1 on which this port last sent a flow; racy by design, a hint */
	_Atomic uint8_t flow_queue[PORT_FLOW_SLOTS];
	atomic_bool fault_raised;
	struct meter storm, rate; /* worker: rw, ctl: reset with another limit */
	TAILQ_ENTRY(port) link;
	struct ring_load load[PORT_QUEUES_MAX];
};

/* Checks name, bridge, VLAN policy, takes an id and registers *p, which the driver allocated
 * zeroed. Afterwards undo with port_fini(). */
int port_init(struct port *p, struct switch_ *sw, const struct port_opts *opts,
	      const struct port_ops *ops, struct err *err);

/* Takes the port out of the view and forgets its addresses and id. The memory stays the driver's. */
void port_fini(struct port *p);

/* A ring that workers may now use. kick_fd becomes readable when frames wait (-1: polled); it stays
 * the driver's and is watched until port_rx_stop(). */
int port_rx_start(struct port *p, unsigned q, int kick_fd, struct err *err);
int port_tx_start(struct port *p, unsigned q, struct err *err);

/* Gives a running ring to another worker: no frame of it is lost or overtakes another. On failure it
 * stays where it was. */
int port_rx_move(struct port *p, unsigned q, unsigned worker);

/* On return no worker is in the ring or will be. */
void port_rx_stop(struct port *p, unsigned q);
void port_tx_stop(struct port *p, unsigned q);
void port_stop_all(struct port *p);

/* On return no worker uses what it can only have seen before: for what changes in running rings. */
void port_grace_period(struct port *p);

/* Sets the state and its reason ("" clears it), logs a change. */
void port_state_set(struct port *p, enum port_state s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The front end may have shown its guest a link by itself: who manages it is told again what it is. */
void port_carrier_retell(struct port *p);

/* What its driver has kept of the port in this slot (struct arena_port.driver), which is not made yet; NULL:
 * there is none. */
const void *port_slot_driver(struct switch_ *sw, uint16_t slot);

/* From here on to port_served() a crash of this thread is laid to the port: what its other side wants is done. */
void port_serve(struct port *p);
void port_served(struct port *p);

/* What the peer says that its MTU is (0: nothing any more); counts until the administrator gives one. */
void port_mtu_tell(struct port *p, uint32_t mtu);

/* The block of helper thread h, which alone writes it: for what is counted away from the workers. A frame
 * whose fate a helper decides is counted there alone: nothing that was counted is ever taken back. */
struct port_counters *port_helper_counters(const struct port *p, unsigned h);

/* The index in counters[] of the block that is in no sum: for forwarding that only looks (trace). */
unsigned port_scratch_block(const struct switch_ *sw);

/* Any thread. Makes the control thread call ops->fault soon: for a worker that met a violation. The
 * driver keeps what happened in atomics of its own. */
void port_fault_raise(struct port *p);

#endif
