/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queues of an uplink, as workers use them.
 *
 * How      A received burst's mbufs are held until rx_done(). What the device has no room for goes back to
 *          the switch, which tries it once more; of a frame that was cut into packets some may be
 *          on the wire already, and then it is counted as rx_ring_full.
 *          Frames for which an interface's socket had no room are counted as rx_missed, every
 *          thousand bursts and before a sleep. What a NIC misses is in its own statistics.
 * Threads  those of struct port_ops.
 */
#ifndef TAP_UPLINK_RINGS_H
#define TAP_UPLINK_RINGS_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "switch/port.h"
#include "tap/ethdev.h"

struct uplink_queue {
	struct rte_mbuf *held[BURST_MAX]; /* worker; of the burst that it has */
	unsigned n_held;
	unsigned n_bursts;
	uint64_t missed; /* frames, as far as they are counted */
	atomic_bool armed;
} __attribute__((aligned(64)));

struct uplink {
	struct port port;
	struct ethdev dev;	  /* ctl: rw while no ring runs, worker: ro */
	_Atomic uint32_t len_max; /* ctl: rw, worker: ro; bytes that the interface takes now */
	struct uplink_queue queue[PORT_QUEUES_MAX];

	/* ctl */
	char device[DEVICE_TEXT_MAX];
	unsigned n_queues;
	bool wanted; /* up, for all that the administrator says */
	struct device_ask *asked; /* of another process, which opens it */
	unsigned asked_ifindex;
	struct loop_timer *poll; /* of links that nobody tells of */
	struct loop_timer *retry;
	uint64_t retry_ns;	/* what it waits; more after each try that failed */
	unsigned tried_ifindex; /* the interface of the last try that failed */
	bool waits; /* for uplinks_open(), by this link */
	TAILQ_ENTRY(uplink) link;
	TAILQ_ENTRY(uplink) all; /* of uplink_next() */
};

static inline struct uplink *uplink_of(struct port *p)
{
	return (struct uplink *)p;
}

/* Control, while the queue does not run: what was missed so far does not count. */
void uplink_missed_reset(struct uplink *u, unsigned q);

/* The slots of struct port_ops (switch/port.h) that workers call. */
unsigned uplink_rx_burst(struct port *p, unsigned q, struct burst *b);
void uplink_rx_done(struct port *p, unsigned q, struct burst *b);
unsigned uplink_tx_burst(struct port *p, unsigned q, const struct frame *frames,
			 const struct delivery *d, unsigned n, struct port_counters *c);
bool uplink_arm(struct port *p, unsigned q);
void uplink_disarm(struct port *p, unsigned q);

#endif
