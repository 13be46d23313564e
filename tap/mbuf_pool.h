/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffers of one device, made with it and freed with it.
 *
 * How      For drivers that copy or pin (a vdev) in memory of their own, one piece, which the
 * system has back afterwards; for those that do DMA or share EAL's memory with others, in EAL's.
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

int mbuf_pool_create(const struct mbuf_pool_opts *opts, struct rte_mempool **out, struct err *err);
void mbuf_pool_destroy(struct rte_mempool *mp); /* accepts NULL; all mbufs must be back */

#endif
