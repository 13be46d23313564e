/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Planned succession: the process that forwards yields to a warm one, with nothing half done.
 *
 * How      Who is to go on is warm before anybody is asked, so that nobody forwards only for as long as it takes to
 *          hand everything over. The one that is asked answers its clients first and lets a message that is
 *          half there become whole, and forwards meanwhile; then its workers end between two bursts. One
 *          that does not come to it within YIELD_MAX goes on forwarding: who is asked too often only says
 *          no. From the moment in which it has begun it must end: one that does not within YIELDED_MAX has hung.
 *          What it says last comes after all that it has given to be kept, so nothing is in doubt.
 * Trust    One that says that it has yielded is killed before the next one is let in.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "control/keeper/internal.h"

#define WARM_MAX    (20 * S_NS) /* for a spare; busy hosts take a second */
#define YIELD_MAX   (2 * S_NS)
#define YIELDED_MAX (1 * S_NS)

static void state_set(struct keeper *k, enum succession_state state, uint64_t max_ns, loop_fn late)
{
	struct succession *s = &k->succession;

	s->state = state;
	loop_timer_del(s->timer);
	if (late)
		loop_timer_add(k->loop, max_ns, late, k, &s->timer);
}

static void give_up(struct keeper *k, const char *why)
{
	LOG_WARN("switch: no planned succession (%s): %s", k->succession.reason, why);
	succession_forget(k);
	if (k->takeover.state == TAKEOVER_YIELDING)
		takeover_fail(k, -EAGAIN, "%s", why);
	if (k->leaving)
		kill(k->active->pid, SIGKILL);
}

static void never_warm(void *arg)
{
	struct channel_msg m = {.type = CHANNEL_STAY};
	struct keeper *k = arg;

	channel_send(k->active->channel, &m);
	give_up(k, "no other process became ready for it");
}

/* It was busy with one thing all the time; if it begins after all, that counts. */
static void not_begun(void *arg)
{
	struct keeper *k = arg;
	struct channel_msg m = {.type = CHANNEL_STAY};

	channel_send(k->active->channel, &m);
	give_up(k, "the process that forwards was busy with something else");
}

static void not_yielded(void *arg)
{
	struct keeper *k = arg;

	active_hung(k, "began to yield, and did not end");
}

static void ask(struct keeper *k)
{
	int rc = channel_send_text(k->active->channel, CHANNEL_YIELD, k->succession.reason);

	if (rc < 0)
		give_up(k, strerror(-rc));
	else
		state_set(k, SUCCESSION_ASKED, YIELD_MAX, not_begun);
}

bool succession_begin(struct keeper *k, const char *reason)
{
	struct succession *s = &k->succession;

	if (k->stopping || !k->active || !k->active->ready || s->state != SUCCESSION_NONE)
		return false;
	/* The spare may be one that must not be handed anything yet. */
	if (k->takeover.state != TAKEOVER_NONE && k->takeover.state != TAKEOVER_YIELDING)
		return false;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	state_set(k, SUCCESSION_WARMING, WARM_MAX, never_warm);
	if (!k->spare) {
		loop_timer_del(k->spare_timer);
		spare_start(k);
	}
	succession_go_on(k);
	return true;
}

bool succession_leave(struct keeper *k, const char *reason)
{
	struct succession *s = &k->succession;

	if (!k->active || !k->active->ready)
		return false;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	if (s->state <= SUCCESSION_WARMING)
		ask(k);
	return true;
}

void succession_go_on(struct keeper *k)
{
	if (k->succession.state == SUCCESSION_WARMING && k->spare && k->spare->warm)
		ask(k);
}

void succession_begun(struct keeper *k)
{
	/* Also late, after we told it to stay: its word comes from before it heard that. */
	state_set(k, SUCCESSION_BEGUN, YIELDED_MAX, not_yielded);
}

void succession_refused(struct keeper *k, const char *text)
{
	if (k->succession.state == SUCCESSION_ASKED)
		give_up(k, text);
}

void succession_finish(struct keeper *k)
{
	struct succession *s = &k->succession;
	struct channel_past *planned = &k->go.planned;
	uint64_t now_ns = loop_now_ns();
	pid_t pid = k->active->pid;

	kill(pid, SIGKILL);
	active_forget(k);
	active_let_go(k);
	k->go.end = KEEP_YIELDED;
	k->n_doomed = 0;
	planned->n++;
	/* Its clock is ours; what it says may be anything. */
	planned->at_ns = s->yielded_ns < now_ns && now_ns - s->yielded_ns < YIELDED_MAX ? s->yielded_ns : now_ns;
	planned->gap_ns = 0;
	memcpy(planned->reason, s->reason, sizeof(planned->reason));
	LOG_INFO("switch: process %d, which forwarded, has yielded: %s", (int)pid, s->reason);
	succession_forget(k);
	if (k->spare && k->spare->warm)
		hand_over(k);
	else
		spare_soon(k);
}

void succession_forget(struct keeper *k)
{
	loop_timer_del(k->succession.timer);
	k->succession.state = SUCCESSION_NONE;
	k->succession.yielded_ns = 0;
}
