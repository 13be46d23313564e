/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands of the CLI: a method's row, how its result is printed for people, and
 * for METHOD_LOCAL rows the work itself.
 *
 * How      `lanyard` gathers the tables of its folders (switch commands, VMs, labs) in
 *          control/cli/main.c. A row without run() is sent to the daemon as it is.
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_COMMAND_H
#define CONTROL_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "control/rpc/client.h"
#include "control/rpc/method.h"

/* Exit codes of cli.md. */
enum cli_exit {
	EXIT_DONE = 0,
	EXIT_CHECK_FAILED = 1, /* also any other failure */
	EXIT_USAGE = 2,
	EXIT_NOT_READY = 3,
	EXIT_NO_RESOURCES = 4,
	EXIT_NOT_RUNNING = 5,
	EXIT_EXEC_FAILED = 125,
};

/* One run of the CLI. */
struct cli {
	bool json;	       /* --json */
	bool stream;	       /* what is printed is one JSON object a line, an error too */
	const char *run_dir;   /* resolved as cli.md says */
	const char *state_dir; /* the same */
	const char *argv0;
	int unwritten; /* -errno: what `exec` did not get rid of of its command's output */
};

struct cli_command {
	const struct method *method;
	/*
	 * Does the work; NULL: call method->rpc in the daemon (paged ones stitched). params has
	 * been checked. Returns an exit code; with anything but 0 fill err, unless the reason has
	 * been printed. *result (may stay NULL) is printed as JSON with --json, else by print().
	 */
	int (*run)(struct cli *cli, const json_t *params, json_t **result, struct err *err);
	/* Prints the result for people on stdout; NULL: nothing to say on success. */
	void (*print)(struct cli *cli, const json_t *params, const json_t *result);
	/* Completes values: prints one candidate a line for params of this command; may be NULL. */
	void (*complete)(struct cli *cli, const char *param);
};

extern const struct cli_command switch_commands[]; /* control/cli/: ends with .method == NULL */
extern const struct cli_command vm_commands[];	   /* vm-launcher/ */
extern const struct cli_command lab_commands[];	   /* vm-launcher/ */

/* Connects to the daemon of cli->run_dir (falling back to /run/lanyard for non-root). 0 or -errno
 * with "the switch is not running" and how to start it; callers exit with EXIT_NOT_RUNNING. */
int cli_connect(struct cli *cli, struct rpc_client **out, struct err *err);

/* Maps a -errno or JSON-RPC code to an exit code. */
int cli_exit_code(int code);

#endif
