/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/config.h"
#include "control/daemon/handlers.h"
#include "control/daemon/kept_out.h"
#include "control/daemon/objects.h"
#include "control/daemon/owner.h"
#include "control/daemon/page.h"
#include "control/daemon/policy_params.h"
#include "control/daemon/port_type.h"
#include "control/daemon/vlan_params.h"
#include "control/rpc/methods.h"

#define PAGE_PORTS 100

static const char *name_of(const json_t *params)
{
	return json_string_value(json_object_get(params, "name"));
}

/* The saved settings of the port of params where it could not be made at start, else NULL. */
static json_t *kept_of(struct daemon *d, const json_t *params)
{
	return port_find(d->sw, name_of(params)) ? NULL : kept_out_find(d, "ports", name_of(params));
}

/* Finds the port of params; a hand-made one only while changes are allowed. */
static int find_to_change(struct daemon *d, const json_t *params, struct port **out,
			  struct err *err)
{
	int rc;

	if (kept_of(d, params)) {
		err_set(err, -ENOENT, "port \"%s\" is kept out: %s", name_of(params),
			kept_out_why(d, "ports", name_of(params)));
		return err_hint(err, "`lanyard port up %s` tries again, `lanyard port del %s` forgets it",
				name_of(params), name_of(params));
	}
	rc = port_resolve(d, name_of(params), NULL, out, err);
	if (rc == 0 && owner_saved(port_owner(*out)))
		rc = changes_allowed(d, err);
	return rc;
}

int port_add_now(struct daemon *d, const json_t *params, struct err *err)
{
	bool saved = !json_object_get(params, "lab") &&
		     !json_is_true(json_object_get(params, "transient"));
	int rc = saved ? changes_allowed(d, err) : 0;

	if (rc == 0)
		rc = port_make(d, params, err);
	if (rc == 0 && saved)
		json_object_del(json_object_get(d->kept_out, "ports"), name_of(params));
	return rc;
}

/* A call that waits for what somebody may be letting go of: others are served meanwhile. */
struct adding {
	struct daemon *d;
	struct rpc_call *call;
	json_t *params;
	uint64_t end_ns;
	struct loop_timer *timer;
};

static void add_again(void *arg)
{
	struct adding *a = arg;
	struct err err = ERR_NONE;
	int rc = port_add_now(a->d, a->params, &err);

	if (rc == -EAGAIN && loop_now_ns() < a->end_ns &&
	    loop_timer_add(a->d->loop, PORT_AGAIN_NS, add_again, a, &a->timer) == 0)
		return;
	if (rc == 0)
		rc = daemon_save(a->d, &err);
	if (rc == 0)
		rpc_reply(a->call, NULL);
	else
		rpc_fail(a->call, &err);
	json_decref(a->params);
	free(a);
}

static int add_later(struct daemon *d, struct rpc_call *call, const json_t *params)
{
	struct adding *a = malloc(sizeof(*a));

	if (!a)
		return -ENOMEM;
	*a = (struct adding){.d = d,
			     .call = call,
			     .params = json_deep_copy(params),
			     .end_ns = loop_now_ns() + PORT_AGAIN_MAX};
	if (a->params && loop_timer_add(d->loop, PORT_AGAIN_NS, add_again, a, &a->timer) == 0)
		return RPC_DEFERRED;
	json_decref(a->params);
	free(a);
	return -ENOMEM;
}

int do_port_add(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	int rc = uplink_add_later(call, params, err);

	if (rc)
		return rc;
	rc = port_add_now(d, params, err);
	return rc == -EAGAIN ? add_later(d, call, params) : rc;
}

int do_port_del(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	struct port *p;
	int rc;

	/* One that could not be made at start is deleted from what is saved. */
	if (kept_of(d, params)) {
		rc = changes_allowed(d, err);
		return rc < 0 ? rc : json_object_del(json_object_get(d->kept_out, "ports"), name_of(params));
	}
	rc = find_to_change(d, params, &p, err);
	return rc < 0 ? rc : port_drop(p, err);
}

/* What a guest knows of its MTU comes from its device, which keeps it until its machine starts anew. */
static json_t *mtu_note(const struct port *p)
{
	struct port_info info;
	char note[SWITCH_NAME_MAX + 160];

	port_info(p, &info);
	if ((strcmp(info.type, "vhost-user") && strcmp(info.type, "dgram")) ||
	    (info.state != PORT_UP && info.state != PORT_NEGOTIATING))
		return NULL;
	snprintf(note, sizeof(note),
		 "port \"%s\": the switch keeps to the new mtu from now on; a running guest hears of "
		 "it at its next start",
		 info.name);
	return json_pack("{s:s}", "note", note);
}

/* Taking its VLANs from a port makes it a member of all of them. */
static json_t *mode_note(const struct port *p, const json_t *texts)
{
	static const char *const keys[] = {"access", "trunk", "tunnel"};
	const json_t *settings = port_owner(p)->settings;
	struct port_info info;
	bool taken = false;

	for (unsigned i = 0; i < 3; i++) {
		if (json_object_get(settings, keys[i]))
			return NULL;
		taken |= json_object_get(texts, keys[i]) != NULL;
	}
	if (!taken)
		return NULL;
	port_info(p, &info);
	return json_pack("{so}", "note",
			 json_sprintf("port \"%s\" is a trunk of all VLANs now, 1-4094, with native VLAN %u", info.name,
				      info.vlan.native));
}

/* The settings of a port with those of params in them, checked as for a new port. */
static int settings_changed(struct daemon *d, const char *name, const json_t *settings, const json_t *params,
			    json_t **out, struct err *err)
{
	static const char *const keys[] = {"access", "trunk", "native", "tunnel", "mtu",
					   POLICY_KEYS, NULL};
	int rc = settings_merge(settings, json_object_get(params, "settings"), &m_port_add, keys, out, err);

	if (rc == 0) {
		rc = port_settings_check(d, *out, err);
		if (rc < 0)
			json_decref(*out);
	}
	if (rc < 0)
		err_prefix(err, "port \"%s\"", name);
	return rc;
}

/* Of one that could not be made at start: what the next try has. */
static int kept_set(struct daemon *d, const json_t *kept, const json_t *params, json_t **result, struct err *err)
{
	json_t *settings;
	int rc = changes_allowed(d, err);

	if (rc == 0)
		rc = settings_changed(d, name_of(params), kept, params, &settings, err);
	if (rc < 0)
		return rc;
	json_object_set_new(json_object_get(d->kept_out, "ports"), name_of(params), settings);
	*result = json_pack("{so}", "note",
			    json_sprintf("port \"%s\" is kept out still; `lanyard port up %s` tries to make it",
					 name_of(params), name_of(params)));
	return 0;
}

int do_port_set(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	const json_t *kept = kept_of(d, params);
	struct port_info info;
	json_t *settings;
	struct port *p;
	int rc;

	if (kept)
		return kept_set(d, kept, params, result, err);
	rc = find_to_change(d, params, &p, err);
	if (rc < 0)
		return rc;
	port_info(p, &info);
	rc = settings_changed(d, info.name, port_owner(p)->settings, params, &settings, err);
	if (rc < 0)
		return rc;
	rc = port_change(p, settings, err);
	json_decref(settings);
	if (rc == 0 && json_object_get(json_object_get(params, "settings"), "mtu"))
		*result = mtu_note(p);
	if (rc == 0 && !*result)
		*result = mode_note(p, json_object_get(params, "settings"));
	return rc;
}

static int admin(struct daemon *d, const json_t *params, bool up, struct err *err)
{
	struct port *p;
	struct owner *owner;
	int rc = find_to_change(d, params, &p, err);

	/* Always carried out, even where it seems to change nothing: `up` also heals. */
	if (rc == 0)
		rc = port_admin_set(p, up, err);
	if (rc < 0)
		return rc;
	owner = port_user(p);
	if (up)
		json_object_del(owner->settings, "down");
	else
		json_object_set_new(owner->settings, "down", json_true());
	return port_remember(p, err);
}

int do_port_up(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	const json_t *kept = kept_of(d, params);
	struct port *p;
	int rc;

	if (kept) {
		json_t *again = config_params(name_of(params), kept);

		json_object_del(again, "down");
		rc = do_port_add(call, again, result, err);
		json_decref(again);
		/* Why now, which may be another reason than at the start. */
		if (rc < 0 && kept_of(d, params))
			kept_out_add(d, "ports", name_of(params), kept_of(d, params), err->text);
		return rc;
	}
	rc = find_to_change(rpc_ctx(call), params, &p, err);
	if (rc == 0)
		rc = uplink_up_later(call, params, p, err);
	return rc ? rc : admin(rpc_ctx(call), params, true, err);
}

int port_up_now(struct daemon *d, const json_t *params, struct err *err)
{
	return admin(d, params, true, err);
}

int do_port_down(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	return admin(rpc_ctx(call), params, false, err);
}

static json_t *features_json(uint64_t features)
{
	json_t *list = json_array();

	for (unsigned bit = 0; bit < 64; bit++) {
		const char *name = virtio_feature_name(bit);
		char number[8];

		if (!(features >> bit & 1))
			continue;
		snprintf(number, sizeof(number), "%u", bit);
		json_array_append_new(list, json_string(name ? name : number));
	}
	return list;
}

static void text_set(json_t *to, const char *key, const char *text)
{
	if (text)
		json_object_set_new(to, key, json_text(text));
}

static json_t *port_json(const struct port *p)
{
	static const char *const socket_keys[] = {SOCKET_KEYS};
	const struct owner *owner = port_owner(p);
	struct port_info info;
	json_t *out;

	port_info(p, &info);
	out = json_pack(
		"{ss so ss ss ss so so so so si so so}", "name", info.name, "lab",
		owner && owner->lab ? json_string(owner->lab) : json_null(), "type", info.type,
		"bridge", bridge_name(info.bridge), "state", port_state_name(info.state), "reason",
		info.reason && *info.reason ? json_text(info.reason) : json_string(""), "path",
		info.path ? json_text(info.path) : json_null(), "vlan", vlan_to_json(&info.vlan),
		"mtu", info.mtu ? json_integer(info.mtu) : json_null(), "queues",
		(int)info.n_queues, "features", features_json(info.features), "counters",
		counters_json(p));
	json_object_set_new(out, "carrier", json_boolean(info.carrier));
	json_object_set_new(out, "transient", json_boolean(!owner_saved(owner)));
	/* What a foreign guest has to be: the socket's server where we connect, else its client. */
	if (owner && info.path)
		json_object_set_new(
			out, "listen",
			json_boolean(json_is_true(json_object_get(owner->settings, "listen"))));
	for (unsigned i = 0; owner && info.path && i < sizeof(socket_keys) / sizeof(socket_keys[0]); i++)
		text_set(out, socket_keys[i],
			 json_string_value(json_object_get(owner->settings, socket_keys[i])));
	/* How many it was given: "queues" are those that run. */
	if (owner && json_object_get(owner->settings, "queues"))
		json_object_set(out, "queues_given", json_object_get(owner->settings, "queues"));
	policy_to_json(info.policy, out);
	text_set(out, "device", info.device);
	text_set(out, "ifname", info.ifname);
	text_set(out, "netns", info.netns);
	text_set(out, "address", info.address);
	text_set(out, "peer", info.peer);
	if (link_peer(p)) {
		struct port_info other;

		port_info(link_peer(p), &other);
		json_object_set_new(out, "peer", json_string(other.name));
	}
	return out;
}

int do_port_list(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	struct page page;
	struct port *p;

	if (name_of(params)) {
		bool kept = kept_of(d, params);
		int rc = kept ? 0 : port_resolve(d, name_of(params), NULL, &p, err);

		if (rc < 0)
			return rc;
		page_begin(&page, params, 1);
		page_add(&page, kept ? kept_out_port_json(d, name_of(params)) : port_json(p));
		*result = page_end(&page, NULL);
		return 0;
	}
	*result = ports_page(d, params, PAGE_PORTS, port_json, kept_out_port_nth);
	return 0;
}
