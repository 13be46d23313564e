/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/daemon/handlers.h"
#include "control/daemon/mirror.h"
#include "control/daemon/objects.h"
#include "control/daemon/page.h"
#include "switch/watch.h"

#define PAGE_MIRRORS 10 /* of up to 256 ports each */

static const char *text_of(const json_t *params, const char *key)
{
	return json_string_value(json_object_get(params, key));
}

/* The port that copies go to, to be changed. */
static int to_find(struct daemon *d, const json_t *params, struct port **out, struct err *err)
{
	int rc = port_resolve(d, text_of(params, "to"), NULL, out, err);

	if (rc == 0 && owner_saved(port_owner(*out)))
		rc = changes_allowed(d, err);
	return rc;
}

/* Full names of the ports. */
static int names_read(struct daemon *d, const json_t *params, json_t **out, struct err *err)
{
	const json_t *names = json_object_get(params, "ports"), *one;
	json_t *list = json_array();
	size_t i;

	json_array_foreach ((json_t *)names, i, one) {
		struct port *p;
		int rc = port_resolve(d, json_string_value(one), NULL, &p, err);

		if (rc < 0) {
			json_decref(list);
			return rc;
		}
		json_array_append_new(list, json_string(port_name(p)));
	}
	*out = list;
	return 0;
}

static void copy(json_t *settings, const char *to, const json_t *params, const char *from)
{
	const json_t *value = json_object_get(params, from);

	if (value)
		json_object_set(settings, to, (json_t *)value);
}

int do_mirror_add(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	json_t *names = NULL, *settings;
	struct port *to;
	int rc = to_find(d, params, &to, err);

	if (rc == 0 && json_object_get(port_owner(to)->settings, "mirror")) {
		rc = err_set(err, -EEXIST, "port \"%s\" has a mirror already", port_name(to));
		err_hint(err, "take it away first: lanyard mirror del --to %s", port_name(to));
	}
	if (rc == 0)
		rc = names_read(d, params, &names, err);
	if (rc < 0)
		return rc;
	settings = json_copy(port_owner(to)->settings);
	json_object_set_new(settings, "mirror", names);
	copy(settings, "mirror_direction", params, "direction");
	copy(settings, "mirror_filter", params, "f");
	rc = mirror_check(port_name(to), settings, err);
	if (rc < 0)
		err_prefix(err, "port \"%s\"", port_name(to));
	else
		rc = port_change(to, settings, err);
	json_decref(settings);
	return rc;
}

int do_mirror_del(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	json_t *settings;
	struct port *to;
	int rc = to_find(d, params, &to, err);

	if (rc == 0 && !json_object_get(port_owner(to)->settings, "mirror"))
		rc = err_set(err, -ENOENT, "no mirror goes to port \"%s\"", port_name(to));
	if (rc < 0)
		return rc;
	settings = json_copy(port_owner(to)->settings);
	json_object_del(settings, "mirror");
	json_object_del(settings, "mirror_direction");
	json_object_del(settings, "mirror_filter");
	rc = port_change(to, settings, err);
	json_decref(settings);
	return rc;
}

static json_t *mirror_json(struct daemon *d, struct port *to)
{
	const json_t *settings = port_owner(to)->settings,
		     *names = json_object_get(settings, "mirror"), *one;
	const char *way = text_of(settings, "mirror_direction");
	json_t *missing = json_array();
	size_t i;

	json_array_foreach ((json_t *)names, i, one)
		if (!port_find(d->sw, json_string_value(one)))
			json_array_append(missing, (json_t *)one);
	return json_pack("{ss sO so ss sO?}", "to", port_name(to), "ports", names, "missing",
			 missing, "direction", way ? way : "both", "filter",
			 json_object_get(settings, "mirror_filter"));
}

int do_mirror_list(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	size_t at = page_position(params), i = 0;
	struct daemon *d = rpc_ctx(call);
	struct page page;
	struct port *p;
	char cursor[24];

	page_begin(&page, params, PAGE_MIRRORS);
	for (p = port_next(d->sw, NULL); p; p = port_next(d->sw, p), i++) {
		if (i < at || !port_owner(p) || !json_object_get(port_owner(p)->settings, "mirror"))
			continue;
		if (!page_has_room(&page))
			break;
		page_add(&page, mirror_json(d, p));
	}
	snprintf(cursor, sizeof(cursor), "%zu", i);
	*result = page_end(&page, p ? cursor : NULL);
	return 0;
}
