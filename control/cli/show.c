/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/call.h"
#include "control/cli/table.h"
#include "control/rpc/methods.h"
#include "control/rpc/vids.h"

#define VIDS_TEXT 32 /* a longer list is cut off in the table; --json has it all */

static char *ageing_text(const json_t *bridge)
{
	char *text = NULL;

	return asprintf(&text, "%.15g s", json_number_value(json_object_get(bridge, "ageing_s"))) < 0 ? NULL : text;
}

void bridges_print(struct cli *cli, const json_t *params, const json_t *result)
{
	static const struct table_column columns[] = {
		{"BRIDGE", "name", false, NULL},
		{"PORTS", "ports", true, NULL},
		{"MACS", "macs", true, NULL},
		{"MAX-MACS", "max_macs", true, NULL},
		{"AGEING", NULL, true, ageing_text},
		{"FORWARD-RESERVED", "forward_reserved", false, NULL},
		{NULL, NULL, false, NULL},
	};

	table_print(columns, result);
}

/* "access 10", "trunk 10,20 native 1" */
static char *vlan_text(const json_t *port)
{
	const json_t *vlan = json_object_get(port, "vlan");
	const char *mode = json_string_value(json_object_get(vlan, "mode"));
	const json_t *native = json_object_get(vlan, "native");
	uint64_t set[VLAN_SET_WORDS];
	char list[VIDS_TEXT] = "", *text = NULL;
	int n;

	if (!mode)
		return NULL;
	if (strcmp(mode, "trunk")) {
		n = asprintf(&text, "%s %lld", mode,
			     (long long)json_integer_value(json_object_get(vlan, "vid")));
		return n < 0 ? NULL : text;
	}
	if (vids_from_json(json_object_get(vlan, "vids"), set, NULL) == 0)
		vids_to_text(set, list, sizeof(list));
	if (json_is_integer(native))
		n = asprintf(&text, "trunk %s native %lld", list,
			     (long long)json_integer_value(native));
	else
		n = asprintf(&text, "trunk %s", list);
	return n < 0 ? NULL : text;
}

/* "1.5G" */
static void rate_text(double bits, char *buf, size_t size)
{
	static const char *const units[] = {"", "K", "M", "G"};
	unsigned u = 0;

	for (; bits >= 1000 && u < 3; u++)
		bits /= 1000;
	snprintf(buf, size, "%.4g%s", bits, units[u]);
}

/* "mac,ip isolated max-macs 4 storm 100 rate 1.5G" */
static char *guard_text(const json_t *port)
{
	static const char *const keys[] = {"max_macs", "storm", "rate"};
	static const char *const titles[] = {"max-macs", "storm", "rate"};
	char text[128] = "", value[24];
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(port, "guard"), i, name)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? "," : "",
			 json_string_value(name));
	if (json_is_true(json_object_get(port, "isolated")))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " isolated");
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *n = json_object_get(port, keys[i]);

		if (!json_is_integer(n))
			continue;
		snprintf(value, sizeof(value), "%lld", (long long)json_integer_value(n));
		if (!strcmp(keys[i], "rate"))
			rate_text((double)json_integer_value(n), value, sizeof(value));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s %s", titles[i], value);
	}
	return strdup(text[0] == ' ' ? text + 1 : text[0] ? text : "-");
}

static char *counter_text(const json_t *port, const char *key)
{
	const json_t *value = json_object_get(json_object_get(port, "counters"), key);
	char *text = NULL;

	return asprintf(&text, "%lld", (long long)json_integer_value(value)) < 0 ? NULL : text;
}

static char *rx_text(const json_t *port)
{
	return counter_text(port, "rx_frames");
}

static char *tx_text(const json_t *port)
{
	return counter_text(port, "tx_frames");
}

static char *drops_text(const json_t *port)
{
	static const char *const ways[] = {"rx_drops", "tx_drops"};
	const json_t *counters = json_object_get(port, "counters");
	long long sum = 0;
	char *text = NULL;
	const char *reason;
	json_t *n;

	for (unsigned i = 0; i < 2; i++)
		json_object_foreach (json_object_get(counters, ways[i]), reason, n)
			sum += json_integer_value(n);
	return asprintf(&text, "%lld", sum) < 0 ? NULL : text;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* What is at a port's other side: "tap0 10.0.0.1/24 in ns1", an uplink's device, a socket that somebody chose. */
static char *at_text(const json_t *port)
{
	const char *ifname = text_of(port, "ifname"), *address = text_of(port, "address");
	const char *netns = text_of(port, "netns"), *other = text_of(port, "device");
	char *text = NULL;

	if (!ifname) {
		if (!json_is_true(json_object_get(port, "transient")))
			other = other ? other : text_of(port, "path");
		return other ? strdup(other) : NULL;
	}
	return asprintf(&text, "%s%s%s%s%s", ifname, address ? " " : "", address ? address : "",
			netns ? " in " : "", netns ? netns : "") < 0 ?
		       NULL :
		       text;
}

/* The reason, without the path at its end that AT has already. */
static char *reason_text(const json_t *port)
{
	const char *reason = text_of(port, "reason"), *path = text_of(port, "path");
	char *at = at_text(port), *text = strdup(reason ? reason : "");
	size_t len = text ? strlen(text) : 0, n = path ? strlen(path) : 0;

	if (text && at && path && !strcmp(at, path) && len > n + 4 && !strcmp(text + len - n, path) &&
	    !strncmp(text + len - n - 4, " to ", 4))
		text[len - n - 4] = '\0';
	free(at);
	return text;
}

/* A script that pastes what attaches a guest is to hear that there is nothing to paste. */
static int attach_check(const json_t *params, const json_t *ports, struct err *err)
{
	const json_t *port = json_array_get(ports, 0);
	const char *type = text_of(port, "type");

	if (!json_object_get(params, "name") || !type || !strcmp(type, "vhost-user") ||
	    !(json_is_true(json_object_get(params, "qemu")) || json_is_true(json_object_get(params, "libvirt"))))
		return 0;
	err_set(err, -EINVAL, "port \"%s\" is of type %s: no guest attaches to it by vhost-user", text_of(port, "name"),
		type);
	if (!strcmp(type, "dgram"))
		err_hint(err, "QEMU: -netdev dgram,id=n1,local.type=unix,local.path=%.90s,remote.type=unix,remote.path=%.90s",
			 text_of(port, "peer"), text_of(port, "path"));
	return -EINVAL;
}

int ports_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	int rc = cli_call_all(cli, m_port_list.rpc, cli_params(&m_port_list, params), result, err);

	if (rc == EXIT_DONE && attach_check(params, *result, err) < 0) {
		json_decref(*result);
		*result = NULL;
		return EXIT_CHECK_FAILED;
	}
	return rc;
}

void ports_print(struct cli *cli, const json_t *params, const json_t *result)
{
	static const struct table_column columns[] = {
		{"PORT", "name", false, NULL},	   {"BRIDGE", "bridge", false, NULL},
		{"TYPE", "type", false, NULL},	   {"STATE", "state", false, NULL},
		{"VLAN", NULL, false, vlan_text},  {"GUARD", NULL, false, guard_text},
		{"RX", NULL, true, rx_text},
		{"TX", NULL, true, tx_text},	   {"DROPS", NULL, true, drops_text},
		{"AT", NULL, false, at_text},	   {"REASON", NULL, false, reason_text},
		{NULL, NULL, false, NULL},
	};

	if (json_is_true(json_object_get(params, "qemu")))
		attach_qemu_print(result);
	else if (json_is_true(json_object_get(params, "libvirt")))
		attach_libvirt_print(result);
	else
		table_print(columns, result);
}

static char *age_text(const json_t *entry)
{
	char *text = NULL;

	if (json_is_true(json_object_get(entry, "static")))
		return strdup("static");
	return asprintf(&text, "%lld s",
			(long long)json_integer_value(json_object_get(entry, "age_s"))) < 0
		       ? NULL
		       : text;
}

void fdb_print(struct cli *cli, const json_t *params, const json_t *result)
{
	static const struct table_column columns[] = {
		{"BRIDGE", "bridge", false, NULL}, {"VLAN", "vlan", true, NULL},
		{"MAC", "mac", false, NULL},	   {"PORT", "port", false, NULL},
		{"AGE", NULL, true, age_text},	   {NULL, NULL, false, NULL},
	};

	table_print(columns, result);
}

static void names_complete(struct cli *cli, const char *method)
{
	json_t *items = NULL, *one;
	size_t i;

	/* Without a switch there is nothing to offer, and nothing to say. */
	if (cli_call_all(cli, method, NULL, &items, NULL) != EXIT_DONE)
		return;
	json_array_foreach (items, i, one)
		puts(json_string_value(json_object_get(one, "name")));
	json_decref(items);
}

void names_complete_bridge(struct cli *cli, const char *param)
{
	if (!strcmp(param, "name") || !strcmp(param, "bridge"))
		names_complete(cli, "bridge.list");
}

void names_complete_port(struct cli *cli, const char *param)
{
	if (!strcmp(param, "name") || !strcmp(param, "port") || !strcmp(param, "ports"))
		names_complete(cli, "port.list");
	else if (!strcmp(param, "bridge") || !strcmp(param, "peer_bridge"))
		names_complete(cli, "bridge.list");
}
