/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/methods.h"
#include "control/rpc/vids.h"

static const char *const sections[] = {"bridges", "ports", NULL};

/* The settings of all objects in one section, checked by the rows that make such an object. */
static int section_read(const struct yaml_doc *doc, const struct yaml_node *map, const char *what,
			const struct method *m, json_t *into, struct err *err)
{
	if (yaml_is_null(map))
		return 0;
	if (map->kind != YAML_KIND_MAP)
		return yaml_fail(doc, map, err, "this is a map of name: settings");
	for (unsigned i = 0; i < map->n; i++) {
		const struct yaml_entry *e = &map->entries[i];
		json_t *settings;
		int rc;

		if (!name_is_plain(e->key->text)) {
			yaml_fail(doc, e->key, err, "\"%.60s\" is no name", e->key->text);
			err_hint(err, "names are up to 32 of a-z A-Z 0-9 _ -");
			return -EINVAL;
		}
		rc = yaml_params(doc, e->value, what, m->params, &settings, err);
		if (rc < 0)
			return rc;
		for (const struct param *p = m->params; p->name; p++)
			if ((p->flags & PARAM_REQUIRED) && !(p->flags & PARAM_POSITIONAL) &&
			    !json_object_get(settings, p->name)) {
				json_decref(settings);
				return yaml_fail(doc, e->key, err, "%s \"%s\" has no %s:", what + 2,
						 e->key->text, p->name);
			}
		json_object_set_new(into, e->key->text, settings);
	}
	return 0;
}

/* Every bridge that a port names must be in the document: apply would delete any other. */
static int bridges_known(const struct yaml_doc *doc, const struct yaml_node *ports,
			 const json_t *bridges, struct err *err)
{
	static const char *const keys[] = {"bridge", "peer-bridge", "peer_bridge"};

	for (unsigned i = 0; !yaml_is_null(ports) && i < ports->n; i++)
		for (unsigned k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			const struct yaml_node *to = yaml_get(ports->entries[i].value, keys[k]);

			if (to && !json_object_get(bridges, to->text))
				return yaml_fail(
					doc, to, err,
					"bridges: has no \"%.60s\"", to->text);
		}
	return 0;
}

int document_read(const struct yaml_doc *doc, json_t **out, struct err *err)
{
	const struct yaml_node *root = yaml_root(doc), *ports = yaml_get(root, "ports");
	json_t *bridges = json_object(), *port_settings = json_object();
	int rc = yaml_keys(doc, root, "a configuration", sections, err);

	if (rc == 0)
		rc = section_read(doc, yaml_get(root, "bridges"), "a bridge", &m_bridge_add,
				  bridges, err);
	if (rc == 0)
		rc = section_read(doc, ports, "a port", &m_port_add, port_settings, err);
	if (rc == 0)
		rc = bridges_known(doc, ports, bridges, err);
	if (rc < 0) {
		json_decref(bridges);
		json_decref(port_settings);
		return rc;
	}
	*out = json_pack("{so so}", "bridges", bridges, "ports", port_settings);
	return *out ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* Texts are written in double quotes unless they cannot be taken for anything else. */
static void text_write(FILE *f, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-/.";

	if (*text && *text != '-' && text[strspn(text, plain)] == '\0') {
		fputs(text, f);
		return;
	}
	fputc('"', f);
	for (const char *c = text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(f, "\\%c", *c);
		else if ((unsigned char)*c < ' ' || *c == 0x7f)
			fprintf(f, "\\x%02x", (unsigned char)*c);
		else
			fputc(*c, f);
	}
	fputc('"', f);
}

static void texts_write(FILE *f, const json_t *list)
{
	json_t *one;
	size_t i;

	fputc('[', f);
	json_array_foreach ((json_t *)list, i, one) {
		fputs(i ? ", " : "", f);
		text_write(f, json_string_value(one));
	}
	fputc(']', f);
}

static void value_write(FILE *f, const json_t *value, const struct param *row)
{
	uint64_t set[VLAN_SET_WORDS];
	char text[16384];

	switch (json_typeof(value)) {
	case JSON_INTEGER:
		fprintf(f, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		fprintf(f, "%.15g", json_real_value(value));
		break;
	case JSON_TRUE:
		fputs("true", f);
		break;
	case JSON_FALSE:
		fputs("false", f);
		break;
	case JSON_STRING:
		text_write(f, json_string_value(value));
		break;
	default:
		/* Lists are of texts, or of VLANs. */
		if (row->type == PARAM_LIST)
			texts_write(f, value);
		else if (vids_from_json(value, set, NULL) == 0) {
			vids_to_text(set, text, sizeof(text));
			fprintf(f, "\"%s\"", text);
		} else {
			fputs("~", f);
		}
	}
}

/* In the order of the row, so that the same configuration is always the same text. */
static void settings_write(FILE *f, const json_t *settings, const struct method *m)
{
	const char *sep = "";

	fputc('{', f);
	for (const struct param *p = m->params; p->name; p++) {
		const json_t *value = json_object_get(settings, p->name);

		if (!value)
			continue;
		fputs(sep, f);
		for (const char *c = p->name; *c; c++)
			fputc(*c == '_' ? '-' : *c, f);
		fputs(": ", f);
		value_write(f, value, p);
		sep = ", ";
	}
	fputs("}\n", f);
}

void document_write(FILE *f, const json_t *document)
{
	for (const char *const *s = sections; *s; s++) {
		const json_t *section = json_object_get(document, *s);
		const char *name;
		json_t *settings;

		if (!json_object_size(section)) {
			fprintf(f, "%s: {}\n", *s);
			continue;
		}
		fprintf(f, "%s:\n", *s);
		json_object_foreach ((json_t *)section, name, settings) {
			fputs("  ", f);
			text_write(f, name);
			fputs(": ", f);
			settings_write(f, settings, s == sections ? &m_bridge_add : &m_port_add);
		}
	}
}
