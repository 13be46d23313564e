/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `vms:` of a lab file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/rpc/vids.h"
#include "vm-launcher/lab.h"
#include "vm-launcher/nic_model.h"
#include "vm-launcher/vm_options.h"

static const struct param vm_rows[] = {
	VM_OPTION_ROWS,
	{"nics", PARAM_JSON, 0, 0, 0, NULL, "its network cards"},
	{.name = NULL},
};

static const struct param nic_rows[] = {
	{"to", PARAM_STRING, PARAM_REQUIRED, 1, 32, NULL, "a bridge of the lab, or user"},
	{"access", PARAM_INT, 0, 1, VLAN_VID_MAX, NULL, "untagged member of one VLAN"},
	{"trunk", PARAM_VIDS, 0, 0, 0, NULL, "tagged member of these VLANs"},
	{"native", PARAM_INT, 0, 1, VLAN_VID_MAX, NULL, "VLAN of untagged frames"},
	{"ip", PARAM_LIST, 0, 0, 0, NULL, "addresses with /length, or dhcp"},
	{"gateway", PARAM_STRING, 0, 1, 45, NULL, "the way to everything else"},
	{"mac", PARAM_MAC, 0, 0, 0, NULL, "its address"},
	{"model", PARAM_STRING, 0, 1, 31, NULL, "the card: " NIC_MODEL_NAMES},
	{"mtu", PARAM_INT, 0, 68, 65535, NULL, "largest payload of a frame in bytes"},
	{"guard", PARAM_STRING, 0, 1, 18, NULL, "what the port checks: mac,ip,arp,dhcp,ra or off (mac)"},
	{"ssh", PARAM_INT, 0, 1, 65535, NULL, "to: user: host port that leads to the guest's 22"},
	{.name = NULL},
};

static int read_ips(const struct yaml_doc *doc, const struct yaml_node *node, const json_t *ips,
		    struct vm_nic *n, struct err *err)
{
	struct err why = ERR_NONE;

	for (size_t i = 0; i < json_array_size(ips); i++)
		if (vm_nic_ip_add(n, json_string_value(json_array_get(ips, i)), &why) < 0)
			return yaml_fail(doc, node, err, "%.250s", why.text);
	return 0;
}

static int read_vlans(const struct yaml_doc *doc, const struct yaml_node *node,
		      const json_t *params, struct vm_nic *n, struct err *err)
{
	const json_t *trunk = json_object_get(params, "trunk");
	uint64_t set[VLAN_SET_WORDS];

	n->access = (int)json_integer_value(json_object_get(params, "access"));
	n->native = (int)json_integer_value(json_object_get(params, "native"));
	if (trunk) {
		if (vids_from_json(trunk, set, err) < 0)
			return -EINVAL;
		vids_to_text(set, n->trunk, sizeof(n->trunk));
		if (vids_from_text(n->trunk, set, NULL) < 0)
			return yaml_fail(doc, yaml_get(node, "trunk"), err,
					 "trunk: more vlans and ranges than %zu bytes hold",
					 sizeof(n->trunk));
	}
	if (n->access && (trunk || n->native))
		return yaml_fail(doc, yaml_get(node, "access"), err,
				 "access excludes trunk and native");
	if (n->user && (n->access || trunk || n->native))
		return yaml_fail(doc, node, err, "QEMU's user network has no vlans");
	return 0;
}

static int read_card(const struct yaml_doc *doc, const struct yaml_node *node,
		     const json_t *params, struct vm_nic *n, struct err *err)
{
	const char *model = json_string_value(json_object_get(params, "model"));
	struct err why = ERR_NONE;

	n->mtu = (int)json_integer_value(json_object_get(params, "mtu"));
	if (model && !nic_model_find(model, &why)) {
		yaml_fail(doc, yaml_get(node, "model"), err, "%.250s", why.text);
		return why.hint[0] ? err_hint(err, "%.200s", why.hint) : -EINVAL;
	}
	snprintf(n->model, sizeof(n->model), "%s", model ? model : "virtio");
	if (vm_nic_check(n, &why) < 0)
		return yaml_fail(doc, yaml_get(node, "mtu"), err, "%.250s", why.text);
	return 0;
}

static int read_guard(const struct yaml_doc *doc, const struct yaml_node *node,
		      const json_t *params, struct vm_nic *n, struct err *err)
{
	const char *guard = json_string_value(json_object_get(params, "guard"));
	struct err why = ERR_NONE;

	if (!guard)
		return 0;
	if (n->user)
		return yaml_fail(doc, node, err, "QEMU's user network has no guard");
	snprintf(n->guard, sizeof(n->guard), "%s", guard);
	if (vm_nic_guard_check(n, &why) == 0)
		return 0;
	yaml_fail(doc, node, err, "%.250s", why.text);
	return why.hint[0] ? err_hint(err, "%.200s", why.hint) : -EINVAL;
}

static int read_gateway(const struct yaml_doc *doc, const struct yaml_node *node,
			const json_t *params, struct vm_nic *n, struct err *err)
{
	const char *gateway = json_string_value(json_object_get(params, "gateway"));
	struct err why = ERR_NONE;

	if (!gateway || (vm_nic_gateway_set(n, gateway, &why) == 0 &&
			 vm_nic_gateway_check(n, &why) == 0))
		return 0;
	return yaml_fail(doc, yaml_get(node, "gateway"), err, "%.250s", why.text);
}

static int fill_nic(const struct yaml_doc *doc, const struct lab *lab, const struct yaml_node *node,
		    const json_t *params, struct vm_nic *n, struct err *err)
{
	const char *to = json_string_value(json_object_get(params, "to"));
	const char *mac = json_string_value(json_object_get(params, "mac"));
	char name[VM_NAME_BYTES];

	if (!to)
		return yaml_fail(doc, node, err,
				 "a NIC needs `to:`, a bridge of the lab or `user`");
	n->user = !strcmp(to, "user");
	if (!n->user && !lab_has_bridge(lab, to))
		return lab_unknown(doc, yaml_get(node, "to"), lab, "bridge", true, false, err);
	if (!n->user)
		snprintf(n->bridge, sizeof(n->bridge), "%s",
			 lab_full_name(lab, to, name, sizeof(name)));
	if (mac && !vm_mac_is_valid(mac))
		return yaml_fail(doc, yaml_get(node, "mac"), err,
				 "mac: \"%.20s\" is no unicast MAC address", mac);
	for (int i = 0; mac && i <= 17; i++)
		n->mac[i] = mac[i] >= 'A' && mac[i] <= 'F' ? (char)(mac[i] + 32) : mac[i];
	n->ssh_port = (int)json_integer_value(json_object_get(params, "ssh"));
	if (n->ssh_port && !n->user)
		return yaml_fail(doc, yaml_get(node, "ssh"), err, "ssh: belongs to `to: user`");
	if (read_vlans(doc, node, params, n, err) < 0 || read_card(doc, node, params, n, err) < 0 ||
	    read_ips(doc, yaml_get(node, "ip"), json_object_get(params, "ip"), n, err) < 0 ||
	    read_gateway(doc, node, params, n, err) < 0)
		return -EINVAL;
	return read_guard(doc, yaml_get(node, "guard"), params, n, err);
}

static int read_nics(const struct yaml_doc *doc, const struct lab *lab,
		     const struct yaml_node *nics, struct vm_spec *vm, struct err *err)
{
	if (!nics || yaml_is_null(nics))
		return 0;
	if (nics->kind != YAML_KIND_LIST || nics->n > VM_NICS_MAX)
		return yaml_fail(doc, nics, err, "`nics:` is a list of at most %d", VM_NICS_MAX);
	for (unsigned i = 0; i < nics->n; i++) {
		const struct yaml_node *node = nics->entries[i].value;
		json_t *params;
		int rc = yaml_params(doc, node, "a NIC", nic_rows, &params, err);

		if (rc < 0)
			return rc;
		rc = fill_nic(doc, lab, node, params, &vm->nics[i], err);
		json_decref(params);
		if (rc < 0)
			return rc;
		vm->n_nics++;
	}
	return 0;
}

static int read_vm(const struct yaml_doc *doc, const struct lab *lab, const struct yaml_entry *e,
		   struct vm_spec *vm, struct err *err)
{
	char name[VM_NAME_BYTES], what[64];
	json_t *params;
	int rc;

	if (!name_is_plain(e->key->text))
		return yaml_fail(doc, e->key, err,
				 "vm \"%.40s\": a name is up to 32 of a-z A-Z 0-9 _ -",
				 e->key->text);
	if (lab_has_bridge(lab, e->key->text))
		return yaml_fail(doc, e->key, err, "\"%s\" is a bridge of this lab already",
				 e->key->text);
	vm_spec_init(vm, lab_full_name(lab, e->key->text, name, sizeof(name)));
	snprintf(what, sizeof(what), "vm \"%.40s\"", e->key->text);
	rc = yaml_params(doc, e->value, what, vm_rows, &params, err);
	if (rc < 0)
		return rc;
	vm_options_apply(vm, params);
	json_decref(params);
	rc = read_nics(doc, lab, yaml_get(e->value, "nics"), vm, err);
	if (rc == 0)
		vm_spec_number(vm);
	return rc;
}

/* Where NIC i of a VM is in the file: its NICs stand in the file's order. */
static const struct yaml_node *nic_node(const struct yaml_entry *vm, unsigned i)
{
	const struct yaml_node *nics = yaml_get(vm->value, "nics");

	return nics && i < nics->n ? nics->entries[i].value : vm->key;
}

static bool same_address(const char *a, const char *b)
{
	size_t na = strcspn(a, "/"), nb = strcspn(b, "/");

	return na == nb && !strncasecmp(a, b, na);
}

/* Complains when NIC n has what a NIC before it has. */
static int check_pair(const struct yaml_doc *doc, const struct yaml_node *node,
		      const struct vm_nic *n, const struct vm_nic *before, struct err *err)
{
	if (!strcmp(n->mac, before->mac))
		return yaml_fail(doc, node, err, "mac %s is that of %s already", n->mac,
				 before->port[0] ? before->port : before->name);
	for (unsigned i = 0; i < n->n_ips; i++)
		for (unsigned j = 0; j < before->n_ips; j++)
			if (same_address(n->ips[i], before->ips[j]))
				return yaml_fail(doc, node, err, "ip %s is that of %s already",
						 n->ips[i],
						 before->port[0] ? before->port : before->name);
	return 0;
}

static int check_unique(const struct yaml_doc *doc, const struct lab *lab,
			const struct yaml_node *vms, struct err *err)
{
	for (unsigned v = 0; v < lab->n_vms; v++)
		for (unsigned i = 0; i < lab->vms[v].n_nics; i++)
			for (unsigned w = 0; w <= v; w++)
				for (unsigned j = 0; j < (w == v ? i : lab->vms[w].n_nics); j++)
					if (check_pair(doc, nic_node(&vms->entries[v], i),
						       &lab->vms[v].nics[i], &lab->vms[w].nics[j],
						       err) < 0)
						return -EINVAL;
	return 0;
}

int lab_read_vms(const struct yaml_doc *doc, struct lab *lab, struct err *err)
{
	const struct yaml_node *vms = yaml_get(yaml_root(doc), "vms");
	int rc = 0;

	if (!vms || yaml_is_null(vms))
		return 0;
	if (vms->kind != YAML_KIND_MAP || vms->n > LAB_VMS_MAX)
		return yaml_fail(doc, vms, err, "`vms:` is a map of at most %d names", LAB_VMS_MAX);
	lab->vms = calloc(vms->n ? vms->n : 1, sizeof(*lab->vms));
	if (!lab->vms)
		return err_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; rc == 0 && i < vms->n; i++) {
		rc = read_vm(doc, lab, &vms->entries[i], &lab->vms[i], err);
		lab->n_vms++;
	}
	return rc == 0 ? check_unique(doc, lab, vms, err) : rc;
}
