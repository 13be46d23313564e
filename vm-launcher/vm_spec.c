/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_spec.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/guards.h"
#include "vm-launcher/hash.h"
#include "vm-launcher/nic_model.h"

void vm_spec_init(struct vm_spec *s, const char *full_name)
{
	const char *slash = strchr(full_name, '/');

	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s", full_name);
	if (slash)
		snprintf(s->lab, sizeof(s->lab), "%.*s", (int)(slash - full_name), full_name);
	snprintf(s->accel_wanted, sizeof(s->accel_wanted), "auto");
	s->memory_bytes = 512ull << 20;
	s->cpus = 1;
}

const char *vm_spec_host(const struct vm_spec *s)
{
	const char *slash = strrchr(s->name, '/');

	return slash ? slash + 1 : s->name;
}

static void derive_mac(const struct vm_spec *s, unsigned nic, char mac[18])
{
	struct hash h = HASH_INIT;
	uint64_t v;

	hash_text(&h, s->name);
	hash_u64(&h, nic);
	v = hash_end(&h);
	/* 02: locally administered, unicast. */
	snprintf(mac, 18, "02:%02x:%02x:%02x:%02x:%02x", (unsigned)(v >> 32 & 0xff),
		 (unsigned)(v >> 24 & 0xff), (unsigned)(v >> 16 & 0xff), (unsigned)(v >> 8 & 0xff),
		 (unsigned)(v & 0xff));
}

void vm_spec_number(struct vm_spec *s)
{
	for (unsigned i = 0; i < s->n_nics; i++) {
		struct vm_nic *n = &s->nics[i];

		snprintf(n->name, sizeof(n->name), "eth%u", i);
		if (!n->user)
			snprintf(n->port, sizeof(n->port), "%.90s.%s", s->name, n->name);
		if (!n->mac[0])
			derive_mac(s, i, n->mac);
		if (!n->guard[0])
			snprintf(n->guard, sizeof(n->guard), "mac");
		if (!n->model[0])
			snprintf(n->model, sizeof(n->model), "virtio");
	}
}

bool vm_mac_is_valid(const char *text)
{
	if (strlen(text) != 17)
		return false;
	for (int i = 0; i < 17; i++)
		if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
			return false;
	/* The lowest bit of the first byte marks a group address. */
	return !(strtol((char[]){text[1], 0}, NULL, 16) & 1);
}

int vm_nic_guard_check(const struct vm_nic *n, struct err *err)
{
	uint8_t checks;
	int rc = guards_from_text(n->guard, &checks, err);

	if (rc == 0 && guards_need_addresses(checks) && !n->n_ips) {
		err_set(err, -EINVAL, "guard \"%s\" has no address to compare with", n->guard);
		err_hint(err, "`ip` gives the NIC addresses; one by DHCP is not known before");
		return -EINVAL;
	}
	return rc;
}

bool vm_cidr_is_valid(const char *text)
{
	const char *slash = strchr(text, '/');
	unsigned char addr[16];
	char host[64], *end;
	long len;
	int bits;

	if (!slash || slash - text >= (long)sizeof(host) || !isdigit((unsigned char)slash[1]))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(slash - text), text);
	if (inet_pton(AF_INET, host, addr) == 1)
		bits = 32;
	else if (inet_pton(AF_INET6, host, addr) == 1)
		bits = 128;
	else
		return false;
	len = strtol(slash + 1, &end, 10);
	return !*end && len >= 0 && len <= bits;
}

int vm_nic_ip_add(struct vm_nic *n, const char *text, struct err *err)
{
	bool dhcp = !strcmp(text, "dhcp");

	if (n->dhcp || (dhcp && n->n_ips))
		return err_set(err, -EINVAL, "ip: dhcp stands alone, without other addresses");
	if (dhcp) {
		n->dhcp = true;
		return 0;
	}
	if (n->n_ips == VM_IPS_MAX)
		return err_set(err, -EINVAL, "more than %d addresses on one NIC", VM_IPS_MAX);
	if (!vm_cidr_is_valid(text))
		return err_set(err, -EINVAL,
			       "ip: \"%.50s\" is no address with its length, like 10.0.10.11/24, nor dhcp",
			       text);
	snprintf(n->ips[n->n_ips++], sizeof(n->ips[0]), "%.63s", text);
	return 0;
}

/* The address's family, and its 4 or 16 bytes; 0: it is none. */
static int address_of(const char *text, uint8_t bytes[16])
{
	if (inet_pton(AF_INET, text, bytes) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, bytes) == 1 ? AF_INET6 : 0;
}

int vm_nic_gateway_set(struct vm_nic *n, const char *text, struct err *err)
{
	uint8_t bytes[16];

	if (strlen(text) >= sizeof(n->gateway) || !address_of(text, bytes))
		return err_set(err, -EINVAL, "gateway: \"%.50s\" is no address, like 10.0.10.1", text);
	snprintf(n->gateway, sizeof(n->gateway), "%s", text);
	return 0;
}

/* Whether an address with its length has the other one in its network. */
static bool is_neighbour(const char *cidr, const char *gateway)
{
	uint8_t own[16], other[16];
	char host[64];
	long bits = strtol(strchr(cidr, '/') + 1, NULL, 10);

	snprintf(host, sizeof(host), "%.*s", (int)strcspn(cidr, "/"), cidr);
	if (address_of(host, own) != address_of(gateway, other))
		return false;
	for (long i = 0; i < bits; i++)
		if ((own[i / 8] ^ other[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

int vm_nic_gateway_check(const struct vm_nic *n, struct err *err)
{
	uint8_t bytes[16];

	if (!n->gateway[0])
		return 0;
	if (n->user || n->dhcp)
		return err_set(err, -EINVAL, "gateway: DHCP gives this NIC its own");
	/* A router of IPv6 has its link-local address on every network. */
	if (address_of(n->gateway, bytes) == AF_INET6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		return 0;
	for (unsigned i = 0; i < n->n_ips; i++)
		if (is_neighbour(n->ips[i], n->gateway))
			return 0;
	return err_set(err, -EINVAL, "gateway: %s is in no network of this NIC's `ip`", n->gateway);
}

static json_t *nic_to_json(const struct vm_nic *n)
{
	json_t *ips = json_array();

	for (unsigned i = 0; i < n->n_ips; i++)
		json_array_append_new(ips, json_string(n->ips[i]));
	return json_pack("{s:s,s:b,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:s,s:i,s:i,s:o,s:b,s:s}", "name", n->name,
			 "user", n->user, "bridge", n->bridge, "port", n->port, "mac", n->mac,
			 "guard", n->guard, "model", n->model, "mtu", n->mtu, "access", n->access, "trunk", n->trunk, "native", n->native, "ssh_port", n->ssh_port,
			 "ips", ips, "dhcp", n->dhcp, "gateway", n->gateway);
}

/* Texts of the spec, by JSON key: read and written by the same table. */
static const struct {
	const char *key;
	size_t offset, size;
	bool newer; /* than files that are read, too */
} texts[] = {
#define TEXT(member)                                                                               \
	{                                                                                          \
#member, offsetof(struct vm_spec, member),                                         \
			sizeof(((struct vm_spec *)NULL)->member), false                            \
	}
	TEXT(name),	    TEXT(lab),	       TEXT(accel_wanted), TEXT(image),	      TEXT(disk),
	TEXT(disk_format),  TEXT(kernel),      TEXT(initrd),	   TEXT(append),      TEXT(accel),
	TEXT(accel_reason), TEXT(boot_kernel), TEXT(boot_initrd),  TEXT(boot_append),
#undef TEXT
	{"user", offsetof(struct vm_spec, user), sizeof(((struct vm_spec *)NULL)->user), true},
};

json_t *vm_spec_to_json(const struct vm_spec *s)
{
	json_t *doc = json_pack("{s:I,s:i}", "memory_bytes", (json_int_t)s->memory_bytes, "cpus",
				(int)s->cpus);
	json_t *nics = json_array();

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		json_object_set_new(doc, texts[i].key,
				    json_string((const char *)s + texts[i].offset));
	for (unsigned i = 0; i < s->n_nics; i++)
		json_array_append_new(nics, nic_to_json(&s->nics[i]));
	json_object_set_new(doc, "nics", nics);
	return doc;
}

static int copy_text(char *to, size_t size, const json_t *from, const char *key, struct err *err)
{
	const char *text = json_string_value(from);

	if (!text || strlen(text) >= size)
		return err_set(err, -EINVAL, "VM file: \"%s\" is not a text of less than %zu bytes",
			       key, size);
	snprintf(to, size, "%s", text);
	return 0;
}

static int nic_from_json(struct vm_nic *n, const json_t *doc, struct err *err)
{
	const char *name, *bridge, *port, *mac, *trunk, *model = "virtio", *guard = "mac", *gateway = "";
	const struct nic_model *known;
	json_t *ips;
	int user, dhcp = 0;

	memset(n, 0, sizeof(*n));
	/* Files of before there were models, MTUs, guards and DHCP are read too. */
	if (json_unpack((json_t *)doc, "{s:s,s:b,s:s,s:s,s:s,s?s,s?s,s?i,s:i,s:s,s:i,s:i,s:o,s?b,s?s}", "name",
			&name, "user", &user, "bridge", &bridge, "port", &port, "mac", &mac,
			"guard", &guard, "model", &model, "mtu", &n->mtu, "access", &n->access, "trunk", &trunk,
			"native", &n->native, "ssh_port", &n->ssh_port, "ips", &ips, "dhcp", &dhcp,
			"gateway", &gateway) < 0 ||
	    !json_is_array(ips) || json_array_size(ips) > VM_IPS_MAX)
		return err_set(err, -EINVAL, "VM file: a NIC is incomplete");
	n->user = user != 0;
	n->dhcp = dhcp != 0;
	if (gateway[0] && vm_nic_gateway_set(n, gateway, err) < 0)
		return -EINVAL;
	if (strlen(name) >= sizeof(n->name) || strlen(bridge) >= sizeof(n->bridge) ||
	    strlen(port) >= sizeof(n->port) || strlen(trunk) >= sizeof(n->trunk) ||
	    strlen(guard) >= sizeof(n->guard) ||
	    !vm_mac_is_valid(mac))
		return err_set(err, -EINVAL,
			       "VM file: NIC \"%.16s\" has a text that is too long or a "
			       "wrong MAC",
			       name);
	known = nic_model_find(model, err);
	if (!known || n->mtu < 0 || n->mtu > known->mtu_max)
		return err_set(err, -EINVAL, "VM file: NIC \"%s\" has an unknown model or mtu",
			       name);
	snprintf(n->model, sizeof(n->model), "%s", model);
	snprintf(n->guard, sizeof(n->guard), "%s", guard);
	snprintf(n->name, sizeof(n->name), "%s", name);
	snprintf(n->bridge, sizeof(n->bridge), "%s", bridge);
	snprintf(n->port, sizeof(n->port), "%s", port);
	snprintf(n->trunk, sizeof(n->trunk), "%s", trunk);
	snprintf(n->mac, sizeof(n->mac), "%s", mac);
	for (; n->n_ips < json_array_size(ips); n->n_ips++) {
		const json_t *ip = json_array_get(ips, n->n_ips);
		int rc = copy_text(n->ips[n->n_ips], sizeof(n->ips[0]), ip, "ips", err);

		if (rc < 0)
			return rc;
		if (!vm_cidr_is_valid(n->ips[n->n_ips]))
			return err_set(err, -EINVAL,
				       "VM file: \"%s\" is not an address with /length",
				       n->ips[n->n_ips]);
	}
	return vm_nic_guard_check(n, err);
}

int vm_spec_from_json(struct vm_spec *s, const json_t *doc, struct err *err)
{
	const json_t *nics = json_object_get(doc, "nics");
	json_int_t memory = json_integer_value(json_object_get(doc, "memory_bytes"));
	json_int_t cpus = json_integer_value(json_object_get(doc, "cpus"));
	int rc;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const json_t *text = json_object_get(doc, texts[i].key);

		if (!text && texts[i].newer)
			continue;
		rc = copy_text((char *)s + texts[i].offset, texts[i].size, text, texts[i].key, err);
		if (rc < 0)
			return rc;
	}
	if (memory < (json_int_t)VM_MEMORY_MIN || memory > (json_int_t)VM_MEMORY_MAX || cpus < 1 ||
	    cpus > VM_CPUS_MAX)
		return err_set(err, -EINVAL, "VM file: memory or processors are out of range");
	s->memory_bytes = (uint64_t)memory;
	s->cpus = (unsigned)cpus;
	if (!json_is_array(nics) || json_array_size(nics) > VM_NICS_MAX)
		return err_set(err, -EINVAL, "VM file: \"nics\" is not a list of at most %d",
			       VM_NICS_MAX);
	for (; s->n_nics < json_array_size(nics); s->n_nics++) {
		rc = nic_from_json(&s->nics[s->n_nics], json_array_get(nics, s->n_nics), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
