/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard up, down, labs, check.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-launcher/lab_network.h"
#include "vm-launcher/lab_run.h"
#include "vm-launcher/listing.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_commands.h"

#define WAIT_S 120

#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}
#define LAB_NAME                                                                                   \
	{                                                                                          \
		"lab", PARAM_STRING, PARAM_POSITIONAL, 1, 65, "LAB", "the lab (the only one)"      \
	}

static const struct param up_params[] = {
	{"file", PARAM_STRING, PARAM_POSITIONAL | PARAM_REQUIRED, 1, 4095, "FILE",
	 "the lab's YAML"},
	{"wait", PARAM_DURATION, 0, 1, 86400, "TIME",
	 "give up when it is not ready by then (120s)"},
	END,
};
static const struct param lab_params[] = {LAB_NAME, END};
static const struct param check_params[] = {
	LAB_NAME,
	{"junit", PARAM_STRING, 0, 1, 4095, "FILE", "also write the results as JUnit XML"},
	END,
};

static int read_file(const char *file, struct lab *lab, struct err *err)
{
	struct yaml_doc *doc;
	int fd = open(file, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return err_set(err, -errno, "lab file \"%.200s\" cannot be read: %s", file,
			       strerror(errno));
	rc = yaml_load_fd(fd, file, &doc, err);
	close(fd);
	if (rc < 0)
		return rc;
	rc = lab_read(doc, lab, err);
	yaml_doc_free(doc);
	if (rc < 0)
		return rc;
	rc = lab_paths_from(lab, file, err);
	if (rc < 0)
		lab_free(lab);
	return rc;
}

static int run_up(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	const char *file = json_string_value(json_object_get(params, "file"));
	const json_t *wait = json_object_get(params, "wait");
	char *absolute = realpath(file, NULL);
	struct lab lab;
	json_t *vms = NULL;
	int rc = read_file(file, &lab, err);

	if (rc < 0) {
		free(absolute);
		return rc == -EINVAL ? EXIT_USAGE : cli_exit_code(rc);
	}
	rc = lab_up(cli, &lab, absolute ? absolute : file, wait ? json_number_value(wait) : WAIT_S,
		    err);
	if (rc == 0 && vm_client_list(cli->run_dir, lab.name, &vms, NULL) == 0) {
		vm_links_add(cli, vms);
		*result = json_pack("{s:s,s:o}", "name", lab.name, "vms", vms);
	}
	lab_free(&lab);
	free(absolute);
	return rc < 0 ? cmd_vm_exit(rc) : EXIT_DONE;
}

/* The lab that is named, or the only one. -ENOENT or -EINVAL. */
static int the_lab(struct cli *cli, const json_t *params, char *name, size_t size, struct err *err)
{
	const char *given = json_string_value(json_object_get(params, "lab"));
	json_t *labs;
	size_t n;

	if (given) {
		if (!name_is_lab(given))
			return err_set(err, -EINVAL, "lab \"%.70s\" is no name", given);
		snprintf(name, size, "%s", given);
		return 0;
	}
	lab_list_json(cli, &labs);
	n = json_array_size(labs);
	if (n == 1)
		snprintf(name, size, "%s",
			 json_string_value(json_object_get(json_array_get(labs, 0), "name")));
	json_decref(labs);
	if (n == 0) {
		err_set(err, -ENOENT, "no lab is up");
		return err_hint(err, "lanyard up FILE");
	}
	if (n > 1) {
		err_set(err, -EINVAL, "%zu labs are up: say which", n);
		return err_hint(err, "lanyard labs shows them");
	}
	return 0;
}

static int run_down(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	char name[80];
	int rc = the_lab(cli, params, name, sizeof(name), err);

	if (rc == 0)
		rc = lab_down(cli, name, err);
	if (rc < 0)
		return cmd_vm_exit(rc);
	*result = json_pack("{s:s}", "name", name);
	return EXIT_DONE;
}

static void print_down(struct cli *cli, const json_t *params, const json_t *result)
{
	printf("lab \"%s\" is down\n", json_string_value(json_object_get(result, "name")));
}

static int run_labs(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	return lab_list_json(cli, result) < 0 ? EXIT_CHECK_FAILED : EXIT_DONE;
}

static void print_labs(struct cli *cli, const json_t *params, const json_t *result)
{
	lab_list_print(result);
}

static int run_check(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	const char *junit = json_string_value(json_object_get(params, "junit"));
	json_t *doc = NULL, *results = NULL;
	char name[80];
	int rc = the_lab(cli, params, name, sizeof(name), err), failures;

	if (rc == 0)
		rc = lab_file_load(cli->run_dir, name, &doc, err);
	if (rc < 0)
		return cmd_vm_exit(rc);
	rc = failures = lab_check(cli, doc, &results, err);
	if (rc >= 0 && junit)
		rc = lab_check_junit(junit, name, results, err);
	json_decref(doc);
	if (rc < 0) {
		json_decref(results);
		return cmd_vm_exit(rc);
	}
	*result = json_pack("{s:s,s:i,s:o}", "lab", name, "failures", failures, "checks", results);
	return failures ? EXIT_CHECK_FAILED : EXIT_DONE;
}

static int run_status(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	json_t *doc = NULL, *vms = NULL;
	char name[80];
	int rc = the_lab(cli, params, name, sizeof(name), err);

	if (rc == 0)
		rc = lab_file_load(cli->run_dir, name, &doc, err);
	if (rc == 0)
		rc = vm_client_list(cli->run_dir, name, &vms, err);
	if (rc == 0) {
		vm_links_add(cli, vms);
		*result = json_pack("{s:s,s:O,s:o}", "name", name, "file",
				    json_object_get(doc, "file"), "vms", vms);
	}
	json_decref(doc);
	return rc < 0 ? cmd_vm_exit(rc) : EXIT_DONE;
}

static void print_status(struct cli *cli, const json_t *params, const json_t *result)
{
	printf("lab \"%s\" of %s\n\n", json_string_value(json_object_get(result, "name")),
	       json_string_value(json_object_get(result, "file")));
	vm_list_print(json_object_get(result, "vms"));
}

static void complete_lab(struct cli *cli, const char *param)
{
	json_t *labs;

	if (strcmp(param, "lab") || lab_list_json(cli, &labs) < 0)
		return;
	for (size_t i = 0; i < json_array_size(labs); i++)
		puts(json_string_value(json_object_get(json_array_get(labs, i), "name")));
	json_decref(labs);
}

static const struct method m_up = {
	"lab.up",
	"up",
	"Bring a lab up: its bridges, links and guests",
	up_params,
	METHOD_LOCAL,
	"The file is checked whole before anything is made. When a guest does not become ready, all is "
	"taken down again.",
};
static const struct method m_down = {
	"lab.down",
	"down",
	"Take a lab down with everything in it",
	lab_params,
	METHOD_LOCAL,
	"Guests without a disk are switched off; those with one are asked "
	"to shut down. Returns when a switch that was started for the lab, and that nobody else needs, has ended."};
static const struct method m_labs = {"lab.list", "labs",       "Show the labs that are up",
				     NULL,	 METHOD_LOCAL, NULL};
static const struct method m_check = {
	"lab.check",
	"check",
	"Check what must hold in a lab",
	check_params,
	METHOD_LOCAL,
	"Ends with status 1 when a check fails. A no-ping passes only if the sender's frames reached the "
	"switch and the target is proved alive.",
};

/* What `status LAB` shows; `status` itself is the CLI's. */
static const struct method m_status = {
	"lab.status", "status", "Show one lab", lab_params, METHOD_LOCAL | METHOD_HIDDEN, NULL};

const struct cli_command lab_commands[] = {
	{&m_up, run_up, NULL, NULL},
	{&m_down, run_down, print_down, complete_lab},
	{&m_labs, run_labs, print_labs, NULL},
	{&m_check, run_check, NULL, complete_lab},
	{&m_status, run_status, print_status, complete_lab},
	{NULL, NULL, NULL, NULL},
};
