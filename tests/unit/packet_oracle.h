/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets built from their fields, for comparison with what switch/packets.c makes of bytes.
 *
 * What     oracle_build() writes an Ethernet frame field by field; oracle_segment() says what the
 *          fields of one segment are. Nothing is shared with the code under test: the checksum is
 *          RFC 1071 over a pseudo header that is laid out and summed byte by byte.
 */
#ifndef TESTS_UNIT_PACKET_ORACLE_H
#define TESTS_UNIT_PACKET_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORACLE_FIN 0x01
#define ORACLE_PSH 0x08
#define ORACLE_CWR 0x80

#define ORACLE_TCP 6
#define ORACLE_UDP 17

struct fields {
	uint8_t macs[12];
	unsigned n_tags;
	uint16_t tags[3][2]; /* TPID, TCI */
	bool v6;
	uint8_t tos, ttl;
	uint32_t flow_label;
	uint16_t id, frag;	  /* IPv4 */
	uint8_t src[16], dst[16]; /* IPv4: the first 4 */
	uint8_t last_dst[16];	  /* where a routing header leads, and what is summed */
	uint8_t between[160];	  /* IPv4 options, or IPv6 extension headers but their chain */
	unsigned n_between;
	uint8_t extensions[8];	    /* IPv6: protocol numbers in order … */
	unsigned extension_lens[8]; /* … and bytes, together n_between */
	unsigned n_extensions;
	uint8_t proto;
	uint16_t sport, dport;
	uint32_t seq, ack; /* TCP from here on */
	uint8_t flags;
	uint16_t window, urgent;
	uint8_t options[40];
	unsigned n_options;
	const uint8_t *payload;
	size_t n_payload;
};

/* How much of the checksum is in the frame. */
enum oracle_sum { ORACLE_FULL, ORACLE_PARTIAL };

/* Where things came to lie. */
struct layout {
	size_t l3, l4, payload, len;
};

/* Writes the frame to out. */
struct layout oracle_build(const struct fields *f, enum oracle_sum sum, uint8_t *out);

/* RFC 1071: what is stored, high byte first, for these bytes. */
unsigned oracle_checksum(const uint8_t *p, size_t n);

/* Number i of the segments of at most `size` bytes that f is cut into; returns how many they are.
 */
unsigned oracle_segment(const struct fields *f, unsigned size, unsigned i, struct fields *out);

#endif
