/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: see switch/active.h.
 */
#include "switch/active.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(SOURCES_MAX <= UINT16_MAX, "a place fits");

int active_create(struct active *a)
{
	/* What no port uses is not touched, and takes no memory. */
	a->list = calloc(SOURCES_MAX, sizeof(*a->list));
	a->looks = calloc(SOURCES_MAX, sizeof(*a->looks));
	return a->list && a->looks ? 0 : -ENOMEM;
}

void active_destroy(struct active *a)
{
	free(a->list);
	free(a->looks);
}

static void enter(struct active *a, unsigned place)
{
	const struct view_source *s = &a->s->s[place];

	s->port->ops->disarm(s->port->port, s->q);
	a->list[a->n++] = (uint16_t)place;
	a->looks[place] = 0;
}

void active_take(struct active *a, const struct view *v, unsigned worker)
{
	a->view = v;
	a->view_seq = v->seq;
	a->s = &v->worker[worker];
	a->n = 0;
	a->next_visit = 0;
	for (unsigned i = 0; i < a->s->n; i++)
		enter(a, i);
}

/* The ring at list[i] becomes quiet, and another one takes its place there. False when it stays. */
static bool leave(struct active *a, unsigned i)
{
	unsigned place = a->list[i];
	const struct view_source *s = &a->s->s[place];

	if (s->polled_only && !a->polls)
		return false;
	if (!a->polls && s->port->ops->arm(s->port->port, s->q)) {
		s->port->ops->disarm(s->port->port, s->q);
		a->looks[place] = 0;
		return false;
	}
	a->looks[place] = ACTIVE_QUIET;
	a->list[i] = a->list[--a->n];
	return true;
}

void active_age(struct active *a)
{
	for (unsigned i = a->n; i-- > 0;) {
		unsigned place = a->list[i];

		if (a->looks[place] < ACTIVE_LOOKS)
			a->looks[place]++;
		else
			leave(a, i);
	}
}

/* Frames wait there, but not for us yet. */
static bool is_held_up(const struct view_source *s, uint64_t now, uint64_t *due)
{
	uint64_t at;

	if (!(s->special & SOURCE_LIMITED) || meter_open(&s->port->port->rate, now, &at))
		return false;
	*due = at < *due ? at : *due;
	return true;
}

bool active_rest(struct active *a, uint64_t now, uint64_t *due)
{
	bool resting = true;

	for (unsigned i = a->n; i-- > 0;)
		if (!is_held_up(&a->s->s[a->list[i]], now, due) && !leave(a, i) &&
		    !a->s->s[a->list[i]].polled_only)
			resting = false;
	return resting;
}

void active_kicked(struct active *a, unsigned port_id, unsigned q)
{
	const struct view_port *vp = a->view->by_id[port_id];
	unsigned place;

	if (!vp)
		return;
	place = vp->source[q];
	/* A kick of a ring that has stopped, or went to another worker, names what is not ours. */
	if (place < a->s->n && a->s->s[place].port == vp && a->s->s[place].q == q &&
	    a->looks[place] == ACTIVE_QUIET)
		enter(a, place);
}

void active_found(struct active *a, unsigned place)
{
	enter(a, place);
}
