/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `bridges:` and `links:` of a lab file: the calls that make them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/rpc/methods.h"
#include "vm-launcher/lab.h"

int lab_add_step(struct lab *lab, const char *method, const char *short_name, json_t *params)
{
	char name[VM_NAME_BYTES];

	json_object_set_new(params, "name",
			    json_string(lab_full_name(lab, short_name, name, sizeof(name))));
	json_object_set_new(params, "lab", json_string(lab->name));
	json_object_set_new(params, "transient", json_true());
	return json_array_append_new(lab->network,
				     json_pack("{s:s,s:o}", "method", method, "params", params));
}

int lab_read_network(const struct yaml_doc *doc, struct lab *lab, struct err *err)
{
	const struct yaml_node *bridges = yaml_get(yaml_root(doc), "bridges");
	char what[64];
	int rc = 0;

	if (!bridges || yaml_is_null(bridges))
		return 0;
	if (bridges->kind != YAML_KIND_MAP)
		return yaml_fail(doc, bridges, err, "`bridges:` is a map of name: settings");
	if (bridges->n > LAB_ITEMS_MAX)
		return yaml_fail(doc, bridges, err, "more than %d bridges", LAB_ITEMS_MAX);
	for (unsigned i = 0; rc == 0 && i < bridges->n; i++) {
		const struct yaml_entry *e = &bridges->entries[i];
		json_t *params;

		if (!name_is_plain(e->key->text) || !strcmp(e->key->text, "user"))
			return yaml_fail(
				doc, e->key, err,
				"bridge \"%.40s\": a name is up to 32 of a-z A-Z 0-9 _ -, and "
				"not `user`",
				e->key->text);
		snprintf(what, sizeof(what), "bridge \"%.40s\"", e->key->text);
		rc = yaml_params(doc, e->value, what, m_bridge_add.params, &params, err);
		if (rc == 0)
			rc = lab_add_step(lab, "bridge.add", e->key->text, params);
	}
	return rc;
}

struct end {
	const struct yaml_node *node;
	struct vm_spec *vm; /* NULL: a bridge */
};

static int read_end(const struct yaml_doc *doc, const struct lab *lab, const struct yaml_node *node,
		    struct end *end, struct err *err)
{
	end->node = node;
	if (node->kind != YAML_KIND_SCALAR)
		return yaml_fail(doc, node, err, "`between:` names two bridges or two guests");
	end->vm = lab_vm(lab, node->text);
	if (!end->vm && !lab_has_bridge(lab, node->text))
		return lab_unknown(doc, node, lab, "bridge or vm", true, true, err);
	return 0;
}

static int link_bridges(const struct yaml_doc *doc, struct lab *lab, unsigned n,
			const struct yaml_node *link, const struct end *ends, struct err *err)
{
	/* The VLAN words of port.add, by its own rows. */
	static const char *const words[] = {"access", "trunk", "native",   "tunnel",
					    "mtu",    "guard", "isolated", "max_macs", "storm"};
	char name[VM_NAME_BYTES], short_name[24];
	json_t *params = json_object(), *value;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct yaml_node *node = yaml_get(link, words[i]);

		if (!node)
			continue;
		if (yaml_param(doc, node, words[i], method_param(&m_port_add, words[i]), &value,
			       err) < 0) {
			json_decref(params);
			return -EINVAL;
		}
		json_object_set_new(params, words[i], value);
	}
	if (json_object_get(params, "access") &&
	    (json_object_get(params, "trunk") || json_object_get(params, "native"))) {
		json_decref(params);
		return yaml_fail(doc, link, err, "access excludes trunk and native");
	}
	json_object_set_new(params, "type", json_string("link"));
	json_object_set_new(
		params, "bridge",
		json_string(lab_full_name(lab, ends[0].node->text, name, sizeof(name))));
	json_object_set_new(
		params, "peer_bridge",
		json_string(lab_full_name(lab, ends[1].node->text, name, sizeof(name))));
	snprintf(short_name, sizeof(short_name), "link%u", n);
	return lab_add_step(lab, "port.add", short_name, params);
}

/* A wire between two guests is a bridge of their own, through which everything passes. */
static int link_guests(const struct yaml_doc *doc, struct lab *lab, unsigned n,
		       const struct yaml_node *link, const struct end *ends, struct err *err)
{
	char name[VM_NAME_BYTES], short_name[24];

	if (link->n > 1)
		return yaml_fail(
			doc, link, err,
			"a wire between two guests carries everything: it has no settings");
	snprintf(short_name, sizeof(short_name), "wire%u", n);
	if (lab_has_bridge(lab, short_name))
		return yaml_fail(doc, link, err,
				 "the wire's own bridge would be \"%s\", which this lab "
				 "has already",
				 short_name);
	for (int i = 0; i < 2; i++) {
		struct vm_spec *vm = ends[i].vm;
		struct vm_nic *nic = &vm->nics[vm->n_nics];

		if (vm->n_nics == VM_NICS_MAX)
			return yaml_fail(doc, ends[i].node, err, "vm \"%s\" has %d NICs already",
					 ends[i].node->text, VM_NICS_MAX);
		memset(nic, 0, sizeof(*nic));
		snprintf(nic->bridge, sizeof(nic->bridge), "%s",
			 lab_full_name(lab, short_name, name, sizeof(name)));
		/* Everything passes. */
		snprintf(nic->guard, sizeof(nic->guard), "off");
		vm->n_nics++;
		vm_spec_number(vm);
	}
	return lab_add_step(lab, "bridge.add", short_name,
			json_pack("{s:s,s:b}", "forward_reserved", "all", "wire", 1));
}

static int read_link(const struct yaml_doc *doc, struct lab *lab, unsigned n,
		     const struct yaml_node *link, struct err *err)
{
	static const char *const keys[] = {"between", "access", "trunk", "native",
					   "tunnel",  "mtu",	"guard",
					   "isolated", "max_macs", "storm", NULL};
	const struct yaml_node *between;
	struct end ends[2];

	if (yaml_keys(doc, link, "a link", keys, err) < 0)
		return -EINVAL;
	between = yaml_get(link, "between");
	if (!between || between->kind != YAML_KIND_LIST || between->n != 2)
		return yaml_fail(doc, between ? between : link, err,
				 "a link needs `between: [A, B]` with two bridges or two guests");
	for (int i = 0; i < 2; i++)
		if (read_end(doc, lab, between->entries[i].value, &ends[i], err) < 0)
			return -EINVAL;
	if (!strcmp(ends[0].node->text, ends[1].node->text))
		return yaml_fail(doc, ends[1].node, err, "\"%s\" cannot be linked to itself",
				 ends[1].node->text);
	if (!ends[0].vm != !ends[1].vm)
		return yaml_fail(
			doc, between, err,
			"a link joins two bridges or two guests; a guest joins a bridge with "
			"`nics: [{to: %s}]`",
			ends[ends[0].vm ? 1 : 0].node->text);
	return ends[0].vm ? link_guests(doc, lab, n, link, ends, err)
			  : link_bridges(doc, lab, n, link, ends, err);
}

int lab_read_links(const struct yaml_doc *doc, struct lab *lab, struct err *err)
{
	const struct yaml_node *links = yaml_get(yaml_root(doc), "links");
	int rc = 0;

	if (!links || yaml_is_null(links))
		return 0;
	if (links->kind != YAML_KIND_LIST || links->n > LAB_ITEMS_MAX)
		return yaml_fail(doc, links, err, "`links:` is a list of at most %d",
				 LAB_ITEMS_MAX);
	for (unsigned i = 0; rc == 0 && i < links->n; i++)
		rc = read_link(doc, lab, i + 1, links->entries[i].value, err);
	return rc;
}
