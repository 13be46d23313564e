/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard vm …: what is done to a VM that is there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/text_of.h"
#include "vm-launcher/console_log.h"
#include "vm-launcher/file.h"
#include "vm-launcher/listing.h"
#include "vm-launcher/switch_leave.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_commands.h"
#include "vm-launcher/vm_methods.h"
#include "vm-launcher/vm_path.h"
#include "vm-launcher/vm_store.h"

#define CALL_MS	      35000 /* vm.kill waits 30 s for the end of a QEMU that hangs in the kernel */
#define GRACE_MS      35000 /* what the supervisor adds to the time that it is given */
#define WAIT_FOR_S    60
#define MESSAGES_MAX  (256 * 1024)
#define LOG_MAX_BYTES (2 << 20)

#define VM_NAME                                                                                    \
	{                                                                                          \
		"name", PARAM_NAME, PARAM_POSITIONAL | PARAM_REQUIRED, 0, 0, "NAME", "the VM"      \
	}
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

static const struct param one_params[] = {VM_NAME, END};
static const struct param list_params[] = {
	{"lab", PARAM_STRING, 0, 1, 65, "LAB", "only those of this lab"},
	END,
};
static const struct param stop_params[] = {
	VM_NAME,
	{"within", PARAM_DURATION, 0, 0, 3600, "TIME", "insist after this time (30s)"},
	END,
};
static const struct param wait_params[] = {
	VM_NAME,
	{"for", PARAM_DURATION, 0, 0, 86400, "TIME", "at most so long (60s)"},
	{"until", PARAM_ENUM, 0, 0, 0, "ready|running|stopped", "what to wait for (ready)"},
	END,
};
static const struct param log_params[] = {
	VM_NAME,
	{"messages", PARAM_BOOL, 0, 0, 0, NULL,
	 "what QEMU and the supervisor said, instead of the console"},
	END,
};
static const struct param console_params[] = {
	VM_NAME,
	{"watch", PARAM_BOOL, 0, 0, 0, NULL, "only look: what is typed does not go to the guest"},
	END,
};
static const struct param exec_params[] = {
	VM_NAME,
	{"stdin", PARAM_BOOL, 0, 0, 0, NULL,
	 "read standard input to its end and give it to the program"},
	{"argv", PARAM_REST, PARAM_REQUIRED, 0, 0, "CMD", "the program and its arguments"},
	END,
};

int cmd_vm_exit(int rc)
{
	switch (rc) {
	case -ESRCH:
		return EXIT_NOT_RUNNING;
	case -ETIMEDOUT:
	case -EAGAIN: /* still starting */
		return EXIT_NOT_READY;
	default:
		return cli_exit_code(rc);
	}
}

static void warn(const char *text)
{
	fprintf(stderr, "lanyard: %s\n", text);
}

void cmd_vm_restore(struct cli *cli)
{
	vm_store_restore(cli->state_dir, cli->run_dir, warn);
}

int cmd_vm_name(struct cli *cli, const json_t *params, char full[VM_NAME_BYTES], struct err *err)
{
	cmd_vm_restore(cli);
	return vm_client_find(cli->run_dir, json_string_value(json_object_get(params, "name")),
			      full, err);
}

/* Prints names of VMs, one a line, to complete the parameter "name". */
static void name_complete(struct cli *cli, const char *param)
{
	json_t *list;

	cmd_vm_restore(cli);
	if (strcmp(param, "name") || vm_client_list(cli->run_dir, NULL, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < json_array_size(list); i++)
		puts(json_string_value(json_object_get(json_array_get(list, i), "name")));
	json_decref(list);
}

static int call(struct cli *cli, const json_t *params, const char *method, json_t *args,
		int timeout_ms, json_t **result, struct err *err)
{
	char full[VM_NAME_BYTES];
	int rc = cmd_vm_name(cli, params, full, err);

	if (rc < 0)
		json_decref(args);
	else
		rc = vm_client_call(cli->run_dir, full, method, args, timeout_ms, result, err);
	return rc < 0 ? cmd_vm_exit(rc) : EXIT_DONE;
}

/* A VM that is stopped already is what was asked for. */
static int stop(struct cli *cli, const json_t *params, const char *method, json_t *args,
		int timeout_ms, json_t **result, struct err *err)
{
	char full[VM_NAME_BYTES];
	int rc = call(cli, params, method, args, timeout_ms, result, err);

	if (rc != EXIT_NOT_RUNNING || cmd_vm_name(cli, params, full, err) < 0)
		return rc;
	rc = vm_client_status(cli->run_dir, full, result, err);
	return rc < 0 ? cmd_vm_exit(rc) : EXIT_DONE;
}

static int run_stop(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	const json_t *within = json_object_get(params, "within");
	double s = within ? json_number_value(within) : VM_STOP_WITHIN_S;

	return stop(cli, params, "vm.stop", json_pack("{s:f}", "within", s),
		    (int)(s * 1000) + GRACE_MS, result, err);
}

static int run_kill(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	char full[VM_NAME_BYTES];
	int rc = cmd_vm_name(cli, params, full, err);

	if (rc == 0)
		rc = vm_client_revive(cli->run_dir, full, err);
	if (rc < 0)
		return cmd_vm_exit(rc);
	if (rc > 0)
		fprintf(stderr, "lanyard: vm \"%s\": its supervisor did not answer and was replaced\n",
			full);
	return stop(cli, params, "vm.kill", NULL, CALL_MS, result, err);
}

static int run_reset(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	return call(cli, params, "vm.reset", NULL, CALL_MS, result, err);
}

static int run_pause(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	return call(cli, params, "vm.pause", NULL, CALL_MS, result, err);
}

static int run_resume(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	return call(cli, params, "vm.resume", NULL, CALL_MS, result, err);
}

static int run_wait(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	const json_t *limit = json_object_get(params, "for"),
		     *until = json_object_get(params, "until");
	double s = limit ? json_number_value(limit) : WAIT_FOR_S;
	json_t *args = json_pack("{s:f}", "for", s);

	if (until)
		json_object_set(args, "what", (json_t *)until);
	if (until && !strcmp(json_string_value(until), "stopped"))
		return stop(cli, params, "vm.wait", args, (int)(s * 1000) + GRACE_MS, result, err);
	return call(cli, params, "vm.wait", args, (int)(s * 1000) + GRACE_MS, result, err);
}

static int run_rm(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	struct switch_leave leave;
	char full[VM_NAME_BYTES];
	int rc = cmd_vm_name(cli, params, full, err);

	if (rc == 0) {
		switch_leave_begin(&leave, cli->run_dir, full);
		rc = vm_client_remove(cli->run_dir, cli->state_dir, full, err);
		switch_leave_end(&leave, cli->run_dir);
	}
	return rc < 0 ? cmd_vm_exit(rc) : EXIT_DONE;
}

static int run_list(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	int rc;

	cmd_vm_restore(cli);
	rc = vm_client_list(cli->run_dir, json_string_value(json_object_get(params, "lab")), result,
			    err);

	if (rc < 0)
		return cmd_vm_exit(rc);
	vm_links_add(cli, *result);
	return EXIT_DONE;
}

static void print_list(struct cli *cli, const json_t *params, const json_t *result)
{
	vm_list_print(result);
}

static int run_show(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	char full[VM_NAME_BYTES];
	json_t *one = NULL, *list;
	int rc = cmd_vm_name(cli, params, full, err);

	if (rc == 0)
		rc = vm_client_status(cli->run_dir, full, &one, err);
	if (rc < 0)
		return cmd_vm_exit(rc);
	list = json_pack("[O]", one);
	vm_links_add(cli, list);
	json_decref(list);
	*result = one;
	return EXIT_DONE;
}

static void print_show(struct cli *cli, const json_t *params, const json_t *result)
{
	const json_t *nics = json_object_get(result, "nics");

	printf("%s is %s%s%s\n", text_of(result, "name"), text_of(result, "state"),
	       text_of(result, "reason")[0] ? ": " : "", text_of(result, "reason"));
	if (json_is_true(json_object_get(result, "ready")))
		printf("  ready        after %.1f s\n",
		       json_number_value(json_object_get(result, "ready_s")));
	printf("  accelerator  %s: %s\n", text_of(result, "accel"),
	       text_of(result, "accel_reason"));
	if (text_of(result, "user")[0])
		printf("  user         %s%s%s\n", text_of(result, "user"), text_of(result, "user_reason")[0] ? ": " : "",
		       text_of(result, "user_reason"));
	printf("  processors   %lld\n",
	       (long long)json_integer_value(json_object_get(result, "cpus")));
	printf("  memory       %lld MiB\n",
	       (long long)json_integer_value(json_object_get(result, "memory_bytes")) >> 20);
	if (json_is_integer(json_object_get(result, "pid")))
		printf("  process      %lld\n",
		       (long long)json_integer_value(json_object_get(result, "pid")));
	printf("  switch       %s\n",
	       text_of(result, "switch")[0] ? text_of(result, "switch") : "-");
	for (size_t i = 0; i < json_array_size(nics); i++) {
		const json_t *nic = json_array_get(nics, i), *ips = json_object_get(nic, "ips");

		printf("  %-12s %s on %s, link %s", text_of(nic, "name"), text_of(nic, "mac"),
		       text_of(nic, "bridge")[0] ? text_of(nic, "bridge") : "QEMU's user network",
		       text_of(nic, "link"));
		for (size_t j = 0; j < json_array_size(ips); j++)
			printf(", %s", json_string_value(json_array_get(ips, j)));
		if (json_is_true(json_object_get(nic, "dhcp")))
			printf(", dhcp");
		if (text_of(nic, "gateway")[0])
			printf(", gateway %s", text_of(nic, "gateway"));
		putchar('\n');
	}
}

static int run_log(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	char full[VM_NAME_BYTES], id[VM_ID_BYTES], path[VM_FILE_BYTES], *text;
	size_t len;
	int rc = cmd_vm_name(cli, params, full, err);

	if (rc == 0) {
		vm_id(full, id);
		if (json_is_true(json_object_get(params, "messages"))) {
			rc = file_read_all(vm_path(path, cli->run_dir, id, "err"), MESSAGES_MAX,
					   &text, &len, err);
			if (rc == 0)
				text[console_log_clean(text, len)] = '\0';
		} else {
			rc = console_log_read(cli->run_dir, id, LOG_MAX_BYTES, &text, err);
		}
	}
	if (rc < 0)
		return cmd_vm_exit(rc);
	*result = json_pack("{s:s}", "text", text);
	free(text);
	return EXIT_DONE;
}

static void print_log(struct cli *cli, const json_t *params, const json_t *result)
{
	fputs(text_of(result, "text"), stdout);
}

#define ROW(symbol, rpc, words, summary, params)                                                   \
	static const struct method symbol = {rpc, words, summary, params, METHOD_LOCAL, NULL}

ROW(m_list, "vm.list", "vm list", "Show VMs", list_params);
ROW(m_show, "vm.status", "vm show", "Show one VM in full", one_params);
ROW(m_wait, "vm.wait", "vm wait", "Wait until a VM is ready: its agent answers", wait_params);
ROW(m_stop, "vm.stop", "vm stop", "Ask the guest to shut down, then insist", stop_params);
ROW(m_kill, "vm.kill", "vm kill", "Pull a VM's plug", one_params);
ROW(m_reset, "vm.reset", "vm reset", "Press a VM's reset button", one_params);
ROW(m_pause, "vm.pause", "vm pause", "Halt a VM's processors", one_params);
ROW(m_resume, "vm.resume", "vm resume", "Let a paused VM go on", one_params);
ROW(m_rm, "vm.rm", "vm rm", "Delete a VM that is stopped", one_params);
ROW(m_log, "vm.log", "vm log", "Print what a VM's console said", log_params);
ROW(m_console, "vm.console", "console", "Sit down at a VM's console", console_params);

static const struct method m_exec = {
	"vm.exec",
	"exec",
	"Run a command in a guest",
	exec_params,
	METHOD_LOCAL,
	"Ends with the command's own status; with 125 when Lanyard failed.\n"
	"What is piped in, up to 512 KiB, is the command's standard input: it is read to its end "
	"before the command starts."};

/* For doctor, which finds it by its name. */
static const struct method m_facts = {
	"vm.facts", NULL, "Findings about running VMs here", NULL, METHOD_LOCAL | METHOD_HIDDEN, NULL};

const struct cli_command vm_commands[] = {
	{&m_cli_vm_start, cmd_vm_start, NULL, NULL},
	{&m_stop, run_stop, NULL, name_complete},
	{&m_kill, run_kill, NULL, name_complete},
	{&m_reset, run_reset, NULL, name_complete},
	{&m_pause, run_pause, NULL, name_complete},
	{&m_resume, run_resume, NULL, name_complete},
	{&m_rm, run_rm, NULL, name_complete},
	{&m_list, run_list, print_list, NULL},
	{&m_show, run_show, print_show, name_complete},
	{&m_wait, run_wait, NULL, name_complete},
	{&m_log, run_log, print_log, name_complete},
	{&m_cli_nic_up, cmd_nic_up, NULL, cmd_nic_complete},
	{&m_cli_nic_down, cmd_nic_down, NULL, cmd_nic_complete},
	{&m_console, cmd_console, NULL, name_complete},
	{&m_exec, cmd_exec, cmd_exec_print, name_complete},
	{&m_facts, cmd_vm_facts, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};
