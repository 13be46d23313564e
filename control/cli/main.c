/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard: the command line.
 *
 * How      Words find a row of the tables, the row reads the rest; the command's run(), or
 *          the daemon by the row's rpc name, does the work; print() or --json shows it.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/std_fds.h"
#include "control/cli/call.h"
#include "control/cli/command.h"
#include "control/cli/commands.h"
#include "control/cli/reference.h"
#include "control/rpc/args.h"
#include "control/rpc/dirs.h"
#include "control/rpc/help.h"

#define DUMP_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(15))

const struct param common_params[] = {
	{"json", PARAM_BOOL, 0, 0, 0, NULL, "print the result as one JSON document"},
	{"run_dir", PARAM_STRING, 0, 1, 4096, "DIR", "folder of sockets"},
	{"state_dir", PARAM_STRING, 0, 1, 4096, "DIR", "folder of what is saved"},
	{"help", PARAM_BOOL, 0, 0, 0, NULL, "explain the command"},
	{"version", PARAM_BOOL, 0, 0, 0, NULL, "print the version"},
	{.name = NULL},
};

/* One command line. */
struct line {
	struct command_match match;
	json_t *own, *common;
};

static bool has(const json_t *values, const char *name)
{
	return json_object_get(values, name) != NULL;
}

/* Finds the command; options of every command may stand between its words. Returns how many words
 * it took, or -EINVAL. */
static int line_command(struct line *l, int n_words, char *const *words, struct err *err)
{
	struct args common = {NULL, common_params, NULL, l->common};
	int i = 0;

	while (i < n_words) {
		int rc;

		if (args_is_option(words[i])) {
			if (l->match.command)
				break;
			rc = args_option(&common, n_words - i, words + i, err);
		} else {
			rc = command_match_word(&l->match, words[i], err);
			if (rc == 0 && !l->match.command && !has(l->common, "help"))
				return command_unknown(&l->match, words[i], err);
			if (rc == 0)
				break;
		}
		if (rc < 0)
			return rc;
		i += rc;
	}
	return i;
}

static int line_parse(struct line *l, int n_words, char *const *words, struct err *err)
{
	struct args args = {NULL, common_params, l->own, l->common};
	int taken = line_command(l, n_words, words, err), rc;

	if (taken < 0)
		return taken;
	if (!l->match.command) {
		if (l->match.depth && !has(l->common, "help"))
			return command_unknown(&l->match, NULL, err);
		return 0;
	}
	args.own = l->match.command->method->params;
	rc = args_parse(&args, n_words - taken, words + taken, err);
	if (rc == 0 && !has(l->common, "help") && !has(l->common, "version"))
		rc = args_missing(&args, err);
	if (rc < 0 && !err->hint[0])
		err_hint(err, "lanyard %s --help", l->match.taken);
	return rc;
}

/* True when --json was asked for, also where the rest of the line could not be read. */
static bool wants_json(const struct line *l, int n_words, char *const *words)
{
	for (int i = 0; i < n_words && strcmp(words[i], "--"); i++)
		if (!strcmp(words[i], "--json"))
			return true;
	return has(l->common, "json");
}

static void error_print(const struct cli *cli, const struct err *err, json_t *result)
{
	json_t *error;

	fprintf(stderr, "lanyard: %s%s%s\n", err->text, err->hint[0] ? "; " : "", err->hint);
	if (!cli->json)
		return;
	error = json_pack("{siss?ss?}", "code", err->code, "message", err->text, "hint",
			  err->hint[0] ? err->hint : NULL);
	if (!error)
		error = json_pack("{siss}", "code", err->code, "message", "failed");
	/* One document on stdout: what there is of a result, and why there is no more. */
	if (json_is_object(result)) {
		json_object_set_new(result, "error", error);
		return;
	}
	error = json_pack("{so}", "error", error);
	json_dumpf(error, stdout,
		   cli->stream ? JSON_COMPACT | JSON_REAL_PRECISION(15) : DUMP_FLAGS);
	putchar('\n');
	json_decref(error);
}

static int carry_out(struct cli *cli, const struct line *l)
{
	const struct cli_command *c = l->match.command;
	struct err err = ERR_NONE;
	json_t *result = NULL;
	int code;

	if (!c)
		c = command_by_words(NULL, "status");
	if (method_check(c->method, l->own, &err) < 0) {
		error_print(cli, &err, NULL);
		return EXIT_USAGE;
	}
	code = cli_carry_out(cli, c, l->own, &result, &err);
	if (code && err.text[0])
		error_print(cli, &err, result);
	if (result && cli->json) {
		json_dumpf(result, stdout, DUMP_FLAGS | JSON_ENCODE_ANY);
		putchar('\n');
	} else if (result && c->print) {
		c->print(cli, l->own, result);
	}
	json_decref(result);
	return code;
}

static int show_help(const struct line *l)
{
	if (l->match.command)
		help_method(stdout, "lanyard", l->match.command->method, common_params);
	else
		reference_overview(&l->match);
	return EXIT_DONE;
}

/* `help WORDS` is `WORDS --help`. */
static void help_word(int n_words, char **words)
{
	static char option[] = "--help";

	if (!n_words || strcmp(words[0], "help"))
		return;
	memmove(words, words + 1, (size_t)(n_words - 1) * sizeof(*words));
	words[n_words - 1] = option;
}

static int run(struct cli *cli, struct line *l, int n_words, char *const *words)
{
	static char run_dir[PATH_MAX], state_dir[PATH_MAX];
	struct err err = ERR_NONE;
	int rc = line_parse(l, n_words, words, &err);

	cli->json = wants_json(l, n_words, words);
	if (rc == 0)
		rc = dir_run(json_string_value(json_object_get(l->common, "run_dir")), run_dir,
			     sizeof(run_dir), &err);
	if (rc == 0)
		rc = dir_state(json_string_value(json_object_get(l->common, "state_dir")),
			       state_dir, sizeof(state_dir), &err);
	if (rc < 0) {
		error_print(cli, &err, NULL);
		return EXIT_USAGE;
	}
	cli->run_dir = run_dir;
	cli->state_dir = state_dir;
	if (has(l->common, "help"))
		return show_help(l);
	if (has(l->common, "version")) {
		puts("lanyard " LANYARD_VERSION);
		return EXIT_DONE;
	}
	return carry_out(cli, l);
}

/* For bash completion, which has no options to give. */
static int complete(struct cli *cli, int n_words, char *const *words)
{
	static char run_dir[PATH_MAX], state_dir[PATH_MAX];

	if (dir_run(NULL, run_dir, sizeof(run_dir), NULL) < 0 ||
	    dir_state(NULL, state_dir, sizeof(state_dir), NULL) < 0)
		return EXIT_CHECK_FAILED;
	cli->run_dir = run_dir;
	cli->state_dir = state_dir;
	reference_complete(cli, n_words, words);
	return EXIT_DONE;
}

/* A reader that has gone, as in `| head`, wants no complaint. After a flush that failed earlier its reason is lost, but a
 * pipe without a reader shows. */
static bool reader_has_gone(int error)
{
	struct pollfd p = {.fd = STDOUT_FILENO};

	return error == EPIPE || (!error && poll(&p, 1, 0) > 0 && (p.revents & POLLERR));
}

/* The exit code, once all is written. */
static int output_end(const struct cli *cli, int code)
{
	bool failed = ferror(stdout);
	int error = -cli->unwritten;

	if (fflush(stdout) == EOF && !error)
		error = errno;
	failed |= error != 0;
	if (failed && !reader_has_gone(error))
		fprintf(stderr, "lanyard: the output cannot be written%s%s\n", error ? ": " : "",
			error ? strerror(error) : "");
	if (!failed || code != EXIT_DONE)
		return code;
	return cli->unwritten ? EXIT_EXEC_FAILED : EXIT_CHECK_FAILED;
}

int main(int argc, char **argv)
{
	struct cli cli = {.argv0 = argv[0]};
	struct line l = {.own = json_object(), .common = json_object()};
	int code;

	std_fds_fill();
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "__man")) {
		reference_man();
		code = EXIT_DONE;
	} else if (argc > 1 && !strcmp(argv[1], "__complete")) {
		code = complete(&cli, argc - 2, argv + 2);
	} else {
		help_word(argc - 1, argv + 1);
		code = run(&cli, &l, argc - 1, argv + 1);
	}
	json_decref(l.own);
	json_decref(l.common);
	return output_end(&cli, code);
}
