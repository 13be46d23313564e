/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/rpc/suggest.h"
#include "control/rpc/vids.h"
#include "vm-launcher/nic_model.h"

#define VID_MAX 4094
#define MTU_MIN 68 /* as the switch's ports */
#define MTU_MAX 65535
#define USER_MTU 1500

static void take_text(const json_t *params, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(params, key));

	if (text)
		snprintf(to, size, "%s", text);
}

void vm_options_apply(struct vm_spec *s, const json_t *params)
{
	const json_t *memory = json_object_get(params, "memory");
	const json_t *cpus = json_object_get(params, "cpus");

	take_text(params, "image", s->image, sizeof(s->image));
	take_text(params, "disk", s->disk, sizeof(s->disk));
	take_text(params, "disk_format", s->disk_format, sizeof(s->disk_format));
	take_text(params, "kernel", s->kernel, sizeof(s->kernel));
	take_text(params, "initrd", s->initrd, sizeof(s->initrd));
	take_text(params, "append", s->append, sizeof(s->append));
	take_text(params, "accel", s->accel_wanted, sizeof(s->accel_wanted));
	take_text(params, "user", s->user, sizeof(s->user));
	if (memory) /* whole MiB, as QEMU takes it */
		s->memory_bytes =
			((uint64_t)json_integer_value(memory) + (1 << 20) - 1) >> 20 << 20;
	if (cpus)
		s->cpus = (unsigned)json_integer_value(cpus);
}

static int number(const char *text, long min, long max, int *out)
{
	char *end;
	long v;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	v = strtol(text, &end, 10);
	if (*end || v < min || v > max)
		return -EINVAL;
	*out = (int)v;
	return 0;
}

static int set_mac(struct vm_nic *n, const char *mac, struct err *err)
{
	if (!vm_mac_is_valid(mac))
		return err_set(err, -EINVAL,
			       "mac \"%.40s\" is no unicast MAC address like 02:00:00:00:00:01",
			       mac);
	for (int i = 0; i <= 17; i++)
		n->mac[i] = (char)tolower((unsigned char)mac[i]);
	return 0;
}

static int set_key(struct vm_nic *n, const char *key, const char *value, struct err *err)
{
	static const char *const known[] = {"access", "trunk", "native", "mac",
					    "model",  "mtu",   "ssh", "guard", "ip", "gateway"};
	const char *near;

	if (!strcmp(key, "access") || !strcmp(key, "native")) {
		if (number(value, 1, VID_MAX, key[0] == 'a' ? &n->access : &n->native) < 0)
			return err_set(err, -EINVAL, "%s \"%.20s\" is no vlan of 1-%d", key, value,
				       VID_MAX);
		return 0;
	}
	if (!strcmp(key, "trunk")) {
		snprintf(n->trunk, sizeof(n->trunk), "%s", value);
		return 0;
	}
	if (!strcmp(key, "guard")) {
		snprintf(n->guard, sizeof(n->guard), "%s", value);
		return 0;
	}
	if (!strcmp(key, "mac"))
		return set_mac(n, value, err);
	if (!strcmp(key, "ip"))
		return vm_nic_ip_add(n, value, err);
	if (!strcmp(key, "gateway") || !strcmp(key, "gw"))
		return vm_nic_gateway_set(n, value, err);
	if (!strcmp(key, "ssh")) {
		if (!n->user || number(value, 1, 65535, &n->ssh_port) < 0)
			return err_set(err, -EINVAL,
				       "ssh \"%.20s\" is a port of 1-65535 with `user`", value);
		return 0;
	}
	if (!strcmp(key, "model")) {
		if (!nic_model_find(value, err))
			return -EINVAL;
		snprintf(n->model, sizeof(n->model), "%s", value);
		return 0;
	}
	if (!strcmp(key, "mtu")) {
		if (number(value, MTU_MIN, MTU_MAX, &n->mtu) < 0)
			return err_set(err, -EINVAL, "mtu \"%.20s\" is outside %d-%d", value, MTU_MIN,
				       MTU_MAX);
		return 0;
	}
	err_set(err, -EINVAL, "a NIC has no \"%.30s\"", key);
	near = suggest_word(key, known, sizeof(known) / sizeof(known[0]));
	return near ? err_hint(err, "did you mean \"%s\"?", near) : -EINVAL;
}

/* A word that goes on with the list before it: false where it does not fit any more. */
static bool list_append(char *list, size_t size, const char *word)
{
	size_t len = strlen(list);

	return snprintf(list + len, size - len, ",%s", word) < (int)(size - len);
}

/* `trunk=10,20-29` and `guard=mac,ip` have commas of their own: what has no `=` belongs to the list before
 * it, to a trunk if it begins with a digit. */
static int set_words(struct vm_nic *n, char *rest, struct err *err)
{
	char *save = NULL, *list = NULL;
	size_t size = 0;

	for (char *word = strtok_r(rest, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *value = strchr(word, '=');
		int rc;

		if (!value && list && (list == n->guard || isdigit((unsigned char)word[0]))) {
			if (!list_append(list, size, word))
				return err_set(err, -EINVAL, "\"%.40s\" makes its list too long", word);
			continue;
		}
		if (!value)
			return err_set(err, -EINVAL, "\"%.40s\" is no setting like access=10",
				       word);
		*value++ = '\0';
		list = !strcmp(word, "trunk") ? n->trunk : !strcmp(word, "guard") ? n->guard : NULL;
		size = list == n->trunk ? sizeof(n->trunk) : sizeof(n->guard);
		rc = set_key(n, word, value, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_vlans(const struct vm_nic *n, struct err *err)
{
	uint64_t set[VLAN_SET_WORDS];
	struct err why = ERR_NONE;

	if (n->user && (n->access || n->trunk[0] || n->native))
		return err_set(err, -EINVAL, "QEMU's user network has no vlans");
	if (n->user && n->guard[0])
		return err_set(err, -EINVAL, "QEMU's user network has no guard");
	if (n->access && (n->trunk[0] || n->native))
		return err_set(err, -EINVAL, "access excludes trunk and native");
	if (n->trunk[0] && vids_from_text(n->trunk, set, &why) < 0)
		return err_set(err, -EINVAL, "trunk: %.250s", why.text);
	return 0;
}

int vm_nic_check(const struct vm_nic *n, struct err *err)
{
	const struct nic_model *m = nic_model_find(n->model[0] ? n->model : "virtio", err);

	if (!m)
		return -EINVAL;
	if (n->user && n->mtu > USER_MTU)
		return err_set(err, -EINVAL, "QEMU's user network has an mtu of %d", USER_MTU);
	if (n->mtu > m->mtu_max)
		return err_set(err, -EINVAL, "mtu %d is more than the %d that %s can do", n->mtu,
			       m->mtu_max, m->name);
	return 0;
}

int vm_nic_parse(struct vm_spec *s, const char *text, const char *prefix, struct err *err)
{
	struct vm_nic *n = &s->nics[s->n_nics];
	char words[512], bridge[128], *rest;
	int rc;

	if (s->n_nics == VM_NICS_MAX)
		return err_set(err, -E2BIG, "vm \"%s\": more than %d NICs", s->name, VM_NICS_MAX);
	if (strlen(text) >= sizeof(words))
		return err_set(err, -EINVAL, "nic \"%.40s…\" is too long", text);
	memset(n, 0, sizeof(*n));
	snprintf(words, sizeof(words), "%s", text);
	rest = strchr(words, ',');
	if (rest)
		*rest++ = '\0';
	n->user = !strcmp(words, "user");
	if (!n->user) {
		snprintf(bridge, sizeof(bridge), "%s%.100s", prefix, words);
		if (!name_is_full(bridge) || strlen(bridge) >= sizeof(n->bridge))
			return err_set(err, -EINVAL, "nic \"%.60s\": \"%.60s\" is no bridge's name",
				       text, words);
		snprintf(n->bridge, sizeof(n->bridge), "%.*s", (int)sizeof(n->bridge) - 1, bridge);
	}
	rc = rest ? set_words(n, rest, err) : 0;
	if (rc == 0)
		rc = check_vlans(n, err);
	if (rc == 0)
		rc = vm_nic_check(n, err);
	if (rc == 0)
		rc = vm_nic_gateway_check(n, err);
	if (rc == 0 && n->guard[0])
		rc = vm_nic_guard_check(n, err);
	if (rc < 0) {
		err_prefix(err, "nic \"%.60s\"", text);
		return rc;
	}
	s->n_nics++;
	return 0;
}

int vm_options_check(const struct vm_spec *s, struct err *err)
{
	for (unsigned i = 0; i < s->n_nics; i++)
		for (unsigned j = i + 1; j < s->n_nics; j++)
			if (!strcasecmp(s->nics[i].mac, s->nics[j].mac))
				return err_set(err, -EINVAL,
					       "vm \"%s\": NICs %s and %s have the same "
					       "MAC %s",
					       s->name, s->nics[i].name, s->nics[j].name,
					       s->nics[i].mac);
	return 0;
}
