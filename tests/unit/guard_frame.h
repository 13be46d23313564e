/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for guards, put together byte by byte, and what one that checks `checks` says of each.
 */
#ifndef TESTS_UNIT_GUARD_FRAME_H
#define TESTS_UNIT_GUARD_FRAME_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switch/guard.h"

#define MAC	 0x02, 0x00, 0x00, 0x00, 0x00, 0x01
#define OTHER	 0x02, 0x00, 0x00, 0x00, 0x00, 0x02
#define EVERYONE 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define V4	 10, 0, 0, 1
#define V4_OTHER 10, 0, 0, 2
#define ZERO4	 0, 0, 0, 0
#define V6	 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
#define V6_OTHER 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2
#define LOCAL	 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1
#define ZERO6	 ZERO4, ZERO4, ZERO4, ZERO4
#define TAG(vid) 0x81, 0x00, (vid) >> 8, (vid)&255
#define STAG	 0x88, 0xa8, 0, 5
#define SNAP	 0, 60, 0xaa, 0xaa, 3, 0, 0, 0
#define IPV4	 0x08, 0x00
#define IPV6	 0x86, 0xdd
#define ARP	 0x08, 0x06

/* A frame under construction. */
struct bytes {
	uint8_t b[600];
	unsigned n;
};

#define ADD(p, ...)                                                                                \
	bytes_add(p, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

void bytes_add(struct bytes *p, const uint8_t *bytes, size_t n);

void bytes_zeros(struct bytes *p, unsigned n);

/* An IPv4 header with n_options words of options; fragment as in its flags and offset. */
void bytes_ipv4(struct bytes *p, uint8_t protocol, unsigned fragment, const uint8_t source[4],
		unsigned n_options);

/* An IPv6 header, to everybody on the link. */
void bytes_ipv6(struct bytes *p, uint8_t next, const uint8_t source[16]);

/* A guard of MAC, V4 and V6 that checks these (GUARD_…). */
struct guard guard_of(uint8_t checks);

/* The burst lies as a driver has it: the head, and the rest in two pieces of the sender's memory. */
extern struct burst frame_burst;
extern uint8_t frame_memory[2][1000];

/* Lays p there as frame i. */
void frame_put(unsigned i, const struct bytes *p);

/* What becomes of one frame, which is delivered as it was whatever is found. */
uint8_t frame_verdict(uint8_t checks, const struct bytes *p);

#define START(p, ...)                                                                              \
	struct bytes p = {.n = 0};                                                                 \
	ADD(&p, EVERYONE, MAC, __VA_ARGS__)
#define A4(...) ((const uint8_t[4]){__VA_ARGS__})
#define A6(...) ((const uint8_t[16]){__VA_ARGS__})

#endif
