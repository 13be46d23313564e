/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/suggest.h"
#include "control/yaml/load.h"

#define VIDS_TEXT_MAX (16 * 1024) /* 4094 VLANs, one by one */

static const char *kind_name(const struct yaml_node *node)
{
	switch (node->kind) {
	case YAML_KIND_SCALAR:
		return "a single value";
	case YAML_KIND_LIST:
		return "a list";
	default:
		return "a map";
	}
}

int yaml_keys(const struct yaml_doc *doc, const struct yaml_node *map, const char *what,
	      const char *const *known, struct err *err)
{
	if (yaml_is_null(map))
		return 0;
	if (map->kind != YAML_KIND_MAP)
		return yaml_fail(doc, map, err, "%s is a map of key: value, not %s", what,
				 kind_name(map));
	for (unsigned i = 0; i < map->n; i++) {
		const struct yaml_node *key = map->entries[i].key;
		struct suggest near = {NULL, 0};
		bool found = false;

		for (const char *const *k = known; *k && !found; k++) {
			found = !strcmp(*k, key->text);
			suggest_offer(&near, key->text, *k);
		}
		if (found)
			continue;
		yaml_fail(doc, key, err, "%s has no key \"%.60s\"", what, key->text);
		if (near.best)
			err_hint(err, "did you mean \"%s\"?", near.best);
		return -EINVAL;
	}
	return 0;
}

static int scalar_param(const struct yaml_doc *doc, const struct yaml_node *node, const char *key,
			const struct param *row, json_t **out, struct err *err)
{
	struct err inner = ERR_NONE;
	int rc;

	if (node->kind != YAML_KIND_SCALAR)
		return yaml_fail(doc, node, err, "%s wants a single value, not %s", key,
				 kind_name(node));
	rc = param_value(row, node->text, out, &inner);
	if (rc < 0) {
		yaml_fail(doc, node, err, "%s: %s", key, inner.text);
		if (inner.hint[0])
			err_hint(err, "%s", inner.hint);
	}
	return rc;
}

static int list_param(const struct yaml_doc *doc, const struct yaml_node *node, const char *key,
		      const struct param *row, json_t **out, struct err *err)
{
	json_t *list = json_array(), *one;
	int rc = 0;

	if (node->kind != YAML_KIND_LIST) {
		rc = scalar_param(doc, node, key, row, &one, err);
		if (rc == 0)
			json_array_append_new(list, one);
	} else {
		for (unsigned i = 0; rc == 0 && i < node->n; i++) {
			rc = scalar_param(doc, node->entries[i].value, key, row, &one, err);
			if (rc == 0)
				json_array_append_new(list, one);
		}
	}
	if (rc < 0)
		json_decref(list);
	else
		*out = list;
	return rc;
}

/* `trunk: [10, 20-29]` is read as the text "10,20-29". */
static int vids_param(const struct yaml_doc *doc, const struct yaml_node *node, const char *key,
		      const struct param *row, json_t **out, struct err *err)
{
	struct yaml_node joined = *node;
	char *text;
	size_t len = 0;
	int rc;

	if (node->kind != YAML_KIND_LIST)
		return scalar_param(doc, node, key, row, out, err);
	text = calloc(1, VIDS_TEXT_MAX);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < node->n; i++) {
		const struct yaml_node *one = node->entries[i].value;

		if (one->kind != YAML_KIND_SCALAR || len + strlen(one->text) + 2 > VIDS_TEXT_MAX) {
			free(text);
			return yaml_fail(doc, one, err, "%s: is no vlan or range like 20-29", key);
		}
		len += (size_t)snprintf(text + len, VIDS_TEXT_MAX - len, "%s%s", i ? "," : "",
					one->text);
	}
	joined.kind = YAML_KIND_SCALAR;
	joined.text = text;
	rc = scalar_param(doc, &joined, key, row, out, err);
	free(text);
	return rc;
}

static int pairs_param(const struct yaml_doc *doc, const struct yaml_node *node, const char *key,
		       json_t **out, struct err *err)
{
	json_t *pairs = json_object();

	if (node->kind != YAML_KIND_MAP) {
		json_decref(pairs);
		return yaml_fail(doc, node, err, "%s wants a map of key: value, not %s", key,
				 kind_name(node));
	}
	for (unsigned i = 0; i < node->n; i++) {
		const struct yaml_entry *e = &node->entries[i];

		if (e->value->kind != YAML_KIND_SCALAR) {
			json_decref(pairs);
			return yaml_fail(doc, e->value, err, "%s: %.60s wants a single value", key,
					 e->key->text);
		}
		json_object_set_new(pairs, e->key->text, json_string(e->value->text));
	}
	*out = pairs;
	return 0;
}

int yaml_param(const struct yaml_doc *doc, const struct yaml_node *node, const char *key,
	       const struct param *row, json_t **out, struct err *err)
{
	switch (row->type) {
	case PARAM_LIST:
	case PARAM_REST:
		return list_param(doc, node, key, row, out, err);
	case PARAM_VIDS:
		return vids_param(doc, node, key, row, out, err);
	case PARAM_PAIRS:
		return pairs_param(doc, node, key, out, err);
	default:
		return scalar_param(doc, node, key, row, out, err);
	}
}

static bool is_key_row(const struct param *row)
{
	return !(row->flags & (PARAM_POSITIONAL | PARAM_JSON_ONLY | PARAM_CLI_ONLY));
}

/* The row of a key, '-' and '_' being the same; near collects the words there are. */
static const struct param *row_find(const struct param *rows, const char *key, struct suggest *near)
{
	char name[64];

	snprintf(name, sizeof(name), "%s", key);
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	for (const struct param *row = rows; row && row->name; row++) {
		if (!is_key_row(row))
			continue;
		if (!strcmp(row->name, name))
			return row;
		suggest_offer(near, name, row->name);
	}
	return NULL;
}

int yaml_params(const struct yaml_doc *doc, const struct yaml_node *map, const char *what,
		const struct param *rows, json_t **out, struct err *err)
{
	json_t *params = json_object();
	int rc = 0;

	if (yaml_is_null(map)) {
		*out = params;
		return 0;
	}
	if (map->kind != YAML_KIND_MAP)
		rc = yaml_fail(doc, map, err, "%s is a map of key: value, not %s", what,
			       kind_name(map));
	for (unsigned i = 0; rc == 0 && i < map->n; i++) {
		const struct yaml_entry *e = &map->entries[i];
		struct suggest near = {NULL, 0};
		const struct param *row = row_find(rows, e->key->text, &near);
		json_t *value = NULL;

		if (!row) {
			rc = yaml_fail(doc, e->key, err, "%s has no key \"%.60s\"", what,
				       e->key->text);
			if (near.best)
				err_hint(err, "did you mean \"%s\"?", near.best);
		} else if (row->type != PARAM_JSON) {
			rc = yaml_param(doc, e->value, e->key->text, row, &value, err);
			if (rc == 0)
				rc = json_object_set_new(params, row->name, value);
		}
	}
	if (rc < 0)
		json_decref(params);
	else
		*out = params;
	return rc;
}
