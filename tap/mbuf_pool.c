/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/mbuf_pool.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#define CACHE 256 /* mbufs that a worker has at hand */

static unsigned n_pools; /* ever made: for their names */

static void memory_free(struct rte_mempool_memhdr *hdr, void *size)
{
	munmap(hdr->addr, (size_t)(uintptr_t)size);
}

/* Its objects, in one piece of memory that nobody else has. */
static int populate_own(struct rte_mempool *mp, uint32_t n)
{
	size_t each = mp->header_size + mp->elt_size + mp->trailer_size, size = (n + 1) * each;
	void *va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int rc;

	if (va == MAP_FAILED)
		return -errno;
	rc = rte_mempool_populate_iova(mp, va, RTE_BAD_IOVA, size, memory_free,
				       (void *)(uintptr_t)size);
	if (rc <= 0) {
		munmap(va, size);
		return rc < 0 ? rc : -ENOMEM;
	}
	return rc < (int)n ? -ENOMEM : 0;
}

int mbuf_pool_create(const struct mbuf_pool_opts *opts, struct rte_mempool **out, struct err *err)
{
	struct rte_pktmbuf_pool_private priv = {
		.mbuf_data_room_size = (uint16_t)(opts->room + RTE_PKTMBUF_HEADROOM)};
	uint32_t size = (uint32_t)sizeof(struct rte_mbuf) + priv.mbuf_data_room_size;
	unsigned flags = RTE_MEMPOOL_F_NO_SPREAD;
	struct rte_mempool *mp;
	char name[RTE_MEMPOOL_NAMESIZE];
	int rc;

	snprintf(name, sizeof(name), "uplink%u", n_pools++);
	/* No spreading over memory channels: it would make pages of AF_XDP overflow. Across pages only
	 * where no hardware and no kernel has to know. */
	if (opts->own && opts->room != MBUF_ROOM_PAGE)
		flags |= RTE_MEMPOOL_F_NO_IOVA_CONTIG;
	mp = rte_mempool_create_empty(name, opts->n, size, opts->cached ? CACHE : 0, sizeof(priv),
				      SOCKET_ID_ANY, flags);
	if (!mp)
		return err_set(err, -ENOMEM,
			       "DPDK's memory has no room for a pool of %u buffers: %s", opts->n,
			       rte_strerror(rte_errno));
	rte_mempool_set_ops_byname(mp, rte_mbuf_best_mempool_ops(), NULL);
	rte_pktmbuf_pool_init(mp, &priv);
	rc = opts->own ? populate_own(mp, opts->n) : rte_mempool_populate_default(mp);
	if (rc < 0) {
		rte_mempool_free(mp);
		err_set(err, -ENOMEM, "there is no memory for %u buffers of %u bytes: %s", opts->n,
			opts->room, strerror(-rc));
		return opts->own ? -ENOMEM : err_hint(err, "reserve more hugepages");
	}
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	*out = mp;
	return 0;
}

void mbuf_pool_destroy(struct rte_mempool *mp)
{
	rte_mempool_free(mp);
}
