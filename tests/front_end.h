/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user front end for tests and measurements: the other side of the wire, with rings and
 * memory of its own, so that a test can do what a guest does and what no guest should.
 *
 * How      fe_open() shakes hands and starts the rings; fe_send() and fe_recv() move frames one by
 *          one; whoever wants to be faster, or wrong, uses the rings and memory directly.
 * Threads  one front end, one thread. Calls block on the back end's replies, 5 s at most.
 */
#ifndef TESTS_FRONT_END_H
#define TESTS_FRONT_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "vhost-user/vu_ring.h"

#define FE_GPA 0x40000000ull /* guest address of the first byte of memory */

/* How a frame and its header are described. */
enum fe_layout { FE_ONE, FE_TWO, FE_INDIRECT };

struct fe_opts {
	const char *path;  /* NULL: memory and rings only, nobody at the other end of a socket */
	bool server;	   /* own the socket */
	int listen_fd;	   /* server: what fe_listen() gave for path; 0: fe_open() listens itself */
	unsigned n_pairs;  /* default 1 */
	uint16_t ring_size; /* default 256 */
	uint64_t features; /* to acknowledge, of those offered; default: fe_features_default() */
	uint32_t buf_size; /* of a receive buffer, header included; default 2048 - 64 */
	uint32_t tx_buf_size; /* of a transmit buffer, header included; default as buf_size */
	unsigned n_indirect; /* descriptors of a frame's indirect table; default 2 */
	enum fe_layout layout; /* of what is sent */
	unsigned n_regions; /* the memory is told as this many regions; default 1 */
	bool no_rings;	   /* stop before the rings are set up */
	bool no_kick_fd;   /* the back end polls */
	bool no_handshake; /* connect and say nothing */
	bool no_seal;	   /* the memory's file refuses seals: it can be truncated */
};

/* VERSION_1, MRG_RXBUF, INDIRECT_DESC, EVENT_IDX, PROTOCOL_FEATURES (and MQ for several pairs). */
uint64_t fe_features_default(unsigned n_pairs);

struct fe_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_desc *indirect; /* n_indirect a frame, for FE_INDIRECT */
	uint8_t *bufs;		     /* ring_size of them, stride apart */
	uint32_t stride;
	uint16_t size;
	uint16_t next_avail, last_used;
	uint16_t free_head, n_free; /* transmit: free descriptors, linked by next */
	int kick_fd, call_fd, err_fd;
};

struct fe {
	struct fe_opts opts;
	int fd, mem_fd;
	uint8_t *mem;
	size_t mem_size;
	uint64_t features, proto_features; /* acknowledged */
	unsigned hdr_len;
	unsigned n_rings;
	uint32_t stride; /* of receive buffers; of all without tx_buf_size */
	struct fe_ring rings[2 * 16]; /* even: receive, odd: transmit */
};

/* Listens on path, so that several back ends can come while fe_open() waits for the first: the
 * descriptor, which fe_open() closes, or -errno. */
int fe_listen(const char *path, struct err *err);

int fe_open(const struct fe_opts *opts, struct fe **out, struct err *err);
void fe_close(struct fe *fe); /* accepts NULL */

/* Sends one frame by pair p; false when the ring is full. Kicks when the back end wants it. */
bool fe_send(struct fe *fe, unsigned p, const void *frame, uint32_t len);

/* The same with a header of the caller's; hdr NULL: one that asks for nothing. */
bool fe_send_hdr(struct fe *fe, unsigned p, const struct vnet_hdr *hdr, const void *frame, uint32_t len);

/* Takes one frame from pair p into out and gives its buffers back: its length, or -1 for none. */
int fe_recv(struct fe *fe, unsigned p, void *out, uint32_t size);
/* The same, with the header that came; hdr may be NULL. */
int fe_recv_hdr(struct fe *fe, unsigned p, struct vnet_hdr *hdr, void *out, uint32_t size);

/* Takes back sent descriptors; returns how many frames. fe_send() does it when it needs to. */
unsigned fe_reclaim(struct fe *fe, unsigned p);

/* Guest address of a place in fe->mem. */
uint64_t fe_gpa(const struct fe *fe, const void *at);

/* Writes the kick eventfd whatever the back end wants. */
void fe_kick(struct fe *fe, unsigned ring);

/* Raw protocol: sends a message with descriptors; waits for a reply of its kind. */
int fe_msg_send(struct fe *fe, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		const int *fds, unsigned n_fds);
int fe_msg_reply(struct fe *fe, struct vu_msg *reply); /* 0, or -errno (-EPIPE: closed) */
int fe_get_u64(struct fe *fe, uint32_t request, uint64_t *value);
int fe_set_u64(struct fe *fe, uint32_t request, uint64_t value);
int fe_set_state(struct fe *fe, uint32_t request, uint32_t index, uint32_t num);

/* Where the ring is, for who takes it up without a socket: vu_ring_start(). */
struct vu_ring_state fe_ring_state(const struct fe *fe, unsigned ring);

/* Stops a ring as a driver's reset does: GET_VRING_BASE; the base through *base. */
int fe_ring_stop(struct fe *fe, unsigned ring, uint32_t *base);
/* Sets a ring up from base on and starts it. */
int fe_ring_start(struct fe *fe, unsigned ring, uint16_t base);
/* As a driver's reset: stops all rings, lays them out anew and starts them from 0. */
int fe_reset(struct fe *fe);

#endif
