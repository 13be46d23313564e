/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/uplink_programs.h"

#include "base/log.h"
#include "tap/host.h"
#include "tap/uplink.h"
#include "tap/uplink_rings.h"

static struct loop_timer *timer;

static void keep_all(void *arg)
{
	for (struct port *p = uplink_next(NULL); p; p = uplink_next(p)) {
		const struct ethdev *e = &uplink_of(p)->dev;
		struct err err = ERR_NONE;

		if (e->is_open && e->xdp_fd >= 0 && host_xdp_keep(e->xdp_fd, e->ifindex, &err) < 0)
			LOG_WARN(
				"device %s: its program stays in interface \"%s\" if the switch is killed: %s",
				e->name.name, e->name.iface, err.text);
	}
}

static void again(void)
{
	keep_all(NULL);
}

void uplink_programs_keep(struct loop *loop, const struct ethdev *e)
{
	if (e->xdp_fd < 0)
		return;
	host_forgot_set(again);
	if (!timer)
		loop_timer_add(loop, 0, keep_all, NULL, &timer);
}

void uplink_programs_end(void)
{
	loop_timer_del(timer);
	host_forgot_set(NULL);
}
