/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One device of DPDK, from its name to queues that run.
 *
 * What     ethdev_open() probes, configures and starts it; ethdev_close() undoes that and leaves
 *          nothing behind. What went wrong is a sentence, with the driver's own words in it.
 * How      Frames pass as they are: promiscuous, tags neither taken off nor filtered, no LRO.
 *          Checksums and segmentation are the device's where it does them. An argument that
 *          follows from the queues or the MTU is added to the device's where the user gave none.
 * Threads  control only. Between open and close workers use the queues (tap/uplink_rings.h).
 * Limits   32 devices in Debian's build of DPDK.
 */
#ifndef TAP_ETHDEV_H
#define TAP_ETHDEV_H

#include "switch/port.h"
#include "tap/device_name.h"
#include "tap/mbufs.h"
#include "tap/own_fds.h"

struct ethdev_opts {
	const char *device; /* as DPDK takes it */
	unsigned n_queues;  /* 1 to PORT_QUEUES_MAX; 0: 1 */
	uint32_t mtu;	    /* bytes; 0: the device's */
	/* Any thread: the link has changed or the device is gone. */
	void (*on_event)(void *arg);
	void *arg;
};

struct ethdev {
	bool is_open;
	uint16_t id; /* ethdev's port */
	unsigned n_queues;
	struct device_name name;
	unsigned ifindex; /* of the interface that it is in, or 0 */
	struct mbufs_rx rx;
	struct mbufs_tx tx;
	uint32_t mtu_max;	      /* bytes that it can do; beyond that it loses frames */
	int kick_fd[PORT_QUEUES_MAX]; /* readable when frames wait; -1: can only be polled */
	bool rx_interrupts;	      /* they are to be armed: rte_eth_dev_rx_intr_enable() */
	bool link_events;	      /* on_event() tells of the link */
	bool was_busy;		      /* another try may do */
	void (*on_event)(void *arg);
	void *arg;
	struct own_fds sockets, bpf; /* its driver's */
	int all_fd;		     /* while it is open, the interface takes all frames; -1: the driver sees to it */
	int xdp_fd;		     /* AF_XDP's program in the interface; -1: none */
};

/* On failure there is nothing to close. */
int ethdev_open(struct ethdev *e, const struct ethdev_opts *opts, struct err *err);
void ethdev_close(struct ethdev *e);
/* The same for one that another process opens next: what is in the interface stays. */
void ethdev_yield(struct ethdev *e);
/* From is open and no worker in its queues; it is nothing any more. Events are to's from then on. */
void ethdev_move(struct ethdev *to, struct ethdev *from, void (*on_event)(void *arg), void *arg);
/* Whether a device of that text could be opened beside those that are: -EBUSY with a sentence. Needs no rights. */
int ethdev_free_check(const char *device, struct err *err);
/* From now on DPDK's drivers cannot take anything back from an interface, so the host helper does. */
void ethdevs_confined(void);

/* 0 when frames can pass, with *mtu what the interface takes; -ENOLINK and a sentence why not;
 * -ENODEV when the device is gone. */
int ethdev_link(const struct ethdev *e, uint32_t *mtu, struct err *err);
/* Whether it would open with that MTU. -EINVAL: with the largest that it would. */
int ethdev_mtu_check(const struct ethdev *e, uint32_t mtu, struct err *err);

/* Throws away what has come while nobody listened; no worker may be in the queues. */
void ethdev_drain(struct ethdev *e);

/* Before rights are given up: what the following need from then on. -errno. */
int iface_begin(void);

/* Which interface of that name there is now, and its MTU: 0 or -ENODEV. */
int iface_find(const char *name, unsigned *ifindex, uint32_t *mtu);
/* -EINVAL: a port's mtu (0: none given) is more than its interface's (0: not known). */
int iface_mtu_check(const char *name, uint32_t iface_mtu, uint32_t mtu, struct err *err);

/* Whether AF_XDP would lose VLAN tags there: the card puts them beside the frame. */
int iface_tags_check(const char *name, struct err *err);

#endif
