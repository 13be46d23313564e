/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switch as its control plane sees it: bridges, ports, workers.
 *
 * What     Creates and changes them, and makes each change visible to the workers.
 * How      Control structures here are what is wanted; switch_publish() builds the
 *          immutable view that workers read (switch/view.h), swaps it in and frees the
 *          old one after a QSBR grace period. Every function below that changes
 *          something publishes before it returns: when it has returned, no worker uses
 *          what was there before.
 * Threads  control only, except where a comment says otherwise.
 * Limits   SWITCH_PORTS_MAX ports, SWITCH_BRIDGES_MAX bridges.
 */
#ifndef SWITCH_SWITCH_H
#define SWITCH_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "switch/counters.h"
#include "switch/keep.h"
#include "switch/policy.h"
#include "switch/vlan.h"

#define SWITCH_PORTS_MAX   4096
#define SWITCH_BRIDGES_MAX 1024
#define SWITCH_NAME_MAX	   96 /* LAB@COPY/VM.NIC, each part up to 32, and the end */
#define SWITCH_LAB_MAX	   72 /* LAB@COPY */

struct pulse;
struct switch_;
struct bridge;
struct port;

enum switch_mode { SWITCH_ADAPTIVE, SWITCH_POLL };

struct switch_opts {
	struct loop *loop;
	enum switch_mode mode;
	unsigned n_workers; /* 1 or more; EAL must have that many worker lcores */
	const struct keep_ops *keep; /* switch/keep.h; NULL: nobody keeps descriptors */
	void *keep_arg;
	enum keep_end end;   /* of the process before this one */
	struct pulse *pulse; /* switch/pulse.h, shared with whoever watches; NULL: nobody does */
};

/* The EAL must be up (switch/eal.h). Starts the workers. */
int switch_create(const struct switch_opts *opts, struct switch_ **out, struct err *err);

/* Stops the workers, destroys every port and bridge. Accepts NULL. */
void switch_destroy(struct switch_ *sw);

/* True when every front end's last message is handled and answered: a successor can go on with all of them. */
bool switch_settled(const struct switch_ *sw);

/* Ends the workers between two bursts, then has ports deliver what they owe and let go of what only one process
 * can have; their other sides notice nothing. After this nothing but the end of the process comes. */
void switch_yield(struct switch_ *sw);

/* What switch_opts said. */
struct loop *switch_loop(struct switch_ *sw);
enum switch_mode switch_mode(const struct switch_ *sw);

/* ---- bridges ---- */

/* Reserved groups that a bridge may forward: 01:80:c2:00:00:0x, one bit each; never x = 1 (pause). */
#define RESERVED_STP   (1u << 0x0)
#define RESERVED_LACP  (1u << 0x2)
#define RESERVED_EAPOL (1u << 0x3)
#define RESERVED_LLDP  (1u << 0xe)
#define RESERVED_ALL   (0xffffu & ~(1u << 0x1))

struct bridge_opts {
	uint32_t ageing_s;	   /* 1 to 30000; default BRIDGE_AGEING_S */
	uint32_t max_macs;	   /* 16 to 16 million; default BRIDGE_MAX_MACS */
	uint16_t forward_reserved; /* RESERVED_*; default 0 */
	bool wire; /* nobody at one end: no carrier at the other (switch/carrier.h) */
};
#define BRIDGE_AGEING_S	    300
#define BRIDGE_AGEING_MAX_S 30000
#define BRIDGE_MAX_MACS	    65536
#define BRIDGE_MACS_MIN	    16
#define BRIDGE_MACS_MAX	    (16 * 1024 * 1024)

/* 0, or -errno with a sentence: nothing was made. */
int bridge_add(struct switch_ *sw, const char *name, const struct bridge_opts *opts,
	       struct bridge **out, struct err *err);
/* -EBUSY while ports are on it. */
int bridge_del(struct bridge *br, struct err *err);
int bridge_set(struct bridge *br, const struct bridge_opts *opts, struct err *err);

struct bridge *bridge_find(struct switch_ *sw, const char *name); /* NULL: there is none */
struct bridge *bridge_next(struct switch_ *sw, struct bridge *after); /* NULL: the first */
const char *bridge_name(const struct bridge *br);
const struct bridge_opts *bridge_opts(const struct bridge *br);
unsigned bridge_n_ports(const struct bridge *br);
uint32_t bridge_n_macs(const struct bridge *br);
uint64_t bridge_n_macs_refused(const struct bridge *br); /* found no room: flooded from then on */
uint64_t bridge_n_macs_evicted(const struct bridge *br); /* made room for others */

/* The control plane's own notes on a bridge or port (owner, …); the switch never looks at them. */
void bridge_user_set(struct bridge *br, void *user);
void *bridge_user(const struct bridge *br);

/* The part of these notes that outlives a crash; lab may be NULL. */
void bridge_owner_set(struct bridge *br, const char *lab, bool transient);

/* ---- ports ---- */

enum port_state { PORT_WAITING, PORT_CONNECTING, PORT_NEGOTIATING, PORT_UP, PORT_DOWN, PORT_ERRORED };

const char *port_state_name(enum port_state s); /* "waiting", … as in cli.md */

/* What all port types share. */
struct port_opts {
	const char *name;
	struct bridge *bridge;
	struct vlan_policy vlan;
	struct port_policy policy;
	uint32_t mtu; /* bytes; 0: none given */
	bool down;    /* by the administrator: it begins so, without carrier and traffic */
	bool adopt;   /* it is the one that a predecessor left in this slot, see port_slot() */
	uint16_t slot;
};

/* What `port show` prints and drivers keep true. Texts live as long as the port. */
struct port_info {
	const char *name, *type;
	struct bridge *bridge;
	enum port_state state;
	const char *reason; /* why it is not up; "" when there is nothing to say */
	const char *path;   /* socket, or NULL */
	const char *device; /* of an uplink, or NULL */
	const char *ifname, *netns, *address; /* of the host's side, or NULL */
	const char *peer;   /* the other end's socket, or NULL */
	struct vlan_policy vlan;
	const struct port_policy *policy;
	uint32_t mtu;	   /* bytes, given or else told by the peer; 0: neither */
	unsigned n_queues; /* queue pairs in use */
	uint64_t features; /* negotiated virtio feature bits; 0 where there are none */
	bool carrier;	   /* whether whoever is there shall see a link */
};

const char *port_name(const struct port *p); /* good while the port lives */
struct port *port_find(struct switch_ *sw, const char *name); /* NULL: there is none */
struct port *port_next(struct switch_ *sw, struct port *after); /* NULL: the first */
void port_info(const struct port *p, struct port_info *info);
/* The sum over all threads that count for it. */
void port_counters_read(const struct port *p, struct port_counters *sum);
void port_user_set(struct port *p, void *user);
void *port_user(const struct port *p);
void port_owner_set(struct port *p, const char *lab, bool transient); /* a link's both ends */

/* The memory in which bridges and ports outlive a crash (switch/arena.h), to hand on. */
int switch_arena_fd(const struct switch_ *sw);

/* A text of the control plane's that outlives a crash with it: "" at first. -ENOSPC, and it is what it was. */
int bridge_settings_set(struct bridge *br, const char *text);
int port_settings_set(struct port *p, const char *text); /* of a link: its first end's */

/* All of them: 0, or -errno with a sentence, and the port is as it was. Of a link: both ends. */
int port_del(struct port *p, struct err *err);
int port_vlan_set(struct port *p, const struct vlan_policy *vlan, struct err *err);
int port_mtu_set(struct port *p, uint32_t mtu, struct err *err); /* bytes; 0: none given any more */
int port_admin_set(struct port *p, bool up, struct err *err); /* up also heals `errored` */

/* A link is two ports, `name` on opts->bridge and the other end `name~peer` on peer_bridge, with one
 * VLAN policy; deleting or setting either end does both. *out is the first end. */
int link_add(struct switch_ *sw, const struct port_opts *opts, struct bridge *peer_bridge,
	     struct port **out, struct err *err);
struct port *link_peer(const struct port *p); /* NULL when p is no link */
bool link_is_first(const struct port *p);

/* Names of virtio-net and ring feature bits ("VERSION_1", "MRG_RXBUF" …), or NULL. */
const char *virtio_feature_name(unsigned bit);

/* ---- what a predecessor left (switch/keep.h) ---- */

/* True from switch_create() to switch_adopt_end() where a process crashed and its memory was found.
 * Meanwhile its bridges are made from their slots, then its ports with port_opts.adopt in theirs, and no worker
 * sees any of them. */
bool switch_adopting(const struct switch_ *sw);

/* Slots that nothing was made from are dropped with all that was kept for them. */
void switch_slots_drop(struct switch_ *sw);

/* Does that too; addresses of ports that are not there any more are forgotten; workers see what was made. */
void switch_adopt_end(struct switch_ *sw);

/* Texts are the slot's: good until the object is changed. */
struct slot_info {
	const char *name, *settings;
	const char *lab; /* NULL: nobody's */
	bool transient;
	bool second;	  /* a link's other end: it is made with the first */
	bool quarantined; /* to begin with port_opts.down */
};
/* False: nothing is in this slot. Bridges below SWITCH_BRIDGES_MAX, ports below SWITCH_PORTS_MAX. */
bool bridge_slot(struct switch_ *sw, unsigned i, struct slot_info *info);
bool port_slot(struct switch_ *sw, unsigned i, struct slot_info *info);

/* The bridge of slot i, with its addresses. */
int bridge_adopt(struct switch_ *sw, unsigned i, struct bridge **out, struct err *err);

/* ---- forwarding database ---- */

struct fdb_record {
	uint8_t mac[6];
	uint16_t vid;
	struct port *port; /* NULL while its port is being deleted */
	bool is_static;
	uint32_t age_s;
};

/* Copies up to n (5 or more) live entries from position *cursor (0: the start) on and moves
 * *cursor, which becomes 0 after the last. Entries that move meanwhile may be seen twice or not at
 * all. Bounded work: may return 0 with *cursor not 0. */
unsigned bridge_fdb_read(struct bridge *br, uint64_t *cursor, struct fdb_record *out, unsigned n);
int bridge_fdb_add(struct bridge *br, const uint8_t mac[6], uint16_t vid, struct port *port,
		   struct err *err);
int bridge_fdb_del(struct bridge *br, const uint8_t mac[6], uint16_t vid, struct err *err);
/* Forgets learned entries, of one port or (NULL) of all. Returns how many. */
unsigned bridge_fdb_flush(struct bridge *br, struct port *port);

/* ---- what changes by itself ---- */

enum switch_event {
	SWITCH_PORT_MADE,    /* its driver and its owner have yet to fill in theirs: no port_info() */
	SWITCH_PORT_GONE,    /* about to leave */
	SWITCH_PORT_STATE,   /* from `was` to `is`, for this reason */
	SWITCH_PORT_CARRIER, /* whether whoever is at the port shall see a link: `carrier` */
	SWITCH_PORT_MTU,     /* the administrator gave it another one: `mtu`, 0: none */
	SWITCH_BRIDGE_MADE,
	SWITCH_BRIDGE_GONE,
	SWITCH_MAC_MOVED,    /* a learned address, from one port of `bridge` to another */
	SWITCH_MACS_MOVED,   /* n_more addresses moved, too many to tell each */
};

struct switch_change {
	enum switch_event event;
	struct bridge *bridge;
	struct port *port;
	const char *type; /* of the port */
	enum port_state was, is;
	const char *reason;
	bool carrier;
	uint32_t mtu;
	struct fdb_record moved; /* where to, in moved.port; NULL: gone meanwhile */
	struct port *moved_from; /* NULL: gone meanwhile */
	uint64_t n_more;
};

/* One listener; called in the control thread, also from within the functions above, and changes
 * nothing from there. fn NULL ends it. */
typedef void (*switch_change_fn)(void *arg, const struct switch_change *change);
void switch_on_change(struct switch_ *sw, switch_change_fn fn, void *arg);

/* Moves of addresses are told only while somebody wants them: once a second and bridge up to
 * FDB_MOVES_KEPT, then how many more there were. */
void switch_moves_want(struct switch_ *sw, bool wanted);

/* ---- workers ---- */

struct worker_stats {
	unsigned id;
	int cpu; /* -1: not pinned */
	uint64_t busy_cycles; /* TSC spent in polls that found frames */
	uint64_t frames;      /* received from ports */
	uint64_t polls, sleeps;
	unsigned busy_permille; /* busy_cycles of all TSC, over the last one to two seconds */
};
unsigned switch_n_workers(const struct switch_ *sw);
uint64_t switch_tsc_hz(const struct switch_ *sw); /* of busy_cycles */
void switch_worker_stats(const struct switch_ *sw, unsigned worker, struct worker_stats *out);

#endif
