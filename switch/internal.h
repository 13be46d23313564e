/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of switch/ share among themselves: the switch and its bridges.
 *
 * Threads  ctl: control only; the rest says its own.
 */
#ifndef SWITCH_INTERNAL_H
#define SWITCH_INTERNAL_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "switch/arena.h"
#include "switch/fdb.h"
#include "switch/port.h"
#include "switch/view.h"
#include "switch/watch.h"

struct rte_rcu_qsbr;
struct worker;

struct bridge {
	struct switch_ *sw;
	char name[SWITCH_NAME_MAX];
	struct arena_bridge *kept; /* its slot */
	uint16_t slot;		   /* its number */
	struct fdb *fdb;
	unsigned n_ports;
	unsigned index; /* in the view being built */
	unsigned n_owners; /* likewise: ports with guard mac */
	uint64_t sweep_at;
	uint32_t sweep_next_s; /* from the end of a sweep to the next address that will expire */
	bool sweeping;
	uint64_t n_left_out; /* moves of addresses, told so far */
	void *user;
	TAILQ_ENTRY(bridge) link;
};

TAILQ_HEAD(bridge_list, bridge);
TAILQ_HEAD(port_list, port);

struct switch_ {
	struct loop *loop;
	struct switch_opts opts;
	struct arena *arena;
	struct tally *tally;
	struct bridge_list bridges;
	struct port_list ports;
	struct watch_list watches;
	unsigned n_bridges;
	struct port *by_id[SWITCH_PORTS_MAX];
	uint64_t tsc_start, tsc_hz;
	struct rte_rcu_qsbr *qsbr;
	_Atomic(struct view *) view; /* written by control, read by workers */
	uint64_t view_seq;	     /* ctl: of the last one built */
	atomic_bool stop;	     /* ctl: rw, worker: ro */
	bool adopted;		     /* ctl: the arena is a predecessor's */
	bool adopting;		     /* ctl: see switch_adopting() */
	bool closing;		     /* ctl: the workers have gone, views are built no more */
	struct worker **workers;
	unsigned n_workers_started;
	_Atomic uint32_t notices; /* NOTICE_*: workers set, control clears */
	int notice_fd;		  /* workers write, control reads */
	struct loop_fd *notice_watch;
	atomic_bool sweep_planned; /* ctl: rw, worker: ro; the timer below will come */
	struct loop_timer *sweep_timer;
	uint64_t balance_tsc; /* ctl: when the rings' loads were read */
	switch_change_fn change_fn; /* ctl */
	void *change_arg;
	struct fdb_listener moves; /* see there */
	struct loop_timer *moves_timer;
};

/* What a worker has for control to do. */
#define NOTICE_FAULT 1u /* a driver's ring, see port_fault_raise() */
#define NOTICE_SWEEP 2u /* there are learned addresses, and nobody is going to look after them */
#define NOTICE_BUSY  4u /* a worker had hardly a pause in the last second; where there are several */

#define NOTICE_MOVES 8u /* addresses have moved, and somebody wants to know */

/* Tells the listener, if there is one. */
void switch_change_tell(struct switch_ *sw, const struct switch_change *change);

/* switch/moves.c: what workers noted of moved addresses. */
void moves_init(struct switch_ *sw);
void moves_handle(struct switch_ *sw);

/* Any thread. */
void switch_notice(struct switch_ *sw, uint32_t notice);

/* Addresses may expire sooner than was thought. */
void switch_sweep_soon(struct switch_ *sw);

/* Tells the listener of a change of this port. */
void port_change_tell(struct port *p, enum switch_event event, enum port_state was);

/* Builds the view of what is wanted now, swaps it in, waits until no worker uses the old one. Out of
 * memory leaves the old view, and the caller's change is not seen: -ENOMEM. */
int switch_publish(struct switch_ *sw);

/* Returns when every worker has passed a moment at which it held nothing. */
void switch_grace_period(struct switch_ *sw);

/* switch/adopt.c: the arena, a predecessor's where one is kept. -errno with a sentence. */
int adopt_begin(struct switch_ *sw, struct err *err);

/* Seconds since the first of the processes that took over from each other started, by TSC: the clock of the
 * forwarding database. Any thread. */
uint32_t switch_now_s(const struct switch_ *sw);

#endif
