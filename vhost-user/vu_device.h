/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device behind a vhost-user port: protocol state, guest memory and rings of one connection,
 * and the actions that the protocol asks for.
 *
 * How      vu_device_message() hands a message to vu_step() and carries its actions out, taking
 *          workers out of rings before it touches what they use.
 * Threads  control only; workers use a queue's ring alone, by the functions of vu_ring.h.
 */
#ifndef VHOST_USER_VU_DEVICE_H
#define VHOST_USER_VU_DEVICE_H

#include "switch/port.h"
#include "vhost-user/vu_conn.h"
#include "vhost-user/vu_kept.h"
#include "vhost-user/vu_mem.h"
#include "vhost-user/vu_proto.h"
#include "vhost-user/vu_ring.h"

/* A ring and the descriptors that go with it. Even rings are the guest's receive queues. */
struct vu_queue {
	struct vu_ring ring;
	int kick_fd, err_fd; /* -1: none; the call's is the ring's */
};

struct vu_device {
	struct port *port;
	struct vu_dev *dev; /* in the port's slot */
	struct vu_mem mem;
	struct vu_queue queues[VU_QUEUES_MAX];
	bool held;  /* rings stay stopped: the port is down, or errored by its guest */
};

/* adopt: the port's slot has what a predecessor left, for vu_device_adopt(). */
void vu_device_init(struct vu_device *d, struct port *p, unsigned n_pairs, bool adopt);

/* Goes on with what was left, the connection itself apart: memory, descriptors, rings unless d->held. -errno with
 * a sentence: not all of it could be taken up, and vu_device_reset() shall follow. */
int vu_device_adopt(struct vu_device *d, struct err *err);

/* A ring of the guest's is broken, or may run again (NULL). */
void vu_device_errored(struct vu_device *d, const char *text);

/* Workers out, everything unmapped and closed, protocol state as before a connection. */
void vu_device_reset(struct vu_device *d);

/* A front end has connected. */
void vu_device_connected(struct vu_device *d);

/* Handles c's whole message. 0, or -EPROTO with a sentence: the connection must be closed. */
int vu_device_message(struct vu_device *d, struct vu_conn *c, struct err *err);

/* Starts every ring that may run and does not. -EINVAL with a sentence when one cannot: its error
 * eventfd has been signalled. */
int vu_device_rings_start(struct vu_device *d, struct err *err);
void vu_device_rings_stop(struct vu_device *d);

/* True when a pair of rings is started and enabled. */
bool vu_device_pair_runs(const struct vu_device *d);
unsigned vu_device_n_pairs(const struct vu_device *d);
bool vu_device_any_started(const struct vu_device *d);

/* The sentence of a running ring's fault, which is also told to the front end; false when there is
 * none. */
bool vu_device_fault(struct vu_device *d, char *text, size_t size);

#endif
