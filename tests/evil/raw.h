/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings and messages written by hand, for cases that do what no driver does and no front end.
 *
 * Threads  the case's.
 */
#ifndef TESTS_EVIL_RAW_H
#define TESTS_EVIL_RAW_H

#include "tests/evil/evil.h"

#define RX_RING 0 /* of the guest: what the switch delivers into */
#define TX_RING 1

#define SEND_MS 10000 /* for the switch to take a message of ours */

#define BROADCAST "\xff\xff\xff\xff\xff\xff"
#define EVIL_MAC  "\x02\0\0\0\xe0\1"

/* Descriptor i of a ring. */
void raw_desc(struct fe *fe, unsigned ring, unsigned i, uint64_t gpa, uint32_t len, unsigned flags,
	      unsigned next);

/* Where transmit buffer i is for the guest: a header that asks for nothing and a broadcast frame of
 * 60 bytes are put there. */
uint64_t raw_frame(struct fe *fe, unsigned i);

/* Makes a chain available, and kicks. */
void raw_offer(struct fe *fe, unsigned ring, unsigned head);

/* Moves the available index, and kicks. */
void raw_idx(struct fe *fe, unsigned ring, unsigned by);

/* Waits up to 5 s until the switch has used all that was made available; false: it did not. */
bool raw_used(struct fe *fe, unsigned ring);

/* A broadcast frame of len bytes from a well-behaved front end. */
void raw_send(struct scene *s, struct fe *fe, unsigned len);

/* Connects to port "evil" and says nothing. */
struct fe *raw_connect(struct scene *s);

/* Sends n bytes as they are; the case fails when the socket does not take them. */
void raw_bytes_send(struct scene *s, struct fe *fe, const void *bytes, size_t n);

/* True when the switch closes the connection within 5 s. */
bool raw_is_closed(struct fe *fe);

#endif
