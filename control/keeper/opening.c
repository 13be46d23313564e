/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening a device for the process that forwards, which has not the rights any more: the warm one, which has them
 * still, opens it, and then the two change places (succession.c).
 *
 * How      One at a time, and nothing stops meanwhile. What does not open is the old process's to say; the warm one
 *          stays what it was. What is open and not asked for within OPENED_MAX is closed again.
 * Trust    The asking process may be a guest's. What may be opened is decided by who opens (tap/device_allow.h). One that
 *          asks all the time waits: OPENS a second at most, and a succession each PAUSE, after some in a row.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "control/keeper/internal.h"

#define WARM_MAX      (20 * S_NS)
#define OPEN_MAX      (10 * S_NS) /* cards take seconds */
#define OPENED_MAX    (15 * S_NS)
#define OPEN_PAUSE    (100 * MS_NS)
#define OPENS_IN_A_ROW 40
#define PAUSE	      (2 * S_NS)
#define IN_A_ROW      8

/* ---- how often ---- */

/* What is to be waited until one more may happen. */
static uint64_t meter_wait(uint64_t paid_ns, uint64_t price_ns, unsigned in_a_row)
{
	uint64_t now_ns = loop_now_ns(), ahead_ns = paid_ns > now_ns ? paid_ns - now_ns : 0;

	return ahead_ns + price_ns > in_a_row * price_ns ? ahead_ns + price_ns - in_a_row * price_ns : 0;
}

static void meter_pay(uint64_t *paid_ns, uint64_t price_ns)
{
	uint64_t now_ns = loop_now_ns();

	*paid_ns = (*paid_ns > now_ns ? *paid_ns : now_ns) + price_ns;
}

bool opening_succession_may(struct keeper *k)
{
	if (meter_wait(k->opening.successions_ns, PAUSE, IN_A_ROW))
		return false;
	meter_pay(&k->opening.successions_ns, PAUSE);
	return true;
}

/* ---- answers ---- */

static void answer(struct keeper *k, const struct channel_opened *o)
{
	struct channel_msg m = {.type = CHANNEL_OPENED, .opened = *o};

	if (k->active)
		channel_send(k->active->channel, &m);
}

static void refuse(struct keeper *k, uint32_t number, int rc, const char *text)
{
	struct channel_opened o = {.number = number, .result = rc};

	snprintf(o.text, sizeof(o.text), "%s", text);
	answer(k, &o);
}

static void state_set(struct keeper *k, enum opening_state state, uint64_t max_ns, loop_fn late)
{
	k->opening.state = state;
	loop_timer_del(k->opening.timer);
	if (late)
		loop_timer_add(k->loop, max_ns, late, k, &k->opening.timer);
}

static void give_up(struct keeper *k, int rc, const char *text)
{
	state_set(k, OPENING_NONE, 0, NULL);
	refuse(k, k->opening.request.number, rc, text);
}

/* ---- one step after the other ---- */

static void never_warm(void *arg)
{
	give_up(arg, -ETIMEDOUT, "no other process became ready to open it");
}

static void never_opened(void *arg)
{
	struct keeper *k = arg;

	LOG_WARN("switch: process %d does not come to an end with opening a device; it is killed", (int)k->spare->pid);
	kill(k->spare->pid, SIGKILL);
	give_up(k, -ETIMEDOUT, "its driver does not come to an end");
}

void opening_unopen(struct keeper *k)
{
	struct channel_msg m = {.type = CHANNEL_UNOPEN};

	if (!k->opening.is_open)
		return;
	k->opening.is_open = false;
	if (k->opening.state == OPENING_NONE)
		loop_timer_del(k->opening.timer);
	if (k->spare)
		channel_send(k->spare->channel, &m);
}

static void never_wanted(void *arg)
{
	struct keeper *k = arg;

	opening_unopen(k);
	refuse(k, 0, -ETIMEDOUT, "nobody came for it");
}

static void go_on(void *arg)
{
	struct keeper *k = arg;
	struct opening *o = &k->opening;
	struct channel_msg m = {.type = CHANNEL_OPEN, .device = o->request};
	uint64_t wait_ns = meter_wait(o->opens_ns, OPEN_PAUSE, OPENS_IN_A_ROW);
	uint64_t succession_ns = meter_wait(o->successions_ns, PAUSE, IN_A_ROW);

	if (succession_ns > wait_ns)
		wait_ns = succession_ns;
	if (!k->spare || !k->spare->warm)
		state_set(k, OPENING_WARMING, WARM_MAX, never_warm);
	else if (wait_ns)
		state_set(k, OPENING_WARMING, wait_ns, go_on);
	else if (channel_send(k->spare->channel, &m) < 0)
		give_up(k, -EIO, "the process that was to open it takes no message");
	else {
		meter_pay(&o->opens_ns, OPEN_PAUSE);
		state_set(k, OPENING_ASKED, OPEN_MAX, never_opened);
	}
}

void opening_ask(struct keeper *k, const struct channel_device *device)
{
	struct opening *o = &k->opening;

	if (o->state != OPENING_NONE) {
		refuse(k, device->number, -EBUSY, "another device is just being opened");
		return;
	}
	if (k->stopping || k->leaving || !k->active->ready || k->succession.state != SUCCESSION_NONE ||
	    k->takeover.state != TAKEOVER_NONE) {
		refuse(k, device->number, -EAGAIN, "the switch is just being restarted; try again");
		return;
	}
	o->request = *device;
	if (!k->spare) {
		loop_timer_del(k->spare_timer);
		spare_start(k);
	}
	go_on(k);
}

void opening_go_on(struct keeper *k)
{
	if (k->opening.state == OPENING_WARMING)
		go_on(k);
}

void opening_answered(struct keeper *k, const struct channel_opened *opened)
{
	struct opening *o = &k->opening;

	if (o->state != OPENING_ASKED || opened->number != o->request.number)
		return;
	o->is_open |= opened->result == 0;
	state_set(k, OPENING_NONE, OPENED_MAX, o->is_open ? never_wanted : NULL);
	answer(k, opened);
}

void opening_lost(struct keeper *k, const char *why)
{
	struct opening *o = &k->opening;
	char text[160];

	if (o->state == OPENING_ASKED) {
		snprintf(text, sizeof(text), "the process that was to open it has ended: %s", why);
		give_up(k, -EIO, text);
	}
	if (!o->is_open)
		return;
	opening_unopen(k);
	refuse(k, 0, -EIO, why);
}

void opening_forget(struct keeper *k)
{
	state_set(k, OPENING_NONE, 0, NULL);
	k->opening.is_open = false;
}
