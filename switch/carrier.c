/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/carrier.h"

#include "base/log.h"
#include "switch/internal.h"

/* A guest that boots, or whose driver waits, is there: its machine has power. */
static bool is_there(const struct port *p)
{
	return !p->kept->down && (p->state == PORT_UP || p->state == PORT_NEGOTIATING);
}

static bool wanted(const struct bridge *br, const struct port *p)
{
	const struct port *other;

	if (p->kept->down)
		return false;
	if (!br->kept->opts.wire)
		return true;
	TAILQ_FOREACH(other, &br->sw->ports, link)
		if (other->bridge == br && other != p && is_there(other))
			return true;
	return false;
}

static void update(struct port *p)
{
	bool on = wanted(p->bridge, p);

	if (p->carrier == on)
		return;
	p->carrier = on;
	LOG_DEBUG("port \"%s\": carrier %s", p->name, on ? "on" : "off");
	if (p->ops->carrier)
		p->ops->carrier(p, on);
	port_change_tell(p, SWITCH_PORT_CARRIER, p->state);
}

void carrier_update(struct bridge *br, struct port *p)
{
	if (p)
		update(p);
	if (!br->kept->opts.wire)
		return;
	TAILQ_FOREACH(p, &br->sw->ports, link)
		if (p->bridge == br)
			update(p);
}
