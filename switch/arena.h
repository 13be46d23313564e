/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The arena: what of bridges and ports must outlive a crash of the process that forwards.
 *
 * What     One memfd with a slot for each bridge and port there can be. A slot holds what was asked
 *          for (name, VLAN policy, MTU, owner, settings) and what a driver has agreed with its other
 *          side. Who gets the descriptor next goes on from there.
 * How      Plain structs without pointers: slots refer to each other by number. They are where the
 *          switch and its drivers keep this state, not a copy of it, so nothing can be forgotten. What
 *          is not touched takes no memory; which slots are used is said apart from them, so that a
 *          look at all touches none. A slot is said to be used last when it is taken, and unsaid
 *          first when it is dropped: one that a crash left half made is free. Settings are texts
 *          of any length (switch/arena_text.h).
 * Serving  Each worker notes the port that it is about to serve, the control thread the one whose
 *          front end it listens to: a successor learns who was served when the process crashed.
 * Threads  control only, but for a note, which is its thread's. Workers read the view, which has copies.
 * Trust    arena_adopt() takes a descriptor from a predecessor that may have been another build, or
 *          have crashed in the middle: magic, version and every size must be ours, and slots that do
 *          not hold together are dropped. What drivers keep is theirs to check.
 * Limits   as switch.h; ARENA_DRIVER_BYTES for a driver.
 */
#ifndef SWITCH_ARENA_H
#define SWITCH_ARENA_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "switch/policy.h"
#include "switch/switch.h"
#include "switch/vlan.h"

#define ARENA_VERSION	   4 /* count up with every change of a struct here or of a driver's */
#define ARENA_DRIVER_BYTES 4096
#define ARENA_NONE	   UINT16_MAX /* no slot */
#define ARENA_NOTES	   64	      /* threads that serve: the control thread, workers */

/* Whose it is: the control plane's notes, which the switch never looks at. */
struct arena_owner {
	char lab[SWITCH_LAB_MAX]; /* empty: nobody's */
	bool transient;
};

struct arena_bridge {
	char name[SWITCH_NAME_MAX];
	struct bridge_opts opts;
	struct arena_owner owner;
	uint64_t settings; /* a text, for arena_text() */
};

struct arena_port {
	bool down;	  /* by the administrator */
	bool quarantined; /* until the administrator says up, see switch/quarantine.h */
	uint16_t bridge;  /* slot */
	uint16_t peer;	  /* slot of a link's other end, or ARENA_NONE */
	uint32_t mtu;	  /* bytes; 0: none given */
	uint64_t crashed_ns; /* when the process last crashed while it served this port; 0: never did */
	uint64_t settings;   /* a text, for arena_text() */
	char name[SWITCH_NAME_MAX];
	char type[16];
	struct vlan_policy vlan;
	struct port_policy policy;
	struct arena_owner owner;
	alignas(64) uint8_t driver[ARENA_DRIVER_BYTES]; /* the driver's own struct; zero at first */
};

/* What a thread is at. */
struct arena_note {
	_Atomic uint32_t serving; /* the port's id, and one more; 0: none */
	_Atomic uint32_t crashed; /* it is this thread that got the signal */
} __attribute__((aligned(64)));

/* Its thread; n: a port's id and one more, or 0. */
static inline void note_serving(struct arena_note *note, uint32_t n)
{
	atomic_store_explicit(&note->serving, n, memory_order_relaxed);
}

/* Of the switch as a whole. */
struct arena_clock {
	uint64_t tsc_start, tsc_hz; /* seconds are counted from here */
};

struct arena;

/* Empty. -errno with a sentence. */
int arena_create(struct arena **out, struct err *err);

/* What a predecessor left behind fd, which stays the caller's on failure. -EPROTO with a sentence when
 * it is not an arena of this build. Slots that do not hold together are dropped; *n_dropped says how
 * many. */
int arena_adopt(int fd, struct arena **out, unsigned *n_dropped, struct err *err);

/* The same for one that is still another's: nothing is changed or dropped, whatever it holds. */
int arena_look(int fd, struct arena **out, struct err *err);
void arena_look_end(struct arena *a);

void arena_destroy(struct arena *a); /* accepts NULL; the memory goes with its last descriptor */

/* To hand on; stays the arena's. */
int arena_fd(const struct arena *a);

/* Slots by number: bridges below SWITCH_BRIDGES_MAX, ports (by their id) below SWITCH_PORTS_MAX. */
struct arena_bridge *arena_bridge(struct arena *a, unsigned i);
struct arena_port *arena_port(struct arena *a, unsigned i);
unsigned arena_bridge_index(const struct arena *a, const struct arena_bridge *b);
bool arena_bridge_used(const struct arena *a, unsigned i);
bool arena_port_used(const struct arena *a, unsigned i);

/* A free bridge's slot, zeroed and not used yet, or NULL. */
struct arena_bridge *arena_bridge_free(struct arena *a);

/* The last step of making one: from here on it outlives a crash. */
void arena_bridge_use(struct arena *a, unsigned i);
void arena_port_use(struct arena *a, unsigned i);

/* The first step of taking one away: it is gone, and zero. */
void arena_bridge_drop(struct arena *a, unsigned i);
void arena_port_drop(struct arena *a, unsigned i);

/* The text at *where becomes a copy of this one, or still is what it was: -ENOSPC. */
int arena_text_set(struct arena *a, uint64_t *where, const char *text);
const char *arena_text(const struct arena *a, uint64_t where); /* "" when there is none */

struct arena_note *arena_note(struct arena *a, unsigned i); /* i below ARENA_NOTES; 0: control's */
struct arena_clock *arena_clock(struct arena *a);
uint64_t *arena_secret(struct arena *a); /* of the forwarding databases: three words */

#endif
