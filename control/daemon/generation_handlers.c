/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.generations: what `rollback N` could go back to, when it was saved, and what the change after it was.
 *
 * Threads  control only.
 */
#include <stdio.h>

#include "control/daemon/handlers.h"

#define NAMES_MAX 20 /* of one change; the rest is a number */

/* Appends "port p2 added" for what is in b and not in a, by add; or "changed" for what differs. */
static void compare(json_t *changes, const char *kind, const json_t *a, const json_t *b, const char *other,
		    bool differing, size_t *n_more)
{
	const char *name;
	json_t *settings;

	json_object_foreach ((json_t *)b, name, settings) {
		const json_t *was = json_object_get(a, name);

		if (was ? !differing || json_equal(was, settings) : false)
			continue;
		if (json_array_size(changes) >= NAMES_MAX)
			++*n_more;
		else
			json_array_append_new(changes, json_sprintf("%s %s %s", kind, name, was ? "changed" : other));
	}
}

/* What led from one saved configuration to the next one. */
static json_t *changes_json(const json_t *before, const json_t *after)
{
	static const char *const sections[] = {"bridges", "ports"}, *const kinds[] = {"bridge", "port"};
	json_t *changes = json_array();
	size_t n_more = 0;

	for (unsigned i = 0; i < 2; i++) {
		const json_t *a = json_object_get(before, sections[i]), *b = json_object_get(after, sections[i]);

		compare(changes, kinds[i], a, b, "added", true, &n_more);
		compare(changes, kinds[i], b, a, "deleted", false, &n_more);
	}
	if (n_more)
		json_array_append_new(changes, json_sprintf("%zu more", n_more));
	return changes;
}

int do_config_generations(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	json_t *list = json_array(), *after = NULL, *document;

	for (unsigned n = 0; d->store.dir_fd >= 0 && n < STORE_GENERATIONS; n++) {
		uint64_t saved_s = 0;
		struct err why = ERR_NONE;

		document = NULL;
		if (store_read(&d->store, n, &document, &why) < 0) {
			/* A damaged one ends the list: what is beyond cannot be told. */
			break;
		}
		store_saved_at(&d->store, n, &saved_s);
		if (n)
			json_array_append_new(list, json_pack("{si sI so}", "n", (int)n, "saved", (json_int_t)saved_s,
							      "changes", changes_json(document, after)));
		json_decref(after);
		after = document;
	}
	json_decref(after);
	*result = json_pack("{so}", "generations", list);
	return 0;
}
