/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moved addresses: from what workers note in each table to the switch's listener.
 *
 * How      A worker that moves an address, on the slow path of learning, notes it in its table and
 *          sends one notice. Control then tells what all tables have noted and looks again a second
 *          later; until then no worker sends another notice, however many addresses move. While
 *          nobody wants to know, nothing is noted.
 * Threads  control, except notice(): any worker.
 */
#include <string.h>

#include "switch/internal.h"

#define MOVES_PAUSE_NS S_NS

static void notice(void *arg)
{
	switch_notice(arg, NOTICE_MOVES);
}

void moves_init(struct switch_ *sw)
{
	sw->moves.tell = notice;
	sw->moves.arg = sw;
}

static struct port *port_of(const struct bridge *br, uint16_t id)
{
	struct port *p = br->sw->by_id[id];

	return p && p->bridge == br ? p : NULL;
}

/* Tells what was noted in one table; true when there was anything. */
static bool bridge_tell(struct bridge *br)
{
	struct switch_change change = {.event = SWITCH_MAC_MOVED, .bridge = br};
	struct fdb_move moves[FDB_MOVES_KEPT];
	uint64_t n_left_out;
	unsigned n = fdb_moves_take(br->fdb, moves, &n_left_out);

	for (unsigned i = 0; i < n; i++) {
		memcpy(change.moved.mac, &moves[i].key, sizeof(change.moved.mac));
		change.moved.vid = moves[i].key >> 48 & 0xfff;
		change.moved.port = port_of(br, moves[i].to);
		change.moved_from = port_of(br, moves[i].from);
		switch_change_tell(br->sw, &change);
	}
	if (n_left_out == br->n_left_out)
		return n > 0;
	change = (struct switch_change){
		.event = SWITCH_MACS_MOVED, .bridge = br, .n_more = n_left_out - br->n_left_out};
	br->n_left_out = n_left_out;
	switch_change_tell(br->sw, &change);
	return true;
}

static void look_again(void *arg);

/* Tells, and for a second hears of no notice, if there was anything to tell. */
static void tell_and_pause(struct switch_ *sw)
{
	struct bridge *br;
	bool any = false;

	TAILQ_FOREACH (br, &sw->bridges, link)
		any |= bridge_tell(br);
	/* Out of memory: workers may speak up at once. */
	if (any)
		atomic_store(&sw->moves.told, loop_timer_add(sw->loop, MOVES_PAUSE_NS, look_again,
							     sw, &sw->moves_timer) == 0);
}

static void look_again(void *arg)
{
	struct switch_ *sw = arg;

	/* Cleared first: what moves from now on is seen below, or sends a notice. */
	atomic_store(&sw->moves.told, false);
	tell_and_pause(sw);
}

void moves_handle(struct switch_ *sw)
{
	/* While the timer runs it will look. */
	if (sw->moves_timer)
		return;
	atomic_store(&sw->moves.told, false);
	tell_and_pause(sw);
}

void switch_moves_want(struct switch_ *sw, bool wanted)
{
	struct fdb_move moves[FDB_MOVES_KEPT];
	struct bridge *br;

	if (wanted == atomic_load(&sw->moves.wanted))
		return;
	/* What was noted for others before is old. */
	TAILQ_FOREACH (br, &sw->bridges, link)
		fdb_moves_take(br->fdb, moves, &br->n_left_out);
	loop_timer_del(sw->moves_timer);
	atomic_store(&sw->moves.told, false);
	atomic_store(&sw->moves.wanted, wanted);
}
