/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames from and into the buffers of DPDK's devices.
 *
 * What     mbufs_to_frames() makes frames of a burst of received mbufs; mbufs_begin() and
 *          mbufs_next() make the mbufs that a delivery becomes: one, or a packet each where its
 *          sender left a segmentation that the device does not do.
 * How      In: the head is copied, the pieces are those of the mbufs, which stay the caller's until
 *          rx_done(). Out: bytes are copied into mbufs of the device's pool, checksums finished
 *          meanwhile where the device does not take them, short frames padded with zeros.
 * Threads  the worker that has the burst.
 * Trust    lengths, pieces and checksums of what comes from the device are checked.
 */
#ifndef TAP_MBUFS_H
#define TAP_MBUFS_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/flat.h"

#define MBUF_ROOM_MIN 1024 /* bytes of data in the mbufs of a pool */

struct rte_mbuf;
struct rte_mempool;

/* How frames of a device are to be taken. */
struct mbufs_rx {
	bool sum_check;	  /* nobody else looks for unfilled checksums */
	uint32_t len_max; /* bytes of the longest that the interface's MTU allows; 0: not known */
	uint32_t cut_len; /* frames of so many bytes may have lost their end; 0: none has */
};

/* What a device does with frames. */
struct mbufs_tx {
	struct rte_mempool *pool;
	uint32_t offloads; /* OFFLOAD_* of TCP and UDP that it takes */
	uint32_t len_max;  /* bytes of the longest packet on its wire */
	bool multi_seg;	   /* takes packets in several mbufs */
};

/* Frames 0..n-1 of b are m[0..n-1]. */
void mbufs_to_frames(struct burst *b, struct rte_mbuf *const *m, unsigned n,
		     const struct mbufs_rx *how);

/* One delivery on its way into mbufs. */
struct mbufs_out {
	const struct mbufs_tx *how;
	const struct frame *frame;
	int shift;
	uint32_t offloads; /* OFFLOAD_* that the device does for it */
	struct flat flat;
};

/* f and d stay until the last mbufs_next(). */
void mbufs_begin(struct mbufs_out *o, const struct mbufs_tx *how, const struct frame *f,
		 const struct delivery *d);

static inline unsigned mbufs_n(const struct mbufs_out *o)
{
	return o->flat.ps.n;
}

/* The next of mbufs_n() packets, in m or, where that is NULL, in mbufs from the pool. m is an empty
 * mbuf and gone when there is no room: then it returns NULL. */
struct rte_mbuf *mbufs_next(struct mbufs_out *o, struct rte_mbuf *m);

/* Empty ones from the pool, all n or none. */
bool mbufs_take(struct rte_mempool *pool, struct rte_mbuf **m, unsigned n);

#endif
