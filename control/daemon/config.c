/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/daemon/apply.h"
#include "control/daemon/objects.h"
#include "control/daemon/owner.h"
#include "control/rpc/vids.h"

json_t *config_params(const char *name, const json_t *settings)
{
	json_t *params = json_copy((json_t *)settings);

	json_object_set_new(params, "name", json_string(name));
	return params;
}

/* Of as many digits as are written, so that what is read back is the same. Whole ones as integers. */
static json_t *duration_normal(double seconds)
{
	char text[32];
	double s;

	snprintf(text, sizeof(text), "%.15g", seconds);
	s = strtod(text, NULL);
	return s == floor(s) && s < 1e9 ? json_integer((json_int_t)s) : json_real(s);
}

json_t *settings_normal(const json_t *settings)
{
	json_t *out = json_object(), *value;
	uint64_t set[VLAN_SET_WORDS];
	const char *key;

	json_object_foreach ((json_t *)settings, key, value) {
		if (json_is_false(value))
			continue;
		if (!strcmp(key, "trunk") && vids_from_json(value, set, NULL) == 0)
			json_object_set_new(out, key, vids_to_json(set));
		else if (json_is_real(value))
			json_object_set_new(out, key, duration_normal(json_real_value(value)));
		else
			json_object_set(out, key, value);
	}
	return out;
}

static bool is_number(const json_t *settings, const char *key, json_int_t n)
{
	return json_is_integer(json_object_get(settings, key)) && json_integer_value(json_object_get(settings, key)) == n;
}

static bool is_word(const json_t *settings, const char *key, const char *word)
{
	const char *text = json_string_value(json_object_get(settings, key));

	return text && !strcmp(text, word);
}

/* A trunk of all VLANs with native 1 is what a port is of which nothing is said. */
static void vlan_default_drop(json_t *settings)
{
	const json_t *trunk = json_object_get(settings, "trunk");
	json_t *all = json_pack("[[ii]]", 1, VLAN_VID_MAX);

	if (is_number(settings, "native", 1) && (!trunk || json_equal(trunk, all))) {
		json_object_del(settings, "native");
		json_object_del(settings, "trunk");
	}
	json_decref(all);
}

static void defaults_drop(json_t *settings)
{
	const char *type = json_string_value(json_object_get(settings, "type"));

	if (!type) {
		if (is_number(settings, "ageing", BRIDGE_AGEING_S))
			json_object_del(settings, "ageing");
		if (is_number(settings, "max_macs", BRIDGE_MAX_MACS))
			json_object_del(settings, "max_macs");
		if (is_word(settings, "forward_reserved", "none"))
			json_object_del(settings, "forward_reserved");
		return;
	}
	if (is_number(settings, "queues", strcmp(type, "vhost-user") ? 1 : 8))
		json_object_del(settings, "queues");
	if (is_word(settings, "guard", "off") || is_word(settings, "guard", "none"))
		json_object_del(settings, "guard");
	if (is_word(settings, "mirror_direction", "both"))
		json_object_del(settings, "mirror_direction");
	vlan_default_drop(settings);
}

bool settings_mean_the_same(const json_t *a, const json_t *b)
{
	json_t *x = json_copy((json_t *)a), *y = json_copy((json_t *)b);
	bool same;

	defaults_drop(x);
	defaults_drop(y);
	same = json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return same;
}

json_t *config_normal(const json_t *document)
{
	json_t *out = json_object(), *section, *settings;
	const char *key, *name;

	json_object_foreach ((json_t *)document, key, section) {
		json_t *copy = json_object();

		json_object_foreach (section, name, settings)
			json_object_set_new(copy, name, settings_normal(settings));
		json_object_set_new(out, key, copy);
	}
	return out;
}

json_t *config_document(struct daemon *d)
{
	json_t *bridges = json_object(), *ports = json_object();

	for (struct bridge *br = bridge_next(d->sw, NULL); br; br = bridge_next(d->sw, br))
		if (owner_saved(bridge_owner(br)))
			json_object_set_new(bridges, bridge_name(br),
					    json_copy(bridge_owner(br)->settings));
	for (struct port *p = port_next(d->sw, NULL); p; p = port_next(d->sw, p)) {
		struct port_info info;

		if (!owner_saved(port_owner(p)) || (link_peer(p) && !link_is_first(p)))
			continue;
		port_info(p, &info);
		json_object_set_new(ports, info.name, json_copy(port_owner(p)->settings));
	}
	return json_pack("{soso}", "bridges", bridges, "ports", ports);
}

json_t *config_to_save(struct daemon *d)
{
	static const char *const sections[] = {"bridges", "ports"};
	json_t *document = config_document(d);

	for (unsigned i = 0; i < 2; i++) {
		const json_t *kept = json_object_get(d->kept_out, sections[i]);

		if (kept)
			json_object_update_missing(json_object_get(document, sections[i]),
						   (json_t *)kept);
	}
	return document;
}

void config_kept_note(struct daemon *d)
{
	json_decref(d->kept_saved);
	d->kept_saved = json_deep_copy(d->kept_out);
}

void config_kept_back(struct daemon *d)
{
	json_decref(d->kept_out);
	d->kept_out = json_deep_copy(d->kept_saved);
}

int config_save(struct daemon *d, struct err *err)
{
	json_t *document = config_to_save(d);
	int rc;

	if (!document)
		return err_set(err, -ENOMEM, "out of memory");
	rc = store_save(&d->store, document, err);
	json_decref(document);
	if (rc < 0)
		LOG_ERR("switch: %s", err->text);
	else
		config_kept_note(d);
	return rc;
}

json_t *config_saved(struct daemon *d)
{
	static const char *const sections[] = {"bridges", "ports"};
	const char *name;
	json_t *document, *settings;

	if (store_saved(&d->store, &document) < 0)
		return NULL;
	for (unsigned i = 0; i < 2; i++)
		json_object_foreach (json_object_get(d->kept_saved, sections[i]), name, settings)
			json_object_del(json_object_get(document, sections[i]), name);
	return document;
}

/* What cannot be saved must not stay: the next start would be without it. At once, so that the answer can say
 * what came of it; one request is a step or two. */
static void change_undo(struct daemon *d, struct err *err)
{
	struct err why = ERR_NONE;
	struct apply *a;
	json_t *saved;
	int rc;

	config_kept_back(d);
	saved = config_saved(d);
	rc = saved ? apply_plan(d, saved, &a, &why) : -ENOMEM;
	json_decref(saved);
	if (rc == 0)
		rc = apply_run(a, &why);
	if (rc == 0) {
		err_prefix(err, "nothing was changed");
		return;
	}
	LOG_ERR("switch: a change that cannot be saved cannot be undone: %s", why.text);
	err_prefix(err, "the change is in effect until the next start, at least in part");
	err_hint(err, "it could not be undone: %.200s", why.text);
}

int daemon_save(void *ctx, struct err *err)
{
	struct daemon *d = ctx;
	int rc;

	/* What awaits its confirmation must not outlive a crash, nor must half an apply, which may be undone
	 * yet. What a lab or a VM changes meanwhile is not saved anyway. */
	if (d->before_apply || d->apply)
		return 0;
	rc = config_save(d, err);
	if (rc < 0)
		change_undo(d, err);
	return rc;
}

void daemon_forget(struct daemon *d)
{
	for (struct port *p = port_next(d->sw, NULL); p; p = port_next(d->sw, p)) {
		if (!link_peer(p) || link_is_first(p))
			owner_free(port_user(p));
		port_user_set(p, NULL);
	}
	for (struct bridge *br = bridge_next(d->sw, NULL); br; br = bridge_next(d->sw, br)) {
		owner_free(bridge_user(br));
		bridge_user_set(br, NULL);
	}
	json_decref(d->kept_out);
	json_decref(d->kept_why);
	json_decref(d->kept_saved);
	json_decref(d->warnings);
	json_decref(d->before_apply);
	d->kept_saved = d->kept_why = NULL;
}
