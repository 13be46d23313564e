/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/ethdev_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_lcore.h>

#include "switch/hold.h"

#define MTU_ETHERNET	 1500
#define OVERHEAD	 (FRAME_MIN + 2 * VLAN_TAG + 4) /* bytes of a frame beside its payload; FCS too */
#define RING		 1024 /* entries of a queue, where the driver has no wish */
#define ROOM		 2048 /* bytes of an mbuf's data */
#define XDP_HEADROOM	 256  /* the kernel's, in each */
#define XDP_FILL	 2048 /* buffers that the driver has in the kernel's hands for each queue */
#define XDP_SENT	 1024 /* … and may have in its ring of completions */
#define AF_PACKET_HEADER 96   /* bytes of a slot before the frame, at most */
#define AF_PACKET_SLOT	 2048 /* bytes, where the user gave none */

/* ---- arguments that follow ---- */

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = AF_PACKET_SLOT;

	while (p < n)
		p *= 2;
	return p;
}

int ethdev_text_complete(const struct device_name *d, const struct ethdev_opts *opts, uint32_t mtu,
			 char *out, size_t size)
{
	int at = snprintf(out, size, "%s%s%s", d->name, d->args[0] ? "," : "", d->args);
	const char *queues = device_is(d, "net_af_packet") ? "qpairs"
			     : device_is(d, "net_af_xdp")  ? "queue_count"
							   : NULL;
	uint32_t slot = power_of_two(mtu + OVERHEAD + AF_PACKET_HEADER);

	if (queues && opts->n_queues > 1 && (size_t)at < size)
		at += snprintf(out + at, size - (size_t)at, ",%s=%u", queues, opts->n_queues);
	if (device_is(d, "net_af_packet") && slot > AF_PACKET_SLOT && (size_t)at < size)
		at += snprintf(out + at, size - (size_t)at, ",framesz=%u,blocksz=%u", slot,
			       slot < 4096 ? 4096 : slot);
	return (size_t)at < size ? 0 : -E2BIG;
}

/* ---- the plan ---- */

static void plan_offloads(struct ethdev *e, struct ethdev_plan *p)
{
	const uint64_t rx = RTE_ETH_RX_OFFLOAD_CHECKSUM;
	const uint64_t sums = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	const uint64_t tso = RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |
			     RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	uint64_t capa = p->info.tx_offload_capa, tx = capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

	e->tx.multi_seg = tx;
	e->tx.offloads = 0;
	if ((capa & sums) == sums) {
		tx |= sums | (capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
		e->tx.offloads |= OFFLOAD_CSUM;
		if ((capa & tso) == tso) {
			tx |= tso;
			e->tx.offloads |= OFFLOAD_TSO;
		}
	}
	p->conf.txmode.offloads = tx;
	p->conf.rxmode.offloads = p->info.rx_offload_capa & rx;
	e->rx.sum_check = true; /* of frames that the device says nothing of */
}

static void plan_queues(struct ethdev *e, struct ethdev_plan *p)
{
	const uint64_t rss = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

	if (e->n_queues > 1 && p->info.flow_type_rss_offloads & rss) {
		p->conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		p->conf.rx_adv_conf.rss_conf.rss_hf = p->info.flow_type_rss_offloads & rss;
	}
	p->n_rx = p->info.default_rxportconf.ring_size;
	p->n_tx = p->info.default_txportconf.ring_size;
	/* AF_XDP's buffers are all resident: fewer than its driver wants do. */
	if (!p->n_rx || device_is(&e->name, "net_af_xdp"))
		p->n_rx = RING;
	if (!p->n_tx || device_is(&e->name, "net_af_xdp"))
		p->n_tx = RING;
	if (p->info.dev_flags && *p->info.dev_flags & RTE_ETH_DEV_INTR_LSC) {
		p->conf.intr_conf.lsc = 1;
		e->link_events = true;
	}
	if (p->info.dev_flags && *p->info.dev_flags & RTE_ETH_DEV_INTR_RMV)
		p->conf.intr_conf.rmv = 1;
}

/* How long frames are, and in what buffers they fit. */
static int plan_lengths(struct ethdev *e, struct ethdev_plan *p, struct err *err)
{
	uint32_t max = p->info.max_mtu;

	p->pool.room = ROOM;
	if (device_is(&e->name, "net_af_packet")) {
		uint32_t slot = power_of_two(p->mtu + OVERHEAD + AF_PACKET_HEADER);

		max = slot - OVERHEAD - AF_PACKET_HEADER;
		p->pool.room = slot;
		e->rx.cut_len = slot - AF_PACKET_HEADER;
		e->rx.len_max = p->mtu + FRAME_MIN + 2 * VLAN_TAG;
	} else if (device_is(&e->name, "net_af_xdp")) {
		max = MBUF_ROOM_PAGE - XDP_HEADROOM - OVERHEAD;
		p->pool.room = MBUF_ROOM_PAGE;
	} else if (p->mtu + OVERHEAD > ROOM) {
		if (p->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER && e->tx.multi_seg)
			p->conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
		else
			p->pool.room = p->mtu + OVERHEAD;
	}
	if (p->mtu > max)
		return err_set(err, -EINVAL, "device %s takes an mtu of %u at most, not %u",
			       e->name.name, max, p->mtu);
	e->mtu_max = max;
	/* Of an interface the MTU is its owner's to set; drivers would set it. */
	if (!e->ifindex && p->mtu >= p->info.min_mtu)
		p->conf.rxmode.mtu = p->mtu;
	return 0;
}

static void plan_pool(const struct ethdev *e, struct ethdev_plan *p)
{
	const bool xdp = device_is(&e->name, "net_af_xdp");
	const bool copies = device_is(&e->name, "net_af_packet") || device_is(&e->name, "net_tap");

	p->pool.own = e->name.vdev && !device_is(&e->name, "net_virtio_user");
	p->pool.cached = !copies && !xdp;
	p->pool.n = (HOLDS_MAX + 2) * BURST_MAX;
	if (copies)
		p->pool.n += RING * e->n_queues;
	else if (xdp)
		p->pool.n += (XDP_FILL + XDP_SENT + RING) * e->n_queues;
	else
		p->pool.n += e->n_queues * (p->n_rx + p->n_tx);
	if (p->pool.cached)
		p->pool.n += 384 * (rte_lcore_count() + 1); /* what workers may have at hand */
}

int ethdev_plan_make(struct ethdev *e, const struct ethdev_opts *opts, struct ethdev_plan *p,
		     struct err *err)
{
	uint32_t iface_mtu = 0;
	int rc;

	memset(p, 0, sizeof(*p));
	rc = rte_eth_dev_info_get(e->id, &p->info);
	if (rc < 0)
		return err_set(err, rc, "device %s tells nothing of itself: %s", e->name.name,
			       strerror(-rc));
	e->n_queues = opts->n_queues ? opts->n_queues : 1;
	if (e->n_queues > p->info.max_rx_queues || e->n_queues > p->info.max_tx_queues)
		return err_set(err, -EINVAL, "device %s has %u queues, not %u", e->name.name,
			       RTE_MIN(p->info.max_rx_queues, p->info.max_tx_queues), e->n_queues);
	if (e->name.iface[0] && iface_find(e->name.iface, &e->ifindex, &iface_mtu) < 0)
		return err_set(err, -ENODEV, "there is no interface \"%s\"", e->name.iface);
	if (iface_mtu_check(e->name.iface, iface_mtu, opts->mtu, err) < 0)
		return -EINVAL;
	p->mtu = opts->mtu ? opts->mtu : iface_mtu ? iface_mtu : MTU_ETHERNET;
	plan_offloads(e, p);
	plan_queues(e, p);
	rc = plan_lengths(e, p, err);
	plan_pool(e, p);
	return rc;
}
