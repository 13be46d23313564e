/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type `fake`: a port that a test feeds and reads, so that the whole switch runs without
 * guests.
 *
 * How      fake_inject() queues a frame for the worker, and kicks it if it asked for that; what the
 *          switch delivers to the port is kept in order. fake_settle() returns when every injected
 *          frame has been forwarded or dropped.
 * Threads  all functions: the test's (control) thread.
 */
#ifndef TESTS_FAKE_PORT_H
#define TESTS_FAKE_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "switch/port.h"

struct fake_port;

/* The port is up at once; n_queues is 1 to PORT_QUEUES_MAX. Freed with its switch or port_del(). */
int fake_port_add(struct switch_ *sw, const struct port_opts *opts, unsigned n_queues,
		  struct fake_port **out, struct err *err);
struct port *fake_port(struct fake_port *fp);

void fake_inject(struct fake_port *fp, const void *frame, size_t len);
void fake_inject_q(struct fake_port *fp, unsigned q, const void *frame, size_t len);

/* The worker has asked for a kick on queue 0: it does not poll it. */
bool fake_is_quiet(struct fake_port *fp);

/* The following frames are refused with rx_ring_full until called with false. */
void fake_full_set(struct fake_port *fp, bool full);

/* Before frames flow: it has room for n frames, and for n again each time that it had none. 0: always. */
void fake_room_set(struct fake_port *fp, unsigned n);

/* What is delivered from now on is counted as a helper thread's: the worker's block does not tell. */
void fake_helper_counts_set(struct fake_port *fp, bool on);

/* Before frames flow: the worker calls fn when it has taken frames of queue 0; n_left are still there. */
void fake_on_taken(struct fake_port *fp, void (*fn)(void *arg, unsigned n_left), void *arg);

/* While true, no fake port of any switch gives a frame: to let several begin at the same moment. */
void fake_hold_all(bool hold);

/* How often it was given frames. */
unsigned fake_n_tx_calls(const struct fake_port *fp);

/* What its driver was last told of the carrier, and how often it was told. */
bool fake_carrier(const struct fake_port *fp, unsigned *n_told);

/* Stops the test after 10 s without rest. */
void fake_settle(struct switch_ *sw);

/* What was delivered since the last fake_clear(), in order. */
unsigned fake_n_out(struct fake_port *fp);
const uint8_t *fake_out(struct fake_port *fp, unsigned i, size_t *len);
unsigned fake_out_q(struct fake_port *fp, unsigned i);
void fake_clear(struct fake_port *fp);

/* Stops the test unless the sums of cli.md close on every port of the switch, all at rest:
 * received = forwarded + dropped. */
void sums_check(struct switch_ *sw);

#endif
