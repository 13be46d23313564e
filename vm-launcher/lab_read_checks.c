/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `checks:` of a lab file.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vm-launcher/lab.h"

static const struct param within_row = {"within", PARAM_DURATION, 0, 0, 3600, NULL, ""};

/* The VM that has the address, or NULL. */
static const struct vm_spec *vm_of_address(const struct lab *lab, const char *address)
{
	size_t len = strlen(address);

	for (unsigned i = 0; i < lab->n_vms; i++)
		for (unsigned j = 0; j < lab->vms[i].n_nics; j++)
			for (unsigned k = 0; k < lab->vms[i].nics[j].n_ips; k++) {
				const char *ip = lab->vms[i].nics[j].ips[k];

				if (strcspn(ip, "/") == len && !strncmp(ip, address, len))
					return &lab->vms[i];
			}
	return NULL;
}

static const char *first_address(const struct vm_spec *vm)
{
	for (unsigned i = 0; i < vm->n_nics; i++)
		if (vm->nics[i].n_ips)
			return vm->nics[i].ips[0];
	return NULL;
}

/* Reads an address, or a guest's name, which stands for its first address. */
static int read_target(const struct yaml_doc *doc, const struct lab *lab,
		       const struct yaml_node *node, bool must_be_ours, char *address, size_t size,
		       const struct vm_spec **target, struct err *err)
{
	unsigned char raw[16];
	const char *first;

	if (node->kind != YAML_KIND_SCALAR)
		return yaml_fail(doc, node, err, "a check has one target, an address or a guest");
	if (inet_pton(AF_INET, node->text, raw) == 1 || inet_pton(AF_INET6, node->text, raw) == 1) {
		snprintf(address, size, "%s", node->text);
		*target = vm_of_address(lab, address);
		if (!*target && must_be_ours)
			return yaml_fail(
				doc, node, err,
				"nobody in this lab has the address %s: its silence would prove "
				"nothing",
				address);
		return 0;
	}
	*target = lab_vm(lab, node->text);
	if (!*target && node->text[strspn(node->text, "0123456789.:/")] == '\0')
		return yaml_fail(doc, node, err, "\"%.50s\" is no IP address", node->text);
	if (!*target)
		return lab_unknown(doc, node, lab, "vm", false, true, err);
	first = first_address(*target);
	if (!first)
		return yaml_fail(doc, node, err, "vm \"%s\" has no address", node->text);
	snprintf(address, size, "%.*s", (int)strcspn(first, "/"), first);
	return 0;
}

static int read_within(const struct yaml_doc *doc, const struct yaml_node *node, double *within_s,
		       struct err *err)
{
	json_t *value;
	int rc;

	if (!node)
		return 0;
	rc = yaml_param(doc, node, "within", &within_row, &value, err);
	if (rc < 0)
		return rc;
	*within_s = json_number_value(value);
	json_decref(value);
	return *within_s > 0 ? 0 : yaml_fail(doc, node, err, "within: must be longer than nothing");
}

static int read_check(const struct yaml_doc *doc, struct lab *lab, const struct yaml_node *check,
		      struct err *err)
{
	static const char *const keys[] = {"name", "from", "ping", "no-ping", "within", NULL};
	const struct yaml_node *name = yaml_get(check, "name"), *from = yaml_get(check, "from");
	const struct yaml_node *ping = yaml_get(check, "ping"), *none = yaml_get(check, "no-ping");
	const struct vm_spec *sender, *target = NULL;
	double within_s = none ? LAB_NO_PING_S : LAB_PING_S;
	char address[64], title[160];

	if (yaml_keys(doc, check, "a check", keys, err) < 0)
		return -EINVAL;
	if (!from || from->kind != YAML_KIND_SCALAR)
		return yaml_fail(doc, check, err, "a check needs `from:`, a guest of the lab");
	sender = lab_vm(lab, from->text);
	if (!sender)
		return lab_unknown(doc, from, lab, "vm", false, true, err);
	if (!ping == !none)
		return yaml_fail(doc, check, err, "a check needs either `ping:` or `no-ping:`");
	if (read_target(doc, lab, ping ? ping : none, none != NULL, address, sizeof(address),
			&target, err) < 0 ||
	    read_within(doc, yaml_get(check, "within"), &within_s, err) < 0)
		return -EINVAL;
	if (name && name->kind != YAML_KIND_SCALAR)
		return yaml_fail(doc, name, err, "`name:` is a text");
	if (none && target == sender)
		return yaml_fail(doc, none, err, "vm \"%s\" always reaches itself", from->text);
	snprintf(title, sizeof(title), "%.60s %s %s", from->text,
		 ping ? "reaches" : "does not reach", address);
	json_array_append_new(
		lab->checks,
		json_pack("{s:s,s:s,s:s,s:s,s:o,s:f}", "name", name ? name->text : title, "kind",
			  ping ? "ping" : "no-ping", "from", sender->name, "address", address,
			  "target", target ? json_string(target->name) : json_null(), "within",
			  within_s));
	return 0;
}

int lab_read_checks(const struct yaml_doc *doc, struct lab *lab, struct err *err)
{
	const struct yaml_node *checks = yaml_get(yaml_root(doc), "checks");
	int rc = 0;

	if (!checks || yaml_is_null(checks))
		return 0;
	if (checks->kind != YAML_KIND_LIST || checks->n > LAB_ITEMS_MAX)
		return yaml_fail(doc, checks, err, "`checks:` is a list of at most %d",
				 LAB_ITEMS_MAX);
	for (unsigned i = 0; rc == 0 && i < checks->n; i++)
		rc = read_check(doc, lab, checks->entries[i].value, err);
	return rc;
}
