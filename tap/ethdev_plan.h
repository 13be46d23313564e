/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a device is set up: which of its offloads, how many queues and entries, how long its frames, what mbufs.
 *
 * What     Decisions only: what the device offers and what was asked of it, against what drivers of 22.11 can do.
 * Threads  control only.
 */
#ifndef TAP_ETHDEV_PLAN_H
#define TAP_ETHDEV_PLAN_H

#include <rte_ethdev.h>

#include "tap/ethdev.h"
#include "tap/mbuf_pool.h"

struct ethdev_plan {
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	struct mbuf_pool_opts pool;
	uint32_t mtu;
	uint16_t n_rx, n_tx; /* entries of rings */
};

/* The device's text with what it needs for so many queues and frames so long. -E2BIG. */
int ethdev_text_complete(const struct device_name *d, const struct ethdev_opts *opts, uint32_t mtu,
			 char *out, size_t size);

/* Of e, which was probed; what follows for its rings is noted in e. -errno with a sentence: it cannot be so. */
int ethdev_plan_make(struct ethdev *e, const struct ethdev_opts *opts, struct ethdev_plan *p,
		     struct err *err);

#endif
