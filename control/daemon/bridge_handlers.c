/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/daemon/handlers.h"
#include "control/daemon/objects.h"
#include "control/daemon/owner.h"
#include "control/daemon/page.h"
#include "control/rpc/methods.h"

#define PAGE_BRIDGES 500

static const char *name_of(const json_t *params)
{
	return json_string_value(json_object_get(params, "name"));
}

/* Finds the bridge of params; a hand-made one only while changes are allowed. */
static int find_to_change(struct daemon *d, const json_t *params, struct bridge **out,
			  struct err *err)
{
	int rc = bridge_resolve(d, name_of(params), NULL, out, err);

	if (rc == 0 && owner_saved(bridge_owner(*out)))
		rc = changes_allowed(d, err);
	return rc;
}

int do_bridge_add(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	bool saved = !json_object_get(params, "lab") &&
		     !json_is_true(json_object_get(params, "transient"));
	int rc = saved ? changes_allowed(d, err) : 0;

	if (rc == 0)
		rc = bridge_make(d, params, err);
	if (rc == 0 && saved)
		json_object_del(json_object_get(d->kept_out, "bridges"), name_of(params));
	return rc;
}

int do_bridge_del(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	json_t *kept = json_object_get(d->kept_out, "bridges");
	struct bridge *br;
	int rc;

	/* One that could not be made at start is deleted from what is saved. */
	if (!bridge_find(d->sw, name_of(params)) && json_object_get(kept, name_of(params))) {
		rc = changes_allowed(d, err);
		return rc < 0 ? rc : json_object_del(kept, name_of(params));
	}
	rc = find_to_change(d, params, &br, err);
	return rc < 0 ? rc : bridge_drop(br, err);
}

int do_bridge_set(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	static const char *const keys[] = {"ageing", "max_macs", "forward_reserved", NULL};
	struct bridge *br;
	json_t *settings;
	int rc = find_to_change(rpc_ctx(call), params, &br, err);

	if (rc < 0)
		return rc;
	rc = settings_merge(bridge_owner(br)->settings, json_object_get(params, "settings"),
			    &m_bridge_add, keys, &settings, err);
	if (rc < 0) {
		err_prefix(err, "bridge \"%s\"", bridge_name(br));
		return rc;
	}
	rc = bridge_change(br, settings, err);
	json_decref(settings);
	return rc;
}

static json_t *bridge_json(const struct bridge *br)
{
	const struct bridge_opts *opts = bridge_opts(br);
	const struct owner *owner = bridge_owner(br);
	char reserved[64];

	return json_pack("{sssosisisIsIsisisssb}", "name", bridge_name(br), "lab",
			 owner && owner->lab ? json_string(owner->lab) : json_null(), "ports",
			 (int)bridge_n_ports(br), "macs", (int)bridge_n_macs(br), "macs_refused",
			 (json_int_t)bridge_n_macs_refused(br), "macs_evicted",
			 (json_int_t)bridge_n_macs_evicted(br), "ageing_s", (int)opts->ageing_s,
			 "max_macs", (int)opts->max_macs, "forward_reserved",
			 reserved_text(opts->forward_reserved, reserved, sizeof(reserved)),
			 "transient", !owner_saved(owner));
}

int do_bridge_list(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	size_t at = page_position(params), i = 0;
	struct bridge *br;
	struct page page;
	char cursor[24];

	if (name_of(params)) {
		int rc = bridge_resolve(d, name_of(params), NULL, &br, err);

		if (rc < 0)
			return rc;
		page_begin(&page, params, 1);
		page_add(&page, bridge_json(br));
		*result = page_end(&page, NULL);
		return 0;
	}
	page_begin(&page, params, PAGE_BRIDGES);
	for (br = bridge_next(d->sw, NULL); br; br = bridge_next(d->sw, br), i++) {
		if (i < at)
			continue;
		if (!page_has_room(&page))
			break;
		page_add(&page, bridge_json(br));
	}
	snprintf(cursor, sizeof(cursor), "%zu", i);
	*result = page_end(&page, br ? cursor : NULL);
	return 0;
}
