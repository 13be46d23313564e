/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `ports:` of a lab file: ways out of the lab, with the words of port add.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/rpc/methods.h"
#include "control/rpc/suggest.h"
#include "vm-launcher/lab.h"

static const char *const types[] = {"tap", "nat", "uplink", "vhost-user", "dgram"};

static int check_name(const struct yaml_doc *doc, const struct lab *lab,
		      const struct yaml_node *key, struct err *err)
{
	unsigned n;

	if (!name_is_plain(key->text))
		return yaml_fail(doc, key, err,
				 "port \"%.40s\": a name is up to 32 of a-z A-Z 0-9 _ -",
				 key->text);
	if (sscanf(key->text, "link%u", &n) == 1)
		return yaml_fail(doc, key, err, "port \"%s\": link1, link2 … are the lab's links",
				 key->text);
	if (lab_has_bridge(lab, key->text))
		return yaml_fail(doc, key, err, "\"%s\" is a bridge of this lab already",
				 key->text);
	return 0;
}

static int check_type(const struct yaml_doc *doc, const struct yaml_node *type, struct err *err)
{
	const char *near;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i], type->text))
			return 0;
	if (!strcmp(type->text, "link"))
		return yaml_fail(doc, type, err, "a link stands under `links:`");
	yaml_fail(doc, type, err, "type \"%.30s\" is none of tap, nat, uplink, vhost-user and dgram",
		  type->text);
	near = suggest_word(type->text, types, sizeof(types) / sizeof(types[0]));
	return near ? err_hint(err, "did you mean \"%s\"?", near) : -EINVAL;
}

static int check_port(const struct yaml_doc *doc, const struct lab *lab, const struct yaml_entry *e,
		      const json_t *params, struct err *err)
{
	const struct yaml_node *bridge = yaml_get(e->value, "bridge");
	const struct yaml_node *type = yaml_get(e->value, "type");

	if (!bridge || !type)
		return yaml_fail(doc, e->key, err, "port \"%s\" has no `%s:`", e->key->text,
				 bridge ? "type" : "bridge");
	if (!lab_has_bridge(lab, bridge->text))
		return lab_unknown(doc, bridge, lab, "bridge", true, false, err);
	if (json_object_get(params, "access") &&
	    (json_object_get(params, "trunk") || json_object_get(params, "native")))
		return yaml_fail(doc, yaml_get(e->value, "access"), err,
				 "access excludes trunk and native");
	return check_type(doc, type, err);
}

/* Another port of the lab, or a NIC of a VM of it, "h1.eth0". */
static bool is_port_of(const struct yaml_doc *doc, const char *name)
{
	const struct yaml_node *ports = yaml_get(yaml_root(doc), "ports");
	const struct yaml_node *vms = yaml_get(yaml_root(doc), "vms");
	const char *dot = strchr(name, '.');
	char vm[VM_NAME_BYTES];

	if (!dot)
		return yaml_get(ports, name) != NULL;
	snprintf(vm, sizeof(vm), "%.*s", (int)(dot - name), name);
	return vms && yaml_get(vms, vm) && dot[1];
}

/* The lab's own names in full; those of others, with a lab of their own, stay as they are. */
static int mirror_resolve(const struct yaml_doc *doc, const struct lab *lab,
			  const struct yaml_entry *e, json_t *params, struct err *err)
{
	json_t *names = json_object_get(params, "mirror"), *one;
	char full[2 * VM_NAME_BYTES]; /* a NIC's, too */
	size_t i;

	json_array_foreach (names, i, one) {
		const char *name = json_string_value(one);

		if (strchr(name, '/'))
			continue;
		if (!is_port_of(doc, name)) {
			yaml_fail(doc, yaml_get(e->value, "mirror"), err,
				  "port \"%.40s\": this lab has no port \"%.40s\" to mirror",
				  e->key->text, name);
			return err_hint(err, "name one of `ports:`, or a VM's NIC like h1.eth0");
		}
		json_array_set_new(names, i,
				   json_string(lab_full_name(lab, name, full, sizeof(full))));
	}
	return 0;
}

static int read_port(const struct yaml_doc *doc, struct lab *lab, const struct yaml_entry *e,
		     struct err *err)
{
	char name[VM_NAME_BYTES], what[64];
	json_t *params;
	int rc = check_name(doc, lab, e->key, err);

	if (rc < 0)
		return rc;
	snprintf(what, sizeof(what), "port \"%.40s\"", e->key->text);
	rc = yaml_params(doc, e->value, what, m_port_add.params, &params, err);
	if (rc < 0)
		return rc;
	rc = check_port(doc, lab, e, params, err);
	if (rc == 0)
		rc = mirror_resolve(doc, lab, e, params, err);
	if (rc < 0) {
		json_decref(params);
		return rc;
	}
	json_object_set_new(params, "bridge",
			    json_string(lab_full_name(lab, yaml_get(e->value, "bridge")->text, name,
						      sizeof(name))));
	return lab_add_step(lab, "port.add", e->key->text, params);
}

int lab_read_ports(const struct yaml_doc *doc, struct lab *lab, struct err *err)
{
	const struct yaml_node *ports = yaml_get(yaml_root(doc), "ports");
	int rc = 0;

	if (!ports || yaml_is_null(ports))
		return 0;
	if (ports->kind != YAML_KIND_MAP || ports->n > LAB_ITEMS_MAX)
		return yaml_fail(doc, ports, err, "`ports:` is a map of at most %d names",
				 LAB_ITEMS_MAX);
	for (unsigned i = 0; rc == 0 && i < ports->n; i++)
		rc = read_port(doc, lab, &ports->entries[i], err);
	return rc;
}
