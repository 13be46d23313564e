/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: which of its rings a worker polls.
 *
 * What     Each ring of the worker's part of the view is either active: polled in every round, its
 *          guest asked not to kick; or quiet: armed, and not looked at until it is kicked. A round
 *          costs what the active rings cost, however many are attached.
 * How      A new view makes all rings active: whatever happened to them meanwhile is found by polling.
 *          A ring that gave nothing for ACTIVE_LOOKS looks is armed and looked at once more: frames
 *          from before arming are found by that, frames after it cause a kick, which epoll keeps
 *          until the worker asks for it. So a ring is never quiet with frames that nobody knows of.
 *          Kicks are hints: one for a ring that is active, or that is no more, changes nothing.
 *          A ring without kick descriptor is always active.
 *          A worker that never sleeps arms nothing: it looks at ACTIVE_VISITS quiet rings in each round,
 *          in turn, and a ring that has frames is active again.
 * Threads  the worker's own; active_create() and active_destroy(): control.
 */
#ifndef SWITCH_ACTIVE_H
#define SWITCH_ACTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/view.h"

#define SOURCES_MAX  (SWITCH_PORTS_MAX * PORT_QUEUES_MAX)
#define ACTIVE_LOOKS 20 /* a millisecond, as workers look every 50 us */
#define ACTIVE_QUIET 255
#define ACTIVE_VISITS 4

struct active {
	const struct view *view; /* valid while its number is view_seq */
	const struct view_sources *s;
	uint64_t view_seq;
	bool polls; /* never sleeps */
	unsigned next_visit; /* place */
	unsigned n;	 /* active ones */
	uint16_t *list;	 /* their places in s->s, in no order */
	uint8_t *looks;	 /* by place: looks since the last frame, or ACTIVE_QUIET */
};

int active_create(struct active *a); /* -ENOMEM */
void active_destroy(struct active *a);

/* v is another view than before: all rings of this worker are active. */
void active_take(struct active *a, const struct view *v, unsigned worker);

/* One look: rings that gave nothing for long become quiet. */
void active_age(struct active *a);

/* All of them become quiet, but for those whose port has used up its rate: lowers *due to when the first of
 * these goes on. False when one had a frame, which is active then. */
bool active_rest(struct active *a, uint64_t now, uint64_t *due);

/* A ring was kicked. */
void active_kicked(struct active *a, unsigned port_id, unsigned q);

/* The ring at place was quiet and has frames. */
void active_found(struct active *a, unsigned place);

static inline void active_seen(struct active *a, unsigned place)
{
	a->looks[place] = 0;
}

static inline bool active_all(const struct active *a)
{
	return a->n == a->s->n;
}

#endif
