/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/ethdev.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "base/log.h"
#include "base/loop.h"
#include "switch/eal.h"
#include "tap/ethdev_plan.h"
#include "tap/ethdev_sockets.h"
#include "tap/host.h"
#include "tap/mbuf_pool.h"
#include "tap/xdp_program.h"
#include "tap/xdp_words.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif

#define XDP_TRIES     3
#define XDP_WAIT_US   8000
#define EVENT_WAIT_US 50		       /* until on_event() is over, which only raises a flag */
#define DRAIN_MAX     (64 * 1024 / 32) /* bursts */

/* ---- probing ---- */

static int is_free(const struct device_name *d, struct err *err)
{
	struct rte_eth_dev_info info;
	unsigned ifindex = 0, n = 0;
	uint32_t mtu;
	uint16_t id;

	if (d->iface[0])
		iface_find(d->iface, &ifindex, &mtu);
	if (rte_eth_dev_get_port_by_name(d->name, &id) == 0) {
		err_set(err, -EBUSY, "another port has device %s", d->name);
		return d->vdev ? err_hint(err,
					  "the number at the end makes another one of that driver")
			       : -EBUSY;
	}
	RTE_ETH_FOREACH_DEV(id)
	{
		n++;
		if (ifindex && rte_eth_dev_info_get(id, &info) == 0 && info.if_index == ifindex)
			return err_set(err, -EBUSY, "another port has interface \"%s\"", d->iface);
	}
	if (n >= RTE_MAX_ETHPORTS)
		return err_set(err, -ENOSPC, "there are %u uplinks, the most that DPDK can have",
			       n);
	return 0;
}

static int may_probe(const struct device_name *d, struct err *err)
{
	int rc = is_free(d, err);

	if (rc == 0 && d->pci && !rte_eal_has_hugepages()) {
		err_set(err, -ENOTSUP,
			"a PCI device reads and writes hugepages, and there are none");
		return err_hint(err, "start lanyard-switch with --hugepages yes");
	}
	return rc;
}

/* What is usual when a driver does not want, in words that help more than its own. */
static void why_hint(const struct device_name *d, struct err *err)
{
	if (d->iface[0] && geteuid())
		err_hint(err, "this needs CAP_NET_RAW and CAP_NET_ADMIN, AF_XDP also CAP_BPF: run "
			      "lanyard-switch as root");
	else if (device_is(d, "net_af_xdp"))
		err_hint(err,
			 "is another XDP program on \"%s\"? `ip link set %s xdp off`; without XDP: "
			 "net_af_packet0,iface=%s",
			 d->iface, d->iface, d->iface);
}

static int device_failed(const struct device_name *d, int rc, const char *what, const char *said,
			 struct err *err)
{
	if (!strncmp(said, "Driver cannot attach", 20))
		said = "its driver refuses it without a word; are its arguments right?";
	err_set(err, rc, "device %s %s: %s", d->name, what, said[0] ? said : strerror(-rc));
	why_hint(d, err);
	return rc;
}

static int probe(struct ethdev *e, const char *text, struct err *err)
{
	char said[EAL_SAID_MAX];
	int rc;

	eal_said_begin();
	rc = rte_dev_probe(text);
	eal_said_end(said);
	if (rc < 0)
		return device_failed(&e->name, rc == -1 ? -EIO : rc, "does not start", said, err);
	if (rte_eth_dev_get_port_by_name(e->name.name, &e->id) < 0) {
		rte_eal_hotplug_remove(e->name.pci ? "pci" : "vdev", e->name.name);
		return err_set(err, -EINVAL, "device %s is no network device", e->name.name);
	}
	e->is_open = true;
	return 0;
}

/* ---- configuring ---- */

static int queues_setup(struct ethdev *e, struct ethdev_plan *p)
{
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(e->id, &p->n_rx, &p->n_tx);

	for (uint16_t q = 0; rc == 0 && q < e->n_queues; q++)
		rc = rte_eth_rx_queue_setup(e->id, q, p->n_rx, SOCKET_ID_ANY, NULL, e->tx.pool);
	for (uint16_t q = 0; rc == 0 && q < e->n_queues; q++)
		rc = rte_eth_tx_queue_setup(e->id, q, p->n_tx, SOCKET_ID_ANY, NULL);
	return rc;
}

static int on_ethdev_event(uint16_t id, enum rte_eth_event_type type, void *arg, void *ret)
{
	struct ethdev *e = arg;

	if (e->on_event)
		e->on_event(e->arg);
	return 0;
}

static void events_begin(struct ethdev *e)
{
	rte_eth_dev_callback_register(e->id, RTE_ETH_EVENT_INTR_LSC, on_ethdev_event, e);
	rte_eth_dev_callback_register(e->id, RTE_ETH_EVENT_INTR_RMV, on_ethdev_event, e);
}

/* Receive interrupts where the driver has them: all queues, or none. */
static void interrupts_find(struct ethdev *e)
{
	for (uint16_t q = 0; q < e->n_queues; q++) {
		e->kick_fd[q] = rte_eth_dev_rx_intr_ctl_q_get_fd(e->id, q);
		if (e->kick_fd[q] < 0) {
			memset(e->kick_fd, -1, sizeof(e->kick_fd));
			return;
		}
	}
	e->rx_interrupts = true;
}

static int configure(struct ethdev *e, struct ethdev_plan *p)
{
	int rc;

	/* All that have receive interrupts have to be asked; others only say so in the log. */
	p->conf.intr_conf.rxq = !e->name.iface[0];
	rc = rte_eth_dev_configure(e->id, (uint16_t)e->n_queues, (uint16_t)e->n_queues, &p->conf);
	if (rc < 0) {
		p->conf.intr_conf.rxq = 0;
		rc = rte_eth_dev_configure(e->id, (uint16_t)e->n_queues, (uint16_t)e->n_queues,
					   &p->conf);
	}
	if (rc == 0)
		rc = queues_setup(e, p);
	if (rc == 0)
		rc = rte_eth_dev_start(e->id);
	if (rc < 0)
		return rc;
	/* Some have nothing else than all frames, and say that they cannot. Of an interface: all_frames_begin(). */
	if (!e->ifindex)
		rte_eth_promiscuous_enable(e->id);
	rte_eth_allmulticast_enable(e->id);
	if (p->conf.intr_conf.rxq)
		interrupts_find(e);
	events_begin(e);
	return 0;
}

static int start(struct ethdev *e, const struct ethdev_opts *opts, struct err *err)
{
	char said[EAL_SAID_MAX];
	struct ethdev_plan p;
	int rc = ethdev_plan_make(e, opts, &p, err);

	if (rc == 0)
		rc = mbuf_pool_create(&p.pool, &e->tx.pool, err);
	if (rc < 0)
		return rc;
	eal_said_begin();
	rc = configure(e, &p);
	eal_said_end(said);
	e->was_busy = rc < 0 && device_is(&e->name, "net_af_xdp");
	if (rc < 0)
		return device_failed(&e->name, rc, "cannot be set up", said, err);
	e->tx.len_max = e->mtu_max + FRAME_MIN + 2 * VLAN_TAG;
	return 0;
}

/* ---- open and close ---- */

/* On return on_event() does not run on DPDK's interrupt thread and will not: its port may be freed. */
static void events_end(struct ethdev *e, enum rte_eth_event_type type)
{
	while (rte_eth_dev_callback_unregister(e->id, type, on_ethdev_event, e) == -EAGAIN)
		usleep(EVENT_WAIT_US);
}

static void device_remove(struct ethdev *e)
{
	struct rte_eth_dev_info info = {0};
	char said[EAL_SAID_MAX];

	eal_said_begin();
	events_end(e, RTE_ETH_EVENT_INTR_LSC);
	events_end(e, RTE_ETH_EVENT_INTR_RMV);
	rte_eth_dev_info_get(e->id, &info);
	rte_eth_promiscuous_disable(e->id);
	rte_eth_dev_stop(e->id);
	rte_eth_dev_close(e->id);
	if (info.device)
		rte_dev_remove(info.device);
	eal_said_end(said);
}

static int family(const struct ethdev *e)
{
	return device_is(&e->name, "net_af_xdp") ? AF_XDP : AF_PACKET;
}

/* The driver's sockets wake whoever waits for frames, if it has one for each queue. */
static void sockets_find(struct ethdev *e, struct own_fds_before *before)
{
	own_fds_new(before, family(e), &e->sockets, &e->bpf);
	for (unsigned q = 0; e->sockets.n == e->n_queues && q < e->n_queues; q++)
		e->kick_fd[q] = e->sockets.fd[q];
}

/* Kept by a socket, so that the kernel ends it with the process, however that ends; the driver would set a flag of the
 * interface, which nobody takes back then. The socket itself receives nothing. */
static int all_frames_begin(struct ethdev *e, struct err *err)
{
	struct packet_mreq all = {.mr_ifindex = (int)e->ifindex, .mr_type = PACKET_MR_PROMISC};

	e->all_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (e->all_fd >= 0 &&
	    setsockopt(e->all_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) == 0)
		return 0;
	return err_set(err, -errno, "interface \"%s\" does not take all frames: %s", e->name.iface,
		       strerror(errno));
}

static int open_named(struct ethdev *e, const struct ethdev_opts *opts, struct err *err)
{
	char text[DEVICE_TEXT_MAX + 96];
	struct own_fds_before *before;
	unsigned ifindex;
	uint32_t mtu = 0;
	int rc;

	if (e->name.iface[0])
		iface_find(e->name.iface, &ifindex, &mtu);
	rc = ethdev_text_complete(&e->name, opts, opts->mtu > mtu ? opts->mtu : mtu, text, sizeof(text));
	if (rc < 0)
		return err_set(err, rc, "the device's name is too long");
	if (!e->name.iface[0]) {
		rc = probe(e, text, err);
		return rc < 0 ? rc : start(e, opts, err);
	}
	if (family(e) == AF_XDP) {
		rc = iface_tags_check(e->name.iface, err);
		if (rc < 0)
			return rc;
		xdp_words_take();
	}
	before = own_fds_before();
	rc = probe(e, text, err);
	if (rc == 0)
		rc = start(e, opts, err);
	sockets_find(e, before);
	if (rc == 0)
		rc = ethdev_sockets_set(e, err);
	if (rc == 0)
		rc = all_frames_begin(e, err);
	if (rc == 0 && family(e) == AF_XDP)
		e->xdp_fd = xdp_program_of(e->ifindex);
	return rc;
}

static int open_once(struct ethdev *e, const struct ethdev_opts *opts, struct err *err)
{
	int rc;

	memset(e, 0, sizeof(*e));
	memset(e->kick_fd, -1, sizeof(e->kick_fd));
	e->all_fd = e->xdp_fd = -1;
	e->on_event = opts->on_event;
	e->arg = opts->arg;
	rc = device_name_parse(opts->device, &e->name, err);
	if (rc == 0)
		rc = may_probe(&e->name, err);
	if (rc == 0)
		rc = open_named(e, opts, err);
	if (rc < 0)
		ethdev_close(e);
	return rc;
}

int ethdev_open(struct ethdev *e, const struct ethdev_opts *opts, struct err *err)
{
	const uint64_t start_ns = loop_now_ns();
	int rc = open_once(e, opts, err);

	/* The kernel lets go of an AF_XDP socket's queue some milliseconds after it was closed. */
	for (unsigned i = 0; rc < 0 && i < XDP_TRIES && e->was_busy; i++) {
		usleep(XDP_WAIT_US);
		rc = open_once(e, opts, err);
	}
	LOG_DEBUG("device \"%s\": opening took %llu ms", opts->device,
		  (unsigned long long)((loop_now_ns() - start_ns) / MS_NS));
	return rc;
}

static bool confined;

/* With AF_XDP some descriptors are left that were there before, and some that were opened meanwhile: but by a process
 * without rights none is opened. */
static void close_fds_too(struct ethdev *e)
{
	struct own_fds_before *before = confined ? NULL : own_fds_before();
	struct own_fds sockets, bpf;

	device_remove(e);
	own_fds_new(before, family(e), &sockets, &bpf);
	own_fds_close(&sockets, family(e), &bpf);
	own_fds_close(&e->sockets, family(e), &e->bpf);
}

void ethdevs_confined(void)
{
	confined = true;
}

static void own_fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void ethdev_yield(struct ethdev *e)
{
	if (e->is_open && family(e) == AF_XDP)
		close_fds_too(e);
	else if (e->is_open)
		device_remove(e);
	if (e->is_open) {
		own_fd_close(&e->all_fd);
		own_fd_close(&e->xdp_fd);
	}
	e->is_open = false;
	mbuf_pool_destroy(e->tx.pool);
	e->tx.pool = NULL;
}

void ethdev_close(struct ethdev *e)
{
	int xdp_fd = e->is_open && confined ? e->xdp_fd : -1;
	struct err err = ERR_NONE;

	if (xdp_fd >= 0)
		e->xdp_fd = -1;
	ethdev_yield(e);
	if (xdp_fd < 0)
		return;
	if (host_xdp_off(xdp_fd, e->ifindex, &err) < 0)
		LOG_WARN("device %s: its program stays in interface \"%s\": %s", e->name.name,
			 e->name.iface, err.text);
	close(xdp_fd);
}

void ethdev_move(struct ethdev *to, struct ethdev *from, void (*on_event)(void *arg), void *arg)
{
	events_end(from, RTE_ETH_EVENT_INTR_LSC);
	events_end(from, RTE_ETH_EVENT_INTR_RMV);
	*to = *from;
	to->on_event = on_event;
	to->arg = arg;
	events_begin(to);
	memset(from, 0, sizeof(*from));
	from->all_fd = from->xdp_fd = -1;
}

int ethdev_free_check(const char *device, struct err *err)
{
	struct device_name d;

	device_name_split(device, &d);
	return is_free(&d, err);
}

void ethdev_drain(struct ethdev *e)
{
	struct rte_mbuf *m[BURST_MAX];
	unsigned n;

	for (uint16_t q = 0; q < e->n_queues; q++)
		for (unsigned i = 0; i < DRAIN_MAX; i++) {
			n = rte_eth_rx_burst(e->id, q, m, BURST_MAX);
			if (!n)
				break;
			rte_pktmbuf_free_bulk(m, n);
		}
}
