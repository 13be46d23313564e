/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/config.h"
#include "control/daemon/mirror.h"
#include "control/daemon/objects.h"
#include "control/daemon/owner.h"
#include "control/daemon/page.h"
#include "control/daemon/policy_params.h"
#include "control/daemon/vlan_params.h"
#include "control/rpc/methods.h"
#include "switch/port.h"

/* Parameters of every port type; the rest are a type's own. */
static const char *const common_keys[] = {"name",  "bridge", "type",	  "access",
					  "trunk", "native", "tunnel",	  "mtu",
					  "down",  "lab",    "transient", "mirror", "mirror_direction", "mirror_filter", POLICY_KEYS, NULL};
/* Those that can be changed while the port lives. */
static const char *const set_keys[] = {"access", "trunk", "native", "tunnel", "mtu", "down", "mirror", "mirror_direction", "mirror_filter", POLICY_KEYS, NULL};

static bool in_words(const char *const *words, const char *word)
{
	for (; *words; words++)
		if (!strcmp(*words, word))
			return true;
	return false;
}

int port_settings_check(struct daemon *d, const json_t *settings, struct err *err)
{
	const char *name = json_string_value(json_object_get(settings, "type")), *key;
	const struct port_type *type = port_type_find(d->types, name, err);
	struct port_policy policy;
	struct vlan_policy vlan;
	json_t *value;

	if (!type)
		return -EINVAL;
	json_object_foreach ((json_t *)settings, key, value)
		if (!in_words(common_keys, key) && !in_words(type->keys, key))
			return err_set(err, -EINVAL, "a %s port has no %s", type->name, key);
	if (type->check) {
		int rc = type->check(settings, err);

		if (rc < 0)
			return rc;
	}
	if (policy_from_settings(settings, &policy, err) < 0)
		return -EINVAL;
	return vlan_from_settings(settings, &vlan, err);
}

static int settings_check(struct daemon *d, const char *name, const json_t *settings, struct err *err)
{
	int rc = port_settings_check(d, settings, err);

	return rc < 0 ? rc : mirror_check(name, settings, err);
}

/* Puts full names in the place of bare ones, and refuses a hand-made port on what would not be
 * there after the next start. */
static int bridges_resolve(struct daemon *d, struct owner *owner, struct bridge **out,
			   struct err *err)
{
	static const char *const keys[] = {"bridge", "peer_bridge"};

	for (unsigned i = 0; i < 2; i++) {
		const char *name = json_string_value(json_object_get(owner->settings, keys[i]));
		struct bridge *br;
		int rc;

		if (!name)
			continue;
		rc = bridge_resolve(d, name, owner->lab, &br, err);
		if (rc < 0)
			return rc;
		name = bridge_name(br);
		if (i == 0)
			*out = br;
		if (!owner->transient && !owner_saved(bridge_owner(br))) {
			err_set(err, -EINVAL, "bridge \"%s\" is not part of what is saved", name);
			err_hint(err, "a port made by hand can only be on a bridge made by hand; one of a lab's bridge "
				      "stands under ports: of the lab's file");
			return -EINVAL;
		}
		json_object_set_new(owner->settings, keys[i], json_string(name));
	}
	return 0;
}

static int settings_remember(struct port *p, const json_t *settings, struct err *err)
{
	char *text = json_dumps(settings, SETTINGS_FLAGS);
	int rc = text ? port_settings_set(p, text) : -ENOMEM;

	free(text);
	return rc < 0 ? err_set(err, rc, "port \"%s\": no memory for its settings", port_name(p)) : 0;
}

int port_remember(struct port *p, struct err *err)
{
	return settings_remember(p, port_owner(p)->settings, err);
}

/* What a predecessor left of it, or nothing. */
struct left {
	unsigned slot;
	const struct slot_info *info; /* NULL: nothing */
};

static int port_create(struct daemon *d, const char *name, struct owner *owner, const struct left *left,
		       struct port **out, struct err *err)
{
	const json_t *settings = owner->settings;
	struct port_opts opts = {.name = name, .adopt = left->info, .slot = (uint16_t)left->slot};
	const struct port_type *type;
	int rc;

	opts.down = json_is_true(json_object_get(settings, "down")) ||
		    (left->info && left->info->quarantined);
	opts.mtu = (uint32_t)json_integer_value(json_object_get(settings, "mtu"));
	rc = vlan_from_settings(settings, &opts.vlan, err);
	if (rc == 0)
		rc = policy_from_settings(settings, &opts.policy, err);
	if (rc == 0)
		rc = bridges_resolve(d, owner, &opts.bridge, err);
	if (rc < 0)
		return rc;
	type = port_type_find(d->types, json_string_value(json_object_get(settings, "type")), err);
	return type ? type->add(d->sw, &opts, settings, out, err) : -EINVAL;
}

/* `port "p": ` before the sentence, unless whoever wrote it has named the port. */
static void name_port(struct err *err, const char *name)
{
	if (strncmp(err->text, "port \"", 6))
		err_prefix(err, "port \"%s\"", name);
}

/* Its owner, where a port of that name could be made. *owner is to be freed also after a failure. */
static int owner_begin(struct daemon *d, const char *name, const json_t *params, struct owner **owner, struct err *err)
{
	int rc = settings_check(d, name, params, err);

	*owner = NULL;
	if (rc == 0)
		rc = owner_create(name, params, owner, err);
	if (rc == 0 && port_find(d->sw, name))
		rc = err_set(err, -EEXIST, "port \"%s\" exists already", name);
	return rc;
}

static int port_begin(struct daemon *d, const struct left *left, const json_t *params, struct err *err)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	struct owner *owner;
	struct port *p = NULL;
	int rc = owner_begin(d, name, params, &owner, err);

	if (rc == 0)
		rc = port_create(d, name, owner, left, &p, err);
	/* Where a driver cannot begin so. */
	if (rc == 0 && p->state != PORT_DOWN &&
	    (json_is_true(json_object_get(params, "down")) || (left->info && left->info->quarantined))) {
		rc = port_admin_set(p, false, err);
		if (rc < 0)
			port_del(p, NULL);
	}
	if (rc == 0) {
		rc = mirror_apply(p, owner, owner->settings, err);
		if (rc < 0)
			port_del(p, NULL);
	}
	if (rc < 0) {
		name_port(err, name);
		owner_free(owner);
		return rc;
	}
	port_user_set(p, owner);
	if (link_peer(p))
		port_user_set(link_peer(p), owner);
	port_owner_set(p, owner->lab, owner->transient);
	rc = port_remember(p, err);
	if (rc < 0) {
		port_drop(p, NULL);
		return rc;
	}
	mirrors_refresh(port_name(p));
	if (link_peer(p))
		mirrors_refresh(port_name(link_peer(p)));
	return 0;
}

int port_make(struct daemon *d, const json_t *params, struct err *err)
{
	return port_begin(d, &(struct left){.info = NULL}, params, err);
}

int port_make_check(struct daemon *d, const json_t *params, struct err *err)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	struct owner *owner;
	struct bridge *br;
	int rc = owner_begin(d, name, params, &owner, err);

	if (rc == 0)
		rc = bridges_resolve(d, owner, &br, err);
	owner_free(owner);
	if (rc < 0)
		name_port(err, name);
	return rc;
}

int port_take(struct daemon *d, unsigned slot, const struct slot_info *info, const json_t *params,
	      struct err *err)
{
	return port_begin(d, &(struct left){.slot = slot, .info = info}, params, err);
}

int port_drop(struct port *p, struct err *err)
{
	struct port *peer = link_peer(p);
	struct owner *owner = port_user(p);
	char names[2][SWITCH_NAME_MAX] = {"", ""};
	int rc;

	snprintf(names[0], sizeof(names[0]), "%s", port_name(p));
	snprintf(names[1], sizeof(names[1]), "%s", peer ? port_name(peer) : "");
	mirror_end(owner);
	rc = port_del(p, err);
	if (rc < 0)
		return rc;
	owner_free(owner);
	for (unsigned i = 0; i < 2 && names[i][0]; i++)
		mirrors_forget(names[i]);
	mirrors_retry();
	return 0;
}

bool port_settings_alike(const json_t *a, const json_t *b)
{
	json_t *x = json_copy((json_t *)a), *y = json_copy((json_t *)b);
	bool alike;

	for (const char *const *k = set_keys; *k; k++) {
		json_object_del(x, *k);
		json_object_del(y, *k);
	}
	alike = settings_mean_the_same(x, y);
	json_decref(x);
	json_decref(y);
	return alike;
}

/* Brings the switch from one set of settings to another. */
static int port_move(struct port *p, const json_t *from, const json_t *to, struct err *err)
{
	bool down = json_is_true(json_object_get(to, "down"));
	struct port_policy policy;
	struct vlan_policy vlan;
	int rc = vlan_from_settings(to, &vlan, err);

	if (rc == 0)
		rc = policy_from_settings(to, &policy, err);
	if (rc == 0)
		rc = port_vlan_set(p, &vlan, err);
	if (rc == 0 && policy_differs(from, to))
		rc = port_policy_set(p, &policy, err);
	if (rc == 0 && !json_equal(json_object_get(from, "mtu"), json_object_get(to, "mtu")))
		rc = port_mtu_set(p, (uint32_t)json_integer_value(json_object_get(to, "mtu")), err);
	if (rc == 0 && down != json_is_true(json_object_get(from, "down")))
		rc = port_admin_set(p, !down, err);
	if (rc == 0)
		rc = mirror_apply(p, port_user(p), to, err);
	return rc;
}

int port_change(struct port *p, const json_t *settings, struct err *err)
{
	struct owner *owner = port_user(p);
	json_t *copy = json_copy((json_t *)settings);
	int rc = port_move(p, owner->settings, copy, err);

	if (rc == 0)
		rc = settings_remember(p, copy, err);
	if (rc < 0) {
		struct port_info info;

		port_info(p, &info);
		name_port(err, info.name);
		port_move(p, copy, owner->settings, NULL);
		json_decref(copy);
		return rc;
	}
	json_decref(owner->settings);
	owner->settings = copy;
	mirrors_retry();
	return 0;
}

static bool has_mode(const json_t *settings)
{
	return json_object_get(settings, "access") || json_object_get(settings, "trunk") ||
	       json_object_get(settings, "tunnel");
}

/* "10.0.0.1,fd00::1" as a list, as a file would have it. text is stolen. */
static json_t *list_of(json_t *text)
{
	const char *at = json_string_value(text);
	json_t *list = json_array();

	while (at && *at) {
		size_t len = strcspn(at, ",");

		if (len)
			json_array_append_new(list, json_stringn(at, len));
		at += len + (at[len] == ',');
	}
	json_decref(text);
	return list;
}

/* Of a parameter that there is, and that lives as long as the object. -EINVAL, with the way there. */
static int cannot_set(const struct method *row, const char *key, struct err *err)
{
	const char *kind = row == &m_port_add ? "port" : "bridge";

	err_set(err, -EINVAL, "%s cannot be changed here", key);
	for (char *c = err->text; *c; c++)
		*c = *c == '_' ? '-' : *c;
	if (!strncmp(key, "mirror", 6))
		return err_hint(err, "`lanyard mirror add` and `lanyard mirror del` do that");
	if (!strcmp(key, "down"))
		return err_hint(err, "`lanyard port up` and `lanyard port down` do that");
	return err_hint(err, "delete the %s and add it anew, or `lanyard apply` a file where it has another one", kind);
}

int settings_merge(const json_t *settings, const json_t *texts, const struct method *row,
		   const char *const *keys, json_t **out, struct err *err)
{
	static const char *const vlan_keys[] = {"access", "trunk", "tunnel", "native", NULL};
	json_t *merged = json_copy((json_t *)settings), *value;
	const char *key;

	/* A new VLAN mode replaces the old one with all that belongs to it. */
	for (const char *const *k = vlan_keys; has_mode(texts) && *k; k++)
		json_object_del(merged, *k);
	json_object_foreach ((json_t *)texts, key, value) {
		const struct param *p = in_words(keys, key) ? method_param(row, key) : NULL;
		const char *text = json_string_value(value);
		json_t *typed;
		int rc = 0;

		if (!p) {
			const struct param *other = method_param(row, key);

			rc = other && !(other->flags & PARAM_JSON_ONLY) ? cannot_set(row, key, err)
									: param_unknown(row->params, key, err);
		} else if ((!strcmp(text, "none") && p->type == PARAM_INT) ||
			   policy_key_ends(key, text)) {
			json_object_del(merged, key);
			/* Nothing said means native 1: a trunk without one says its VLANs. */
			if (!strcmp(key, "native") && !has_mode(merged))
				json_object_set_new(merged, "trunk",
						    json_pack("[[ii]]", 1, VLAN_VID_MAX));
		} else {
			rc = param_value(p, text, &typed, err);
			if (rc == 0 && p->type == PARAM_LIST)
				typed = list_of(typed);
			if (rc == 0) {
				json_object_set_new(merged, key, typed);
			} else {
				char label[64];

				/* As it was typed: max-macs. */
				snprintf(label, sizeof(label), "%s", key);
				for (char *c = label; *c; c++)
					*c = *c == '_' ? '-' : *c;
				err_prefix(err, "%s", label);
			}
		}
		if (rc < 0) {
			json_decref(merged);
			return rc;
		}
	}
	*out = merged;
	return 0;
}

json_t *ports_page(struct daemon *d, const json_t *params, size_t n_default,
		   json_t *(*json)(const struct port *p), json_t *(*more)(const struct daemon *d, size_t i))
{
	size_t at = page_position(params), i = 0, n = 0;
	json_t *one = NULL;
	struct page page;
	struct port *p;
	char cursor[24];
	bool is_cut;

	page_begin(&page, params, n_default);
	for (p = port_next(d->sw, NULL); p; p = port_next(d->sw, p), i++) {
		if (i < at)
			continue;
		if (!page_has_room(&page))
			break;
		page_add(&page, json(p));
	}
	for (; !p && more && (one = more(d, n)); n++, i++) {
		if (i >= at && !page_has_room(&page))
			break;
		if (i >= at)
			page_add(&page, one);
		else
			json_decref(one);
		one = NULL;
	}
	is_cut = p || one;
	json_decref(one);
	snprintf(cursor, sizeof(cursor), "%zu", i);
	return page_end(&page, is_cut ? cursor : NULL);
}
