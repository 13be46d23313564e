/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffers of one device, made with it and freed with it.
 *
 * How      A vdev's driver copies or pins its buffers: they lie in one piece of memory of their own, which goes
 *          back to the system with the pool. Drivers that do DMA, or that share EAL's memory with other
 *          processes, have them in EAL's memory.
 * Threads  control only.
 */
#ifndef TAP_MBUF_POOL_H
#define TAP_MBUF_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define MBUF_ROOM_PAGE 3776 /* bytes */

struct rte_mempool;

struct mbuf_pool_opts {
	uint32_t n;    /* mbufs */
	uint32_t room; /* bytes of data in each, without headroom */
	bool own;      /* memory of its own */
	bool cached;   /* workers keep some at hand: for devices that are fast */
};

/* -ENOMEM or -errno with a sentence. */
int mbuf_pool_create(const struct mbuf_pool_opts *opts, struct rte_mempool **out, struct err *err);
void mbuf_pool_destroy(struct rte_mempool *mp); /* accepts NULL; all mbufs must be back */

#endif
