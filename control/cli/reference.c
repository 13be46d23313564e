/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/reference.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "control/rpc/args.h"
#include "control/rpc/event_kinds.h"
#include "control/rpc/help.h"

static bool overview_row(const struct cli_command *c, void *arg)
{
	const struct command_match *m = arg;
	size_t len = strlen(m->taken);

	if (!strncmp(c->method->words, m->taken, len) &&
	    (!len || c->method->words[len] == ' ' || !c->method->words[len]))
		printf("  %-18s %s\n", c->method->words, c->method->summary);
	return false;
}

void reference_overview(const struct command_match *m)
{
	if (!m->depth)
		puts("Usage: lanyard [OPTIONS] COMMAND ...\n\n"
		     "Without a command it shows the state of everything.\n"
		     "Commands may be cut short while they stay unambiguous; each has --help.\n\n"
		     "Commands:");
	else
		printf("Usage: lanyard %s COMMAND ...\n\nCommands; each has --help:\n", m->taken);
	commands_each(overview_row, (void *)m);
	if (m->depth)
		return;
	puts("\nOptions of every command:");
	for (const struct param *p = common_params; p->name; p++) {
		char label[64], words[96];

		param_label(p, label, sizeof(label));
		snprintf(words, sizeof(words), "%s%s%s", label, p->arg ? " " : "",
			 p->arg ? p->arg : "");
		printf("  %-18s %s\n", words, p->help);
	}
}

/* ---- man page ---- */

static bool man_row(const struct cli_command *c, void *arg)
{
	man_method(stdout, "lanyard", c->method);
	return false;
}

void reference_man(void)
{
	static const char *const exits[][2] = {
		{"0", "done"},
		{"1", "a check failed, or anything else did"},
		{"2", "wrong usage"},
		{"3", "not ready in time"},
		{"4", "refused for lack of resources"},
		{"5", "the switch or the VM is not running"},
		{"125", "exec: Lanyard itself failed; any other code is the command's own"},
	};

	man_head(stdout, "lanyard", 1, "control a virtual network for virtual machines");
	puts(".SH SYNOPSIS\n.B lanyard\n[OPTIONS] [COMMAND ...]\n.SH DESCRIPTION");
	man_text(stdout,
		 "Without a command it shows the state of everything. Commands and options may "
		 "be cut short while they stay unambiguous; options come before or after "
		 "other words. An error is one sentence on stderr.");
	puts(".SH OPTIONS");
	man_params(stdout, common_params);
	puts(".SH COMMANDS");
	commands_each(man_row, NULL);
	puts(".SH ROLES");
	man_text(stdout,
		 "Who may give the switch orders, and which, its administrator says with lanyard-switch --view, --operate "
		 "and --admin (lanyard-switch(8)). The role view is to look; operate is that, and to keep running what is "
		 "there; admin is everything, and what a command needs that names no role. Without such a list whoever "
		 "can write to the control socket is an admin. Root and the switch's own user always are.");
	puts(".SH EXIT STATUS");
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
		printf(".TP\n.B %s\n%s\n", exits[i][0], exits[i][1]);
	puts(".SH ENVIRONMENT\n.TP\n.B LANYARD_RUN_DIR\nas \\-\\-run\\-dir\n.TP\n"
	     ".B LANYARD_STATE_DIR\nas \\-\\-state\\-dir\n.SH SEE ALSO\nlanyard\\-switch(8)");
}

/* ---- completion ---- */

static void word_print(const char *word, void *arg)
{
	if (!strncmp(word, (const char *)arg, strlen((const char *)arg)))
		puts(word);
}

static void options_print(const struct param *rows, const char *typed)
{
	for (const struct param *p = rows; p && p->name; p++) {
		char label[64];

		if (!p->help || p->type == PARAM_REST ||
		    (p->flags & (PARAM_JSON_ONLY | PARAM_POSITIONAL)))
			continue;
		param_label(p, label, sizeof(label));
		if (!strncmp(label, typed, strlen(typed)))
			puts(label);
	}
}

/* "access=" and the others that the explanation of KEY=VALUE names. */
static void keys_print(const struct param *p)
{
	for (const char *at = p->help; (at = strchr(at, '=')); at++) {
		const char *begin = at;

		while (begin > p->help && (isalpha((unsigned char)begin[-1]) || begin[-1] == '-'))
			begin--;
		/* "mtu=none … take them away" has told them already. */
		if (begin < at && !isalpha((unsigned char)at[1]))
			printf("%.*s\n", (int)(at - begin) + 1, begin);
	}
}

static void value_print(struct cli *cli, const struct cli_command *c, const struct param *p)
{
	if (p->type == PARAM_ENUM)
		for (const char *at = p->arg; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
			printf("%.*s\n", (int)strcspn(at, "|"), at);
	else if (!strcmp(p->name, "type"))
		puts("vhost-user\ntap\nnat\nuplink\ndgram\nlink");
	else if (!strcmp(p->name, "guard"))
		puts("mac\nip\narp\ndhcp\nra\noff");
	else if (!strcmp(p->name, "kind"))
		for (const char *const *kind = event_kinds; *kind; kind++)
			puts(*kind);
	else if (p->type == PARAM_PAIRS)
		keys_print(p);
	else if (c->complete)
		c->complete(cli, p->name);
}

/* The row of an option that still wants its value, or NULL. */
static const struct param *option_open(const struct cli_command *c, const char *word)
{
	char name[64];

	if (word[0] != '-' || strchr(word, '='))
		return NULL;
	snprintf(name, sizeof(name), "%s", word + (word[1] == '-' ? 2 : 1));
	for (char *at = name; *at; at++)
		if (*at == '-')
			*at = '_';
	for (const struct param *p = c->method->params; p && p->name; p++)
		if (!strcmp(p->name, name) && p->type != PARAM_BOOL)
			return p;
	return NULL;
}

/* The positional that word number n of the command's own would be. */
static const struct param *positional(const struct cli_command *c, unsigned n)
{
	for (const struct param *p = c->method->params; p && p->name; p++) {
		if (!(p->flags & PARAM_POSITIONAL))
			continue;
		if (n == 0 || p->type == PARAM_LIST || p->type == PARAM_PAIRS)
			return p;
		n--;
	}
	return NULL;
}

void reference_complete(struct cli *cli, int n_words, char *const *words)
{
	const char *typed = n_words > 0 ? words[n_words - 1] : "";
	struct command_match m = {0};
	const struct param *open = NULL, *p;
	unsigned n_positional = 0;

	for (int i = 0; i < n_words - 1; i++) {
		if (open) {
			open = NULL;
			continue;
		}
		if (args_is_option(words[i])) {
			open = m.command ? option_open(m.command, words[i]) : NULL;
			continue;
		}
		if (n_positional || command_match_word(&m, words[i], NULL) <= 0)
			n_positional++;
	}
	if (open) {
		value_print(cli, m.command, open);
	} else if (typed[0] == '-') {
		options_print(m.command ? m.command->method->params : NULL, typed);
		options_print(common_params, typed);
	} else {
		if (!n_positional)
			command_next_words(&m, word_print, (void *)typed);
		p = m.command ? positional(m.command, n_positional) : NULL;
		if (p)
			value_print(cli, m.command, p);
	}
}
