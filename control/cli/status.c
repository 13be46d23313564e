/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/call.h"
#include "control/cli/commands.h"
#include "control/cli/show.h"

static const struct param status_params[] = {
	{"lab", PARAM_STRING, PARAM_POSITIONAL, 1, 65, "LAB", "only this lab"},
	{.name = NULL},
};
const struct method m_status = {
	"status",      "status",     "Show the state of everything, or of one lab",
	status_params, METHOD_LOCAL, NULL};

/* The list that another command would show; an empty one when there is no such command, or it
 * fails: what runs must be shown even where a part cannot be asked. */
static json_t *list_of(struct cli *cli, const char *words)
{
	const struct cli_command *c = command_by_words(NULL, words);
	json_t *params = json_object(), *list = NULL;
	struct err err = ERR_NONE;

	if (c && cli_carry_out(cli, c, params, &list, &err) != EXIT_DONE)
		fprintf(stderr, "lanyard: %s: %s\n", words, err.text);
	json_decref(params);
	if (json_is_array(list))
		return list;
	json_decref(list);
	return json_array();
}

static int switch_status(struct cli *cli, json_t *into, struct err *err)
{
	json_t *bridges = NULL, *ports = NULL, *status = NULL;
	struct rpc_client *c;
	int rc = cli_connect(cli, &c, err);

	if (rc < 0)
		return rc == -ENOENT ? EXIT_NOT_RUNNING : cli_exit_code(rc);
	rc = rpc_call(c, "daemon.status", NULL, &status, err);
	if (rc == 0)
		rc = rpc_call_all(c, "bridge.list", NULL, &bridges, err);
	if (rc == 0)
		rc = rpc_call_all(c, "port.list", NULL, &ports, err);
	rpc_close(c);
	if (rc == 0) {
		json_object_set(into, "daemon", json_object_get(status, "daemon"));
		json_object_set(into, "bridges", bridges);
		json_object_set(into, "ports", ports);
	}
	json_decref(status);
	json_decref(bridges);
	json_decref(ports);
	return cli_exit_code(rc);
}

/* What of the switch's is the lab's: by its names' prefix. */
static json_t *of_lab(const json_t *list, const char *lab)
{
	size_t len = strlen(lab);
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *o = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(o, "name"));

		if (name && !strncmp(name, lab, len) && name[len] == '/')
			json_array_append(out, o);
	}
	return out;
}

/* The launcher's own `status LAB`, and what the switch has of the lab; a lab's guests live on without one. */
static int lab_status(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	const struct cli_command *c = command_by_words(lab_commands, "status");
	struct err ignored = ERR_NONE;
	const char *lab;
	json_t *all;
	int rc;

	if (!c)
		return cli_exit_code(err_set(err, -EINVAL, "this build knows no labs"));
	rc = cli_carry_out(cli, c, params, result, err);
	if (rc != EXIT_DONE)
		return rc;
	all = json_pack("{s[]s[]}", "bridges", "ports");
	lab = json_string_value(json_object_get(*result, "name"));
	if (switch_status(cli, all, &ignored) == EXIT_DONE && lab) {
		json_object_set_new(*result, "bridges", of_lab(json_object_get(all, "bridges"), lab));
		json_object_set_new(*result, "ports", of_lab(json_object_get(all, "ports"), lab));
	}
	json_decref(all);
	return EXIT_DONE;
}

int status_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	int rc;

	if (json_object_get(params, "lab"))
		return lab_status(cli, params, result, err);
	*result = json_pack("{sns[]s[]}", "daemon", "bridges", "ports");
	rc = switch_status(cli, *result, err);
	/* VMs live on without the switch. */
	json_object_set_new(*result, "vms", list_of(cli, "vm list"));
	json_object_set_new(*result, "labs", list_of(cli, "labs"));
	return rc;
}

static void part_print(struct cli *cli, const char *words, const json_t *list)
{
	const struct cli_command *c = command_by_words(NULL, words);
	json_t *params = json_object();

	if (c && c->print && json_array_size(list)) {
		putchar('\n');
		c->print(cli, params, list);
	}
	json_decref(params);
}

/* Nothing, where there was none. */
static void past_print(const char *what, const json_t *r)
{
	long long n = json_integer_value(json_object_get(r, "n"));

	if (n)
		printf("%s %lld time%s, last %lld s ago: %s; %.0f ms without forwarding\n", what, n,
		       n == 1 ? "" : "s", (long long)json_integer_value(json_object_get(r, "ago_s")),
		       json_string_value(json_object_get(r, "reason")),
		       json_number_value(json_object_get(r, "gap_ms")));
}

/* Ports that are kept out are rows of their table; a bridge has none. */
static void kept_print(const json_t *kept)
{
	const json_t *one;
	size_t i;

	json_array_foreach (kept, i, one)
		if (!strcmp(json_string_value(json_object_get(one, "kind")), "bridge"))
			printf("kept out: %s\n", json_string_value(json_object_get(one, "reason")));
}

static void network_print(struct cli *cli, const json_t *params, const json_t *result)
{
	putchar('\n');
	if (!json_is_array(json_object_get(result, "bridges"))) {
		printf("no switch answers\n");
		return;
	}
	bridges_print(cli, params, json_object_get(result, "bridges"));
	putchar('\n');
	ports_print(cli, params, json_object_get(result, "ports"));
}

void status_print(struct cli *cli, const json_t *params, const json_t *result)
{
	const json_t *d = json_object_get(result, "daemon");
	const struct cli_command *c;

	if (json_object_get(params, "lab")) {
		c = command_by_words(lab_commands, "status");
		if (c && c->print)
			c->print(cli, params, result);
		network_print(cli, params, result);
		return;
	}
	if (json_is_object(d)) {
		printf("switch: running for %lld s, process %lld, %s, %lld worker%s\n",
		       (long long)json_integer_value(json_object_get(d, "uptime_s")),
		       (long long)json_integer_value(json_object_get(d, "pid")),
		       json_string_value(json_object_get(d, "mode")),
		       (long long)json_integer_value(json_object_get(d, "workers")),
		       json_integer_value(json_object_get(d, "workers")) == 1 ? "" : "s");
		past_print("restarted", json_object_get(d, "restarts"));
		past_print("handed on", json_object_get(d, "successions"));
		if (json_is_string(json_object_get(d, "metrics")))
			printf("metrics: http://%s/metrics\n",
			       json_string_value(json_object_get(d, "metrics")));
		if (json_is_integer(json_object_get(d, "confirm_s")))
			printf("apply: goes back in %lld s unless `lanyard confirm` comes\n",
			       (long long)json_integer_value(json_object_get(d, "confirm_s")));
		kept_print(json_object_get(d, "kept_out"));
		putchar('\n');
		if (json_array_size(json_object_get(result, "bridges")))
			bridges_print(cli, params, json_object_get(result, "bridges"));
		else
			puts("no bridges; `lanyard bridge add NAME`, or `lanyard up FILE`");
		if (json_array_size(json_object_get(result, "ports"))) {
			putchar('\n');
			ports_print(cli, params, json_object_get(result, "ports"));
		} else if (json_array_size(json_object_get(result, "bridges"))) {
			puts("\nno ports; `lanyard port add --help`");
		}
	}
	part_print(cli, "vm list", json_object_get(result, "vms"));
	part_print(cli, "labs", json_object_get(result, "labs"));
}
