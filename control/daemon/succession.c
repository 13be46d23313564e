/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/succession.h"

#include <stdio.h>

#include "base/log.h"
#include "control/daemon/opener.h"

#define REST_MAX  (300 * MS_NS) /* for clients and front ends */
#define APPLY_MAX (1500 * MS_NS)
#define HOLD_MAX  (500 * MS_NS)
#define LOOK_NS	  (500 * 1000ull) /* between looks */

static void hold_end(void *arg)
{
	struct daemon *d = arg;

	if (!d->yield_timer && !d->stop_timer)
		rpc_server_accept(d->server, true);
}

void succession_ask_soon(struct daemon *d, const char *reason)
{
	if (!d->keeper.ask)
		return;
	d->keeper.ask(d->keeper.arg, reason);
	loop_timer_del(d->hold_timer);
	if (loop_timer_add(d->loop, HOLD_MAX, hold_end, d, &d->hold_timer) == 0)
		rpc_server_accept(d->server, false);
}

static void refuse(struct daemon *d, const char *text)
{
	succession_stay(d);
	if (d->keeper.refuse)
		d->keeper.refuse(d->keeper.arg, text);
}

static bool at_rest(struct daemon *d, uint64_t waited_ns)
{
	if (d->apply || opener_busy(d->opener))
		return false;
	return waited_ns > REST_MAX || (rpc_server_at_rest(d->server) && switch_settled(d->sw));
}

static void look(void *arg)
{
	struct daemon *d = arg;
	uint64_t waited_ns = loop_now_ns() - d->yield_since_ns;

	if (d->stop_timer)
		return; /* it ends anyway */
	if (at_rest(d, waited_ns))
		loop_stop(d->loop, DAEMON_YIELDS);
	else if (waited_ns > APPLY_MAX)
		refuse(d, d->apply ? "a configuration is being applied" : "a device is being opened");
	else if (loop_timer_add(d->loop, LOOK_NS, look, d, &d->yield_timer) < 0)
		refuse(d, "out of memory");
}

void succession_yield(struct daemon *d, const char *reason)
{
	if (d->stop_timer || d->yield_timer)
		return;
	LOG_INFO("switch: process yields to its successor: %s", reason);
	d->yield_since_ns = loop_now_ns();
	rpc_server_accept(d->server, false);
	look(d);
}

void succession_stay(struct daemon *d)
{
	loop_timer_del(d->yield_timer);
	loop_timer_del(d->hold_timer);
	rpc_server_accept(d->server, true);
	opener_stayed(d->opener);
}
