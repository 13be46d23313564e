/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard exec NAME -- CMD: a program in the guest, its output here, its exit status ours.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-launcher/agent.h"
#include "vm-launcher/base64.h"
#include "vm-launcher/exec_input.h"
#include "vm-launcher/file.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_commands.h"

#define STATUS_NOT_FOUND 127			   /* as a shell has it */
#define CALL_MS		 (3600 * 1000 + 30 * 1000) /* the supervisor gives up after an hour */

/* A stream as text where it is text, and always as it came. */
static void add_stream(json_t *to, const char *name, const json_t *from)
{
	const char *encoded = json_string_value(from);
	char *data = NULL, key[32];
	size_t len = 0;
	json_t *text = NULL;

	if (encoded && base64_decode(encoded, &data, &len) == 0)
		text = json_stringn(data, len);
	free(data);
	json_object_set_new(to, name, text ? text : json_null());
	snprintf(key, sizeof(key), "%s_base64", name);
	json_object_set(to, key, (json_t *)from);
}

static int failed(int rc, const char *vm, const json_t *params, struct err *err)
{
	const char *command = json_string_value(json_array_get(json_object_get(params, "argv"), 0));

	/* The agent could not start it: that is the command's failure, not ours. */
	if (rc != -EIO || !strstr(err->text, "Failed to execute child process"))
		return EXIT_EXEC_FAILED;
	if (strstr(err->text, "No such file"))
		err_set(err, rc, "vm \"%s\": there is no command \"%.100s\" in the guest", vm,
			command ? command : "");
	return STATUS_NOT_FOUND;
}

/* {argv, input} for the supervisor, or NULL with the reason in err. */
static json_t *exec_args(const json_t *params, struct err *err)
{
	json_t *args = json_pack("{s:O}", "argv", json_object_get(params, "argv"));
	char *input = NULL;

	if (json_is_true(json_object_get(params, "stdin")) &&
	    exec_input_read(STDIN_FILENO, &input, err) < 0) {
		json_decref(args);
		return NULL;
	}
	if (input)
		json_object_set_new(args, "input", json_string(input));
	free(input);
	return args;
}

int cmd_exec(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	json_t *answer = NULL, *args;
	char full[VM_NAME_BYTES];
	int rc = cmd_vm_name(cli, params, full, err);

	if (rc < 0)
		return EXIT_EXEC_FAILED;
	args = exec_args(params, err);
	if (!args)
		return EXIT_EXEC_FAILED;
	rc = vm_client_call(cli->run_dir, full, "vm.exec", args, CALL_MS, &answer, err);
	if (rc < 0)
		return failed(rc, full, params, err);
	*result = json_pack("{s:O,s:O}", "status", json_object_get(answer, "status"), "truncated",
			    json_object_get(answer, "truncated"));
	add_stream(*result, "stdout", json_object_get(answer, "out"));
	add_stream(*result, "stderr", json_object_get(answer, "err"));
	json_decref(answer);
	rc = (int)json_integer_value(json_object_get(*result, "status"));
	/* What went to a file has not all come: not what a script takes for success. */
	return !rc && json_is_true(json_object_get(*result, "truncated")) ? EXIT_EXEC_FAILED : rc;
}

/* -errno where it has not all arrived. */
static int write_stream(int fd, const json_t *encoded)
{
	char *data;
	size_t len;
	int rc;

	if (base64_decode(json_string_value(encoded), &data, &len) < 0)
		return -EBADMSG;
	rc = file_write_fd(fd, data, len);
	free(data);
	return rc;
}

void cmd_exec_print(struct cli *cli, const json_t *params, const json_t *result)
{
	int rc;

	fflush(stdout);
	rc = write_stream(STDOUT_FILENO, json_object_get(result, "stdout_base64"));
	if (rc < 0 && rc != -EPIPE)
		cli->unwritten = rc;
	write_stream(STDERR_FILENO, json_object_get(result, "stderr_base64"));
	if (json_is_true(json_object_get(result, "truncated")))
		fprintf(stderr,
			"lanyard: the command's output was longer than the %d KiB of a stream that "
			"come through; the rest is cut off\n",
			AGENT_OUTPUT_MAX / 1024);
}
