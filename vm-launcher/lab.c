/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/method.h"
#include "control/rpc/suggest.h"

static const char *last_part(const char *full)
{
	const char *slash = strrchr(full, '/');

	return slash ? slash + 1 : full;
}

char *lab_full_name(const struct lab *lab, const char *short_name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", lab->name, short_name);
	return buf;
}

struct vm_spec *lab_vm(const struct lab *lab, const char *short_name)
{
	for (unsigned i = 0; i < lab->n_vms; i++)
		if (!strcmp(vm_spec_host(&lab->vms[i]), short_name))
			return &lab->vms[i];
	return NULL;
}

/* The short name of the i-th step when it makes a bridge, else NULL. */
static const char *bridge_of_step(const struct lab *lab, size_t i)
{
	const json_t *step = json_array_get(lab->network, i);
	const char *method = json_string_value(json_object_get(step, "method"));

	if (strcmp(method, "bridge.add"))
		return NULL;
	return last_part(
		json_string_value(json_object_get(json_object_get(step, "params"), "name")));
}

bool lab_has_bridge(const struct lab *lab, const char *short_name)
{
	for (size_t i = 0; i < json_array_size(lab->network); i++) {
		const char *name = bridge_of_step(lab, i);

		if (name && !strcmp(name, short_name))
			return true;
	}
	return false;
}

int lab_unknown(const struct yaml_doc *doc, const struct yaml_node *node, const struct lab *lab,
		const char *kind, bool bridges, bool vms, struct err *err)
{
	struct suggest near = {NULL, 0};
	const char *name;

	for (size_t i = 0; bridges && i < json_array_size(lab->network); i++) {
		name = bridge_of_step(lab, i);
		if (name)
			suggest_offer(&near, node->text, name);
	}
	for (unsigned i = 0; vms && i < lab->n_vms; i++)
		suggest_offer(&near, node->text, vm_spec_host(&lab->vms[i]));
	yaml_fail(doc, node, err, "this lab has no %s \"%.40s\"", kind, node->text);
	if (near.best)
		err_hint(err, "did you mean \"%s\"?", near.best);
	return -EINVAL;
}

static int read_name(const struct yaml_doc *doc, struct lab *lab, struct err *err)
{
	const struct yaml_node *root = yaml_root(doc), *name = yaml_get(root, "name");

	if (!name || name->kind != YAML_KIND_SCALAR)
		return yaml_fail(doc, name ? name : root, err, "a lab needs a `name:`");
	if (!name_is_plain(name->text))
		return yaml_fail(doc, name, err,
				 "name \"%.40s\": a name is up to 32 of a-z A-Z 0-9 _ -",
				 name->text);
	snprintf(lab->name, sizeof(lab->name), "%s", name->text);
	return 0;
}

int lab_read(const struct yaml_doc *doc, struct lab *lab, struct err *err)
{
	static const char *const keys[] = {"name",  "bridges", "ports", "vms",
					   "links", "checks",  NULL};
	int rc;

	memset(lab, 0, sizeof(*lab));
	lab->network = json_array();
	lab->checks = json_array();
	rc = yaml_keys(doc, yaml_root(doc), "a lab", keys, err);
	if (rc == 0)
		rc = read_name(doc, lab, err);
	if (rc < 0 && yaml_get(yaml_root(doc), "ports") && !yaml_get(yaml_root(doc), "name"))
		err_hint(err, "`lanyard apply FILE` takes what `lanyard show config` prints");
	if (rc == 0)
		rc = lab_read_network(doc, lab, err);
	if (rc == 0)
		rc = lab_read_ports(doc, lab, err);
	if (rc == 0)
		rc = lab_read_vms(doc, lab, err);
	if (rc == 0)
		rc = lab_read_links(doc, lab, err);
	if (rc == 0)
		rc = lab_read_checks(doc, lab, err);
	if (rc < 0)
		lab_free(lab);
	return rc;
}

void lab_free(struct lab *lab)
{
	free(lab->vms);
	json_decref(lab->network);
	json_decref(lab->checks);
	memset(lab, 0, sizeof(*lab));
}

static int path_from(char path[VM_PATH_BYTES], const char *file, size_t dir_len, struct err *err)
{
	char joined[VM_PATH_BYTES];
	size_t len = strlen(path);

	if (!len || path[0] == '/')
		return 0;
	if (dir_len + len >= sizeof(joined))
		return err_set(err, -ENAMETOOLONG,
			       "file \"%.150s\", beside the lab's file, has a path longer than %d bytes",
			       path, VM_PATH_BYTES - 1);
	memcpy(joined, file, dir_len);
	memcpy(joined + dir_len, path, len + 1);
	memcpy(path, joined, dir_len + len + 1);
	return 0;
}

int lab_paths_from(struct lab *lab, const char *file, struct err *err)
{
	const char *slash = strrchr(file, '/');
	size_t dir_len = slash ? (size_t)(slash + 1 - file) : 0;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < lab->n_vms; i++) {
		struct vm_spec *vm = &lab->vms[i];

		rc = path_from(vm->kernel, file, dir_len, err);
		if (rc == 0)
			rc = path_from(vm->initrd, file, dir_len, err);
		if (rc == 0)
			rc = path_from(vm->disk, file, dir_len, err);
		if (rc < 0)
			err_prefix(err, "vm \"%s\"", vm->name);
	}
	return rc;
}

json_t *lab_document(const struct lab *lab, const char *file)
{
	json_t *vms = json_array();

	for (unsigned i = 0; i < lab->n_vms; i++)
		json_array_append_new(vms, json_string(lab->vms[i].name));
	return json_pack("{s:s,s:s,s:O,s:o,s:O}", "name", lab->name, "file", file, "network",
			 lab->network, "vms", vms, "checks", lab->checks);
}
