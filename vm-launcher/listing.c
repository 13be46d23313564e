/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/table.h"
#include "control/rpc/switch_find.h"
#include "control/rpc/text_of.h"
#include "vm-launcher/lab_network.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_status.h"

#define CONNECT_TIMEOUT_MS 1000
#define LIST_TIMEOUT_MS	   5000 /* it may be at work for others */

/* {port: state} of the switch, or {}. */
static json_t *port_states(struct cli *cli)
{
	json_t *states = json_object(), *ports = NULL;
	struct rpc_client *c;

	if (switch_connect(cli->run_dir, CONNECT_TIMEOUT_MS, &c, NULL) < 0)
		return states;
	rpc_timeout_set(c, CONNECT_TIMEOUT_MS);
	if (rpc_call_all(c, "port.list", NULL, &ports, NULL) == 0)
		for (size_t i = 0; i < json_array_size(ports); i++)
			json_object_set(states, text_of(json_array_get(ports, i), "name"),
					json_object_get(json_array_get(ports, i), "state"));
	json_decref(ports);
	rpc_close(c);
	return states;
}

void vm_links_add(struct cli *cli, json_t *vms)
{
	json_t *states = port_states(cli);

	for (size_t v = 0; v < json_array_size(vms); v++) {
		json_t *vm = json_array_get(vms, v), *nics = json_object_get(vm, "nics");
		bool over = vm_status_is_over(vm);

		for (size_t i = 0; i < json_array_size(nics); i++) {
			json_t *nic = json_array_get(nics, i);
			const char *port = text_of(nic, "port");
			bool up = !over && !json_is_false(json_object_get(nic, "carrier")) &&
				  (!port[0] || !strcmp(text_of(states, port), "up"));

			json_object_set_new(nic, "link", json_string(up ? "up" : "down"));
		}
	}
	json_decref(states);
}

/* {name: its bridge} of the switch, or NULL where none answers. */
static json_t *bridges_of_switch(struct cli *cli)
{
	json_t *bridges = json_object(), *list = NULL;
	struct rpc_client *c;

	if (switch_connect(cli->run_dir, CONNECT_TIMEOUT_MS, &c, NULL) < 0) {
		json_decref(bridges);
		return NULL;
	}
	rpc_timeout_set(c, LIST_TIMEOUT_MS);
	if (rpc_call_all(c, "bridge.list", NULL, &list, NULL) == 0)
		for (size_t i = 0; i < json_array_size(list); i++)
			json_object_set(bridges, text_of(json_array_get(list, i), "name"),
					json_array_get(list, i));
	json_decref(list);
	rpc_close(c);
	return bridges;
}

/* Whether the switch that answers has this lab: another one may have been started since. */
static bool has_network(const json_t *bridges, const json_t *doc)
{
	const json_t *network = json_object_get(doc, "network");

	for (size_t i = 0; bridges && i < json_array_size(network); i++) {
		const json_t *step = json_array_get(network, i);

		if (!strcmp(text_of(step, "method"), "bridge.add") &&
		    !json_object_get(bridges, text_of(json_object_get(step, "params"), "name")))
			return false;
	}
	return bridges != NULL;
}

static const char *lab_state(size_t n_vms, size_t n_ready, size_t n_over, bool has_switch)
{
	if (!has_switch && n_ready == n_vms)
		return "no switch";
	return n_ready == n_vms ? "up" : (n_over ? "partly" : "starting");
}

static json_t *lab_summary(struct cli *cli, const char *lab, const json_t *bridges)
{
	json_t *doc, *vms = NULL, *summary;
	size_t n_vms, n_ready = 0, n_over = 0;
	int rc;

	rc = lab_file_load(cli->run_dir, lab, &doc, NULL);
	/* One that cannot be read is not one that is not there. */
	if (rc < 0)
		return rc == -ENOENT ? NULL
				     : json_pack("{s:s,s:n,s:s,s:i,s:i}", "name", lab, "file", "state", "damaged",
						 "vms", 0, "ready", 0);
	n_vms = json_array_size(json_object_get(doc, "vms"));
	vm_client_list(cli->run_dir, lab, &vms, NULL);
	for (size_t i = 0; i < json_array_size(vms); i++) {
		n_ready += json_is_true(json_object_get(json_array_get(vms, i), "ready"));
		n_over += vm_status_is_over(json_array_get(vms, i));
	}
	summary = json_pack("{s:s,s:O,s:s,s:I,s:I}", "name", lab, "file",
			    json_object_get(doc, "file"), "state",
			    lab_state(n_vms, n_ready, n_over, has_network(bridges, doc)), "vms",
			    (json_int_t)n_vms, "ready", (json_int_t)n_ready);
	json_decref(vms);
	json_decref(doc);
	return summary;
}

int lab_list_json(struct cli *cli, json_t **out)
{
	char path[512], name[80];
	json_t *bridges = bridges_of_switch(cli);
	struct dirent *de;
	DIR *dir;

	*out = json_array();
	snprintf(path, sizeof(path), "%.500s/lab", cli->run_dir);
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		size_t len = strlen(de->d_name);
		json_t *summary;

		if (len < 6 || len - 5 >= sizeof(name) || strcmp(de->d_name + len - 5, ".json"))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - 5), de->d_name);
		summary = lab_summary(cli, name, bridges);
		if (summary)
			json_array_append_new(*out, summary);
	}
	if (dir)
		closedir(dir);
	json_decref(bridges);
	return 0;
}

static char *memory_text(const json_t *row)
{
	json_int_t mib = json_integer_value(json_object_get(row, "memory_bytes")) >> 20;
	char *text;

	return asprintf(&text, "%lldM", (long long)mib) < 0 ? NULL : text;
}

/* "sw1 10.0.10.11/24, user": what people look for. */
static char *nics_text(const json_t *row)
{
	const json_t *nics = json_object_get(row, "nics");
	char text[512] = "";

	for (size_t i = 0; i < json_array_size(nics); i++) {
		const json_t *nic = json_array_get(nics, i);
		const char *bridge = text_of(nic, "bridge"), *slash = strrchr(bridge, '/');
		const char *ip = json_string_value(json_array_get(json_object_get(nic, "ips"), 0));
		size_t len = strlen(text);

		if (!ip && json_is_true(json_object_get(nic, "dhcp")))
			ip = "dhcp";
		snprintf(text + len, sizeof(text) - len, "%s%s%s%s", i ? ", " : "",
			 bridge[0] ? (slash ? slash + 1 : bridge) : "user", ip ? " " : "",
			 ip ? ip : "");
	}
	return strdup(text);
}

static char *ready_text(const json_t *row)
{
	double s = json_number_value(json_object_get(row, "ready_s"));
	char *text;

	if (!json_is_true(json_object_get(row, "ready")))
		return strdup("no");
	return asprintf(&text, "after %.1f s", s) < 0 ? NULL : text;
}

/* Which accelerator runs and why, once for each reason; to the colon: doctor has the rest. */
static void accels_print(const json_t *vms)
{
	for (size_t i = 0; i < json_array_size(vms); i++) {
		const json_t *vm = json_array_get(vms, i);
		const char *why = text_of(vm, "accel_reason");
		bool said = vm_status_is_over(vm) || !why[0];

		for (size_t j = 0; !said && j < i; j++)
			said = !vm_status_is_over(json_array_get(vms, j)) &&
			       !strcmp(text_of(json_array_get(vms, j), "accel_reason"), why);
		if (!said)
			printf("accelerator %s: %.*s\n", text_of(vm, "accel"), (int)strcspn(why, ":;"), why);
	}
}

void vm_list_print(const json_t *vms)
{
	static const struct table_column columns[] = {
		{"VM", "name", false, NULL},
		{"STATE", "state", false, NULL},
		{"READY", "ready", false, ready_text},
		{"ACCEL", "accel", false, NULL},
		{"CPUS", "cpus", true, NULL},
		{"MEMORY", "memory_bytes", true, memory_text},
		{"NICS", "nics", false, nics_text},
		{"REASON", "reason", false, NULL},
		{NULL, NULL, false, NULL},
	};

	table_print(columns, vms);
	accels_print(vms);
}

void lab_list_print(const json_t *labs)
{
	static const struct table_column columns[] = {
		{"LAB", "name", false, NULL},  {"STATE", "state", false, NULL},
		{"VMS", "vms", true, NULL},    {"READY", "ready", true, NULL},
		{"FILE", "file", false, NULL}, {NULL, NULL, false, NULL},
	};

	table_print(columns, labs);
}
