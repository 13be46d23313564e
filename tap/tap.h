/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type `tap`: an interface of the host, or of a network namespace of it, on a bridge.
 *
 * What     The interface is made with the port and removed with it; one that exists and is persistent is
 *          attached to instead, and stays.
 * How      Frames pass with checksums and TCP segmentation left to whoever is behind. A pump
 *          (tap/pump.h) makes the system calls. The state follows the interface, by netlink:
 *          up        it is there and up
 *          errored   it was set down or deleted by somebody else. Set up again, or made again under its
 *                    name as a persistent tap, it is used at once; `port up` does the same.
 *          down      by the administrator: the host sees no carrier
 *          An interface that is moved to another namespace, or gets another name or MTU, is followed;
 *          deleted there it is made again where its settings say.
 * Threads  control, but for what workers call.
 * Trust    see tap/host_queue.h.
 */
#ifndef TAP_TAP_H
#define TAP_TAP_H

#include "switch/port.h"
#include "tap/host_queue.h"
#include "tap/netlink.h"
#include "tap/netns.h"

struct tap_opts {
	struct port_opts port; /* mtu is given to the interface */
	const char *ifname;    /* NULL: made of the port's name */
	const char *netns;     /* NULL: the switch's */
	const char *address;   /* NULL, or an IP address with prefix for the interface */
	unsigned n_queues;     /* 0: 1 */
};

/* For port types that are a tap and something more, which begin with it. */
struct tap {
	struct port port; /* first */
	struct host_queue *queues;
	unsigned n_queues;
	int fds[PORT_QUEUES_MAX];
	char ifname[IFNAMSIZ], netns[NETNS_NAME_MAX];
	char home_ifname[IFNAMSIZ], home_netns[NETNS_NAME_MAX]; /* of its settings */
	char address[64]; /* that was given; "" */
	unsigned ifindex;
	unsigned other_ifindex;	  /* of what has its name while it is away; 0 */
	int ns_fd;
	struct netlink *nl;
	struct netlink_watcher watcher;
	bool admin_down, runs;
	bool present;		  /* the interface is there, and attached to */
	bool link_up;		  /* by whoever administers the host */
	bool adopted;		  /* was there before */
	bool address_ours;	  /* to be taken away from an adopted one */
	uint32_t mtu_was;	  /* of an adopted one, before ours; 0: it has not changed */
	bool was_down;		  /* an adopted one, before we set it up */
	bool away;		  /* others have moved or renamed it */
	void (*renamed)(struct tap *t); /* what begins with it hears of another interface, or name; NULL */
	struct loop_timer *again; /* one of our name has come, but is not persistent yet */
	uint64_t again_ns;
	char note[PORT_REASON_MAX]; /* what is to be said while it is up */
};

/* 0, or -errno with a sentence, and there is neither port nor interface. */
int tap_port_add(struct switch_ *sw, const struct tap_opts *opts, struct port **out,
		 struct err *err);

/* Makes the interface of t, which is all zero, and registers the port under ops. On failure nothing
 * is left but t's memory, which is the caller's; tap_close() undoes it, but does not free t. */
int tap_open(struct tap *t, struct switch_ *sw, const struct tap_opts *opts,
	     const struct port_ops *ops, struct err *err);
void tap_close(struct tap *t);

/* All ports that begin with a tap are about to be destroyed: their interfaces go together, as one by one is slow. */
void taps_end(struct switch_ *sw);

/* What is to be said of it while it is up; "" for nothing. */
void tap_note(struct tap *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The slots of a port that begins with a tap; destroy is its own. */
extern const struct port_ops tap_ops;

#endif
