/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/event_sources.h"

#include <stdio.h>

#include "base/log.h"
#include "control/daemon/events.h"
#include "control/daemon/page.h"

static json_t *port_name_json(const struct port *p)
{
	return p ? json_string(port_name(p)) : json_null();
}

static void mac_publish(struct daemon *d, const struct switch_change *c)
{
	const uint8_t *m = c->moved.mac;
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	events_publish(d->events, "mac.move", bridge_name(c->bridge),
		       json_pack("{sisssoso}", "vlan", c->moved.vid, "mac", mac, "from",
				 port_name_json(c->moved_from), "to",
				 port_name_json(c->moved.port)));
}

static void port_publish(struct daemon *d, const struct switch_change *c)
{
	static const char *const kinds[] = {
		[SWITCH_PORT_MADE] = "port.add",	[SWITCH_PORT_GONE] = "port.del",
		[SWITCH_PORT_STATE] = "port.state",	[SWITCH_PORT_CARRIER] = "port.carrier",
		[SWITCH_PORT_MTU] = "port.mtu",
	};
	json_t *more = json_pack("{ssss}", "bridge", bridge_name(c->bridge), "type", c->type);

	if (c->event == SWITCH_PORT_STATE)
		json_object_update_new(more, json_pack("{ssssso}", "old", port_state_name(c->was),
						       "new", port_state_name(c->is), "reason",
						       json_text(c->reason)));
	if (c->event == SWITCH_PORT_CARRIER)
		json_object_set_new(more, "on", json_boolean(c->carrier));
	if (c->event == SWITCH_PORT_MTU)
		json_object_set_new(more, "mtu", c->mtu ? json_integer(c->mtu) : json_null());
	events_publish(d->events, kinds[c->event], port_name(c->port), more);
}

static void on_change(void *arg, const struct switch_change *c)
{
	struct daemon *d = arg;

	if (c->event == SWITCH_PORT_MADE || c->event == SWITCH_PORT_GONE ||
	    c->event == SWITCH_BRIDGE_MADE || c->event == SWITCH_BRIDGE_GONE)
		d->version++;
	if (!events_wanted(d->events))
		return;
	switch (c->event) {
	case SWITCH_PORT_MADE:
	case SWITCH_PORT_GONE:
	case SWITCH_PORT_STATE:
	case SWITCH_PORT_CARRIER:
	case SWITCH_PORT_MTU:
		port_publish(d, c);
		break;
	case SWITCH_BRIDGE_MADE:
	case SWITCH_BRIDGE_GONE:
		events_publish(d->events,
			       c->event == SWITCH_BRIDGE_MADE ? "bridge.add" : "bridge.del",
			       bridge_name(c->bridge), NULL);
		break;
	case SWITCH_MAC_MOVED:
		mac_publish(d, c);
		break;
	case SWITCH_MACS_MOVED:
		events_publish(d->events, "mac.move.more", bridge_name(c->bridge),
			       json_pack("{sI}", "count", (json_int_t)c->n_more));
		break;
	}
}

static void on_log(void *arg, enum log_level level, const char *text)
{
	struct daemon *d = arg;

	if (events_wanted(d->events))
		events_publish(d->events, level == LOG_LEVEL_ERR ? "log.err" : "log.warn", "switch",
			       json_pack("{so}", "text", json_text(text)));
}

static void on_wanted(void *arg, bool wanted)
{
	struct daemon *d = arg;

	switch_moves_want(d->sw, wanted);
}

int event_sources_start(struct daemon *d, struct err *err)
{
	int rc = events_create(d->loop, on_wanted, d, &d->events, err);

	if (rc < 0)
		return rc;
	switch_on_change(d->sw, on_change, d);
	log_tap_set(on_log, d, LOG_LEVEL_WARN);
	return 0;
}

void event_sources_stop(struct daemon *d)
{
	log_tap_set(NULL, NULL, LOG_LEVEL_ERR);
	if (d->sw)
		switch_on_change(d->sw, NULL, NULL);
	events_destroy(d->events);
	d->events = NULL;
}
