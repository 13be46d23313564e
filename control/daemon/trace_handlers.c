/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/frame_text.h"
#include "control/daemon/handlers.h"
#include "control/daemon/owner.h"

#define STEPS_MAX 600 /* of some 300 bytes each: a reply has 256 KiB */

static const char *const kind_words[] = {
	[TRACE_ENTERED] = "entered",	 [TRACE_DROPPED_IN] = "dropped",
	[TRACE_LEARN] = "learn",	 [TRACE_KNOWN] = "known",
	[TRACE_GROUP] = "group",	 [TRACE_UNKNOWN] = "unknown",
	[TRACE_STALE] = "stale",	 [TRACE_DELIVERED] = "delivered",
	[TRACE_DROPPED_OUT] = "dropped", [TRACE_CROSSED] = "crossed",
};

struct steps {
	json_t *list;
	unsigned n_more; /* beyond STEPS_MAX */
};

static void say(char *text, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Appends. */
static void say(char *text, size_t size, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + len, size - len, fmt, ap);
	va_end(ap);
}

static const char *name_or(const struct port *p)
{
	return p ? port_name(p) : "a port that is being deleted";
}

static void say_policy(char *text, size_t size, const struct vlan_policy *v)
{
	if (v->mode == VLAN_ACCESS)
		say(text, size, "access %u", v->vid);
	else if (v->mode == VLAN_TUNNEL)
		say(text, size, "tunnel %u", v->vid);
	else if (v->native != VLAN_NO_NATIVE)
		say(text, size, "trunk, native %u", v->native);
	else
		say(text, size, "trunk without native VLAN");
}

static void say_tag(char *text, size_t size, const struct trace_step *s)
{
	if (!s->tagged)
		say(text, size, "untagged");
	else if (s->tci >> 13)
		say(text, size, "tagged %u, priority %u", s->tci & 0xfff, s->tci >> 13);
	else
		say(text, size, "tagged %u", s->tci & 0xfff);
	say(text, size, ", %u bytes", s->len);
}

static void say_age(char *text, size_t size, const struct trace_entry *e)
{
	if (e->is_static)
		say(text, size, " (entered by hand)");
	else if (e->found)
		say(text, size, " (seen %u s ago)", e->age_s);
}

static void say_learn(char *text, size_t size, const struct trace_step *s)
{
	const struct trace_entry *e = &s->src;

	if (!e->found) {
		say(text, size, "its source is new and would be learned on %s", name_or(s->port));
	} else if (e->is_static) {
		say(text, size, "its source was entered by hand on %s, which nothing changes",
		    name_or(e->port));
	} else if (e->port == s->port) {
		say(text, size, "its source is known there");
		say_age(text, size, e);
	} else {
		say(text, size, "its source would move here from %s", name_or(e->port));
		say_age(text, size, e);
	}
}

/* With the port's own command in it, to paste. */
static void say_advice(char *text, size_t size, const char *advice, const char *port)
{
	static const char command[] = "`port set P ";
	const char *at = strstr(advice, command);

	if (at)
		say(text, size, "%.*s`lanyard port set %s %s", (int)(at - advice), advice, port,
		    at + strlen(command));
	else
		say(text, size, "%s", advice);
}

/* The sentence of one step. */
static void say_step(char *text, size_t size, const struct trace_step *s)
{
	struct port_info info;

	port_info(s->port, &info);
	text[0] = '\0';
	switch (s->kind) {
	case TRACE_ENTERED:
		say(text, size, "enters bridge %s by %s (", bridge_name(info.bridge), info.name);
		say_policy(text, size, &info.vlan);
		say(text, size, ") as VLAN %u", s->vid);
		break;
	case TRACE_DROPPED_IN:
		say(text, size, "dropped by %s: %s: ", info.name, rx_drop_names[s->reason]);
		say_advice(text, size, rx_drop_texts[s->reason], info.name);
		break;
	case TRACE_LEARN:
		say_learn(text, size, s);
		break;
	case TRACE_KNOWN:
		say(text, size, "its destination is on %s", name_or(s->to));
		say_age(text, size, &s->dst);
		if (!s->dst.found)
			say(text, size, ", which owns it (guard mac)");
		break;
	case TRACE_GROUP:
		say(text, size, "its destination is a group: to all other ports of VLAN %u",
		    s->vid);
		break;
	case TRACE_UNKNOWN:
		say(text, size, "its destination is not known: to all other ports of VLAN %u",
		    s->vid);
		break;
	case TRACE_STALE:
		say(text, size,
		    "its destination was on %s, which is not in VLAN %u: to all other ports of it",
		    name_or(s->to), s->vid);
		break;
	case TRACE_DELIVERED:
		say(text, size, "delivered to %s, ", info.name);
		say_tag(text, size, s);
		break;
	case TRACE_DROPPED_OUT:
		say(text, size, "not delivered to %s: %s: %s", info.name, tx_drop_names[s->reason],
		    tx_drop_texts[s->reason]);
		break;
	case TRACE_CROSSED:
		say(text, size, "crosses link %s to bridge ", info.name);
		port_info(s->to, &info);
		say(text, size, "%s, ", bridge_name(info.bridge));
		say_tag(text, size, s);
		break;
	}
}

static void step_add(void *arg, const struct trace_step *s)
{
	struct steps *steps = arg;
	struct port_info info;
	char text[512];
	json_t *one;

	if (json_array_size(steps->list) >= STEPS_MAX) {
		steps->n_more++;
		return;
	}
	port_info(s->port, &info);
	say_step(text, sizeof(text), s);
	one = json_pack("{ss ss ss ss}", "step", kind_words[s->kind], "bridge",
			bridge_name(info.bridge), "port", info.name, "text", text);
	if (s->kind == TRACE_ENTERED)
		json_object_set_new(one, "vlan", json_integer(s->vid));
	if (s->kind == TRACE_DELIVERED || s->kind == TRACE_CROSSED)
		json_object_set_new(one, "tag",
				    s->tagged ? json_integer(s->tci & 0xfff) : json_null());
	if (s->kind == TRACE_DELIVERED)
		json_object_set_new(one, "len", json_integer(s->len));
	if (s->kind == TRACE_DROPPED_IN || s->kind == TRACE_DROPPED_OUT) {
		bool in = s->kind == TRACE_DROPPED_IN;

		json_object_set_new(one, "direction", json_string(in ? "in" : "out"));
		json_object_set_new(one, "reason",
				    json_string((in ? rx_drop_names : tx_drop_names)[s->reason]));
	}
	json_array_append_new(steps->list, one);
}

int do_bridge_trace(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	const char *frame = json_string_value(json_object_get(params, "frame"));
	struct steps steps = {.list = json_array()};
	struct daemon *d = rpc_ctx(call);
	struct port_info info;
	struct bridge *br;
	struct port *p;
	uint32_t len;
	uint8_t *bytes = malloc(FRAME_TEXT_MAX);
	int rc = bytes ? 0 : err_set(err, -ENOMEM, "out of memory");

	if (rc == 0)
		rc = bridge_resolve(d, json_string_value(json_object_get(params, "bridge")), NULL,
				    &br, err);
	if (rc == 0)
		rc = port_resolve(d, json_string_value(json_object_get(params, "port")), NULL, &p,
				  err);
	if (rc == 0) {
		port_info(p, &info);
		if (info.bridge != br)
			rc = err_set(err, -EINVAL, "port \"%s\" is on bridge \"%s\", not on \"%s\"",
				     info.name, bridge_name(info.bridge), bridge_name(br));
	}
	if (rc == 0) {
		rc = frame_from_text(frame, bytes, &len, err);
		if (rc < 0)
			err_prefix(err, "frame \"%.100s\"", frame);
	}
	if (rc == 0)
		rc = trace_run(d->sw, p, bytes, len, step_add, &steps, err);
	free(bytes);
	if (rc < 0) {
		json_decref(steps.list);
		return rc;
	}
	*result = json_pack("{so si}", "steps", steps.list, "more", (int)steps.n_more);
	return 0;
}
