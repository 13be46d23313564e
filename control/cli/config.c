/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/call.h"
#include "control/cli/commands.h"
#include "control/rpc/methods.h"
#include "control/rpc/vids.h"
#include "control/yaml/document.h"

const struct method m_show_config = {
	"show.config", "show config", "Print the hand-made configuration as apply reads it",
	NULL,	       METHOD_LOCAL,  NULL};

#define FILE_PARAM                                                                                 \
	{                                                                                          \
		"file", PARAM_STRING, PARAM_POSITIONAL | PARAM_REQUIRED, 1, 4096, "FILE",          \
			"YAML file with bridges: and ports:, or - for standard input"              \
	}

static const struct param apply_params[] = {
	FILE_PARAM,
	{"dry_run", PARAM_BOOL, 0, 0, 0, NULL, "only print what would change"},
	{"confirm", PARAM_DURATION, 0, 1, 3600, "TIME",
	 "go back unless `lanyard confirm` comes within this time"},
	{.name = NULL},
};
const struct method m_apply = {
	"apply",
	"apply",
	"Make the hand-made configuration equal to a file",
	apply_params,
	METHOD_LOCAL,
	"Bridges and ports that are not in the file are deleted; labs are not touched. The plan is "
	"made before anything is changed, and what was changed is undone when a step fails.\n"
	"With --confirm, `lanyard confirm` saves it. The time runs on while the switch is upgraded, crashes or "
	"starts anew; a start of the machine goes back at once."};

static const struct param diff_params[] = {FILE_PARAM, {.name = NULL}};
const struct method m_diff = {
	"diff",	     "diff",	   "Show what apply would change; exit code 1 if anything",
	diff_params, METHOD_LOCAL, NULL};

int show_config_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	json_t *items = NULL, *item, *document;
	size_t i;
	int rc = cli_call_all(cli, "config.list", NULL, &items, err);

	if (rc)
		return rc;
	document = json_pack("{s{}s{}}", "bridges", "ports");
	json_array_foreach (items, i, item) {
		const char *section = json_string_value(json_object_get(item, "section"));
		const char *name = json_string_value(json_object_get(item, "name"));

		if (section && name)
			json_object_set(json_object_get(document, section), name,
					json_object_get(item, "settings"));
	}
	json_decref(items);
	*result = document;
	return EXIT_DONE;
}

void show_config_print(struct cli *cli, const json_t *params, const json_t *result)
{
	document_write(stdout, result);
}

static int file_load(const char *path, struct yaml_doc **doc, struct err *err)
{
	bool is_stdin = !strcmp(path, "-");
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return err_set(err, -errno, "cannot open \"%s\": %s", path, strerror(errno));
	rc = yaml_load_fd(fd, is_stdin ? "standard input" : path, doc, err);
	if (!is_stdin)
		close(fd);
	return rc;
}

/* True for a lab file, which is the launcher's to compare. */
static bool is_lab(const struct yaml_doc *doc)
{
	static const char *const keys[] = {"name", "vms", "links", "checks"};

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (yaml_get(yaml_root(doc), keys[i]))
			return true;
	return false;
}

/* Sends the file's document. The plan comes back. */
static int send_document(struct cli *cli, const struct yaml_doc *doc, bool dry_run,
			 const json_t *confirm, json_t **result, struct err *err)
{
	json_t *document = NULL, *call;
	int rc;

	if (is_lab(doc)) {
		err_set(err, -EINVAL, "the file is a lab, and this is for what is made by hand");
		err_hint(err, "`lanyard up FILE` takes a lab");
		return EXIT_USAGE;
	}
	rc = document_read(doc, &document, err);
	if (rc < 0)
		return cli_exit_code(rc);
	call = json_pack("{sosb}", "document", document, "dry_run", dry_run);
	if (confirm)
		json_object_set(call, "confirm", (json_t *)confirm);
	return cli_call(cli, &m_config_apply, call, result, err);
}

int apply_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	struct yaml_doc *doc = NULL;
	int rc = file_load(json_string_value(json_object_get(params, "file")), &doc, err);

	if (rc < 0)
		return cli_exit_code(rc);
	rc = send_document(cli, doc, json_is_true(json_object_get(params, "dry_run")),
			   json_object_get(params, "confirm"), result, err);
	yaml_doc_free(doc);
	return rc;
}

int rollback_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	if (json_is_true(json_object_get(params, "list")))
		return cli_call(cli, &m_config_generations, NULL, result, err);
	return cli_call(cli, &m_config_rollback, cli_params(&m_config_rollback, params), result, err);
}

static void generations_print(const json_t *list)
{
	const json_t *one, *change;
	size_t i, k;

	if (!json_array_size(list))
		puts("nothing to go back to");
	json_array_foreach (list, i, one) {
		time_t saved = (time_t)json_integer_value(json_object_get(one, "saved"));
		char when[32] = "";
		struct tm tm;

		if (localtime_r(&saved, &tm))
			strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		printf("%lld  saved %s; changed since:", (long long)json_integer_value(json_object_get(one, "n")), when);
		json_array_foreach (json_object_get(one, "changes"), k, change)
			printf("%s %s", k ? "," : "", json_string_value(change));
		putchar('\n');
	}
}

int diff_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	const struct cli_command *lab = command_by_words(lab_commands, "diff");
	struct yaml_doc *doc = NULL;
	int rc = file_load(json_string_value(json_object_get(params, "file")), &doc, err);

	if (rc < 0)
		return cli_exit_code(rc);
	if (lab && is_lab(doc))
		rc = cli_carry_out(cli, lab, params, result, err);
	else
		rc = send_document(cli, doc, true, NULL, result, err);
	yaml_doc_free(doc);
	if (rc == EXIT_DONE && json_integer_value(json_object_get(*result, "n_changes")))
		rc = EXIT_CHECK_FAILED;
	return rc;
}

/* "10", "none" */
static void value_print(const char *key, const json_t *value)
{
	uint64_t set[VLAN_SET_WORDS];
	char vids[16384], *text;

	/* As it is written: 10,20-29. */
	if (value && !strcmp(key, "trunk") && vids_from_json(value, set, NULL) == 0) {
		fputs(vids_to_text(set, vids, sizeof(vids)), stdout);
		return;
	}
	text = value && !json_is_string(value)
		       ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))
		       : NULL;
	fputs(text ? text : value ? json_string_value(value) : "none", stdout);
	free(text);
}

/* "access 10 -> 11, mtu 9000 -> none": of an object that stays, only what does not. */
static void change_print(const json_t *was, const json_t *will)
{
	const json_t *both[2] = {was, will};
	const char *key, *separator = ": ";
	json_t *value;

	for (unsigned i = 0; i < 2; i++)
		json_object_foreach ((json_t *)both[i], key, value) {
			const json_t *old = json_object_get(was, key), *new = json_object_get(will, key);

			/* Those that both have were told with the first. */
			if ((i && old) || (old && new && json_equal(old, new)))
				continue;
			printf("%s%s ", separator, key);
			value_print(key, old);
			fputs(" -> ", stdout);
			value_print(key, new);
			separator = ", ";
		}
}

static void settings_print(const json_t *settings)
{
	char *text = settings ? json_dumps(settings, JSON_SORT_KEYS | JSON_REAL_PRECISION(15)) : NULL;

	if (text)
		printf(" %s", text);
	free(text);
}

void plan_print(struct cli *cli, const json_t *params, const json_t *result)
{
	json_t *plan = json_object_get(result, "plan"), *step;
	json_int_t n = json_integer_value(json_object_get(result, "n_changes"));
	size_t i;

	if (json_object_get(result, "generations")) {
		generations_print(json_object_get(result, "generations"));
		return;
	}
	json_array_foreach (plan, i, step) {
		const char *what = json_string_value(json_object_get(step, "do"));
		const char *sign = !what ? "?" : what[0] == 'a' ? "+" : what[0] == 'd' ? "-" : "~";

		printf("%s %s %s", sign, json_string_value(json_object_get(step, "kind")),
		       json_string_value(json_object_get(step, "name")));
		if (json_object_get(step, "was") && json_object_get(step, "settings"))
			change_print(json_object_get(step, "was"), json_object_get(step, "settings"));
		else
			settings_print(json_object_get(step, "settings"));
		putchar('\n');
	}
	if ((size_t)n > json_array_size(plan))
		printf("and %lld more\n", (long long)n - (long long)json_array_size(plan));
	if (!n)
		puts("nothing to change");
	if (json_is_number(json_object_get(result, "confirm_s")))
		printf("goes back in %g s unless `lanyard confirm` comes\n",
		       json_number_value(json_object_get(result, "confirm_s")));
}
