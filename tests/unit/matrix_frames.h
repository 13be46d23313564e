/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of every kind that a sender may leave work on, and what a receiver must get of each.
 *
 * What     matrix_make() makes one frame of a kind, its other properties (options, extension headers,
 *          lengths) by dice; matrix_packet() says byte for byte what a receiver that takes
 *          so much of the offloads gets of it.
 * How      Both are written from fields by tests/unit/packet_oracle.h: nothing is shared with the
 *          switch but the numbers of virtio's header.
 */
#ifndef TESTS_UNIT_MATRIX_FRAMES_H
#define TESTS_UNIT_MATRIX_FRAMES_H

#include "switch/vnet_hdr.h"
#include "tests/unit/packet_oracle.h"

/* X(enumerator, name) */
#define MATRIX_KINDS(X)                             \
	X(MATRIX_PLAIN, "plain")                    \
	X(MATRIX_TCP4, "tcp4 checksum")             \
	X(MATRIX_TCP6, "tcp6 checksum")             \
	X(MATRIX_UDP4, "udp4 checksum")             \
	X(MATRIX_UDP6, "udp6 checksum")             \
	X(MATRIX_INNER, "checksum inside a tunnel") \
	X(MATRIX_TSO4, "tso4")                      \
	X(MATRIX_TSO6, "tso6")                      \
	X(MATRIX_ECN4, "tso4 with ecn")             \
	X(MATRIX_ECN6, "tso6 with ecn")             \
	X(MATRIX_ONE, "tso of one segment")

enum matrix_kind {
#define X(e, name) e,
	MATRIX_KINDS(X)
#undef X
	MATRIX_N_KINDS
};
extern const char *const matrix_kind_names[MATRIX_N_KINDS];

#define MATRIX_SEGMENTS 60    /* at most, of one frame */
#define MATRIX_PAYLOAD	65000 /* bytes at most */
#define MATRIX_ROOM	(MATRIX_PAYLOAD + 512)

/* Abilities: of a sender what it may leave, of a receiver what it takes. */
#define MATRIX_CAN_CSUM 1
#define MATRIX_CAN_TSO4 2
#define MATRIX_CAN_TSO6 4
#define MATRIX_CAN_ECN	8

struct matrix_tags {
	unsigned n;
	uint16_t tags[3][2]; /* TPID, TCI */
};

struct matrix_frame {
	enum matrix_kind kind;
	struct fields f, inner; /* inner: of MATRIX_INNER */
	struct vnet_hdr hdr;	/* what is asked */
	unsigned needs;		/* MATRIX_CAN_* that the sender must have negotiated */
	uint32_t len;
	uint8_t bytes[MATRIX_ROOM]; /* as sent */
	uint8_t payload[MATRIX_ROOM];
};

/* tame: nothing that changes a packet's meaning for an analyzer (source routes, random options). */
void matrix_make(struct matrix_frame *m, enum matrix_kind kind, const uint8_t macs[12],
		 const struct matrix_tags *tags, bool tame);

struct matrix_packet {
	struct vnet_hdr hdr; /* but for num_buffers */
	uint32_t len;
	uint8_t bytes[MATRIX_ROOM];
};

/* Packet i of those that a receiver which takes `takes` gets of m, with these tags; how many there are. */
unsigned matrix_packet(const struct matrix_frame *m, const struct matrix_tags *left, unsigned takes,
		       unsigned i, struct matrix_packet *out);

#endif
