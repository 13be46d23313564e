/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One queue of a host port: the two rings between its worker, which makes no system calls, and the
 * pump, which does nothing else.
 *
 * What     To the host: the worker copies each delivery, once, into a record of `tx` as it is to be
 *          written to the descriptor. From the host: the pump reads into records of `rx`, and the
 *          worker's frames are those bytes where they lie.
 * How      Who finds nothing to do sleeps, and is woken by an eventfd that the other side writes only
 *          then: kick_fd wakes the worker, pump_fd the pump. Nobody reads them: both sides wait for
 *          edges.
 *          Whether a frame was sent is known when the host has taken its last packet: the pump
 *          counts it then, or why it was dropped (switch/port.h, port_helper_counters()).
 * Threads  the functions here: the worker, as in struct port_ops; create and destroy: control; the
 *          pump's side is in tap/pump.c.
 * Trust    What the host gives is hostile, headers included: the same checks as for a guest. The bytes
 *          themselves are in memory of ours and do not change.
 */
#ifndef TAP_HOST_QUEUE_H
#define TAP_HOST_QUEUE_H

#include <sys/queue.h>

#include "switch/byte_ring.h"
#include "switch/port.h"

#define HOST_RING (1024 * 1024) /* bytes each way: 16 frames of 64 KB, or 10,000 of 60 bytes */

/* How frames look on the descriptor. */
struct host_format {
	uint8_t hdr_len;   /* VNET_HDR before each frame, or 0 */
	uint32_t offloads; /* OFFLOAD_* that the host may leave and takes; 0 without headers */
	bool pad;	   /* frames to it are at least FLAT_MIN bytes */
	bool socket;	   /* of datagrams, else a character device */
};

struct pump;

struct host_queue {
	struct byte_ring rx __attribute__((aligned(64)));
	struct byte_ring tx;
	struct host_format format; /* constant */
	int kick_fd, pump_fd;
	struct port *port;
	struct pump *pump; /* ctl; NULL: not running */

	/* The pump's while it runs, else control's. */
	TAILQ_ENTRY(host_queue) link;
	int fd;
	bool active, rx_ready, tx_ready, tx_blocked;
	int failed; /* -1, or the enum tx_drop of the frame that is being written */
	const uint8_t *pending; /* a record of tx that would have blocked */
	uint32_t pending_len, pending_tag;
	struct port_counters *counters;
	atomic_int
		error; /* pump: rw, control: ro; errno of the first refusal, for ops->fault; or 0 */
};

/* -errno. */
int host_queue_create(struct host_queue *hq, struct port *port, const struct host_format *format);
void host_queue_destroy(struct host_queue *hq); /* accepts one that is all zero */

unsigned host_queue_rx_burst(struct host_queue *hq, struct burst *b);
void host_queue_rx_done(struct host_queue *hq);
unsigned host_queue_tx_burst(struct host_queue *hq, const struct frame *frames,
			     const struct delivery *d, unsigned n, struct port_counters *c);
bool host_queue_arm(struct host_queue *hq);
void host_queue_disarm(struct host_queue *hq);

#endif
