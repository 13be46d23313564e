/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/help.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/role.h"

#define COLUMNS	    80
#define TEXT_COLUMN 26 /* where explanations begin */
#define WORDS_MAX   160

static bool is_hidden(const struct param *p)
{
	return !p->help || (p->flags & PARAM_JSON_ONLY);
}

static bool is_positional(const struct param *p)
{
	return (p->flags & PARAM_POSITIONAL) || p->type == PARAM_REST;
}

/* "--ageing TIME", "P", "-- CMD…", "KEY=VALUE…" */
static char *words_of(const struct param *p, char *buf, size_t size)
{
	char label[64];

	param_label(p, label, sizeof(label));
	if (p->type == PARAM_REST)
		snprintf(buf, size, "-- %s...", p->arg ? p->arg : "WORD");
	else if (p->flags & PARAM_POSITIONAL)
		snprintf(buf, size, "%s%s", label,
			 p->type == PARAM_LIST || p->type == PARAM_PAIRS ? "..." : "");
	else if (p->type == PARAM_BOOL)
		snprintf(buf, size, "%s", label);
	else
		snprintf(buf, size, "%s %s%s", label, p->arg ? p->arg : "VALUE",
			 p->type == PARAM_LIST ? " ..." : "");
	return buf;
}

/* Puts one piece on the line, or on a new one that is indented. */
static void piece(FILE *f, size_t *column, const char *text)
{
	size_t len = strlen(text);

	if (*column + 1 + len > COLUMNS) {
		fputs("\n       ", f);
		*column = 7;
	}
	*column += len + 1;
	fprintf(f, " %s", text);
}

static void pieces(FILE *f, size_t *column, const struct param *rows, bool positional)
{
	char words[WORDS_MAX], text[WORDS_MAX + 2];

	for (const struct param *p = rows; p && p->name; p++) {
		if (is_hidden(p) || is_positional(p) != positional)
			continue;
		words_of(p, words, sizeof(words));
		snprintf(text, sizeof(text), p->flags & PARAM_REQUIRED ? "%s" : "[%s]", words);
		piece(f, column, text);
	}
}

/* "lanyard port add P --bridge BR …" wrapped at 80 columns, on one or more lines. */
static void help_usage(FILE *f, const char *prog, const struct method *m)
{
	size_t column = strlen("Usage: ") + (prog ? strlen(prog) + 1 : 0) + strlen(m->words);

	fprintf(f, "%s%s%s", prog ? prog : "", prog ? " " : "", m->words);
	pieces(f, &column, m->params, true);
	pieces(f, &column, m->params, false);
	fputc('\n', f);
}

/* text wrapped, beginning at column at, further lines indented by indent. */
static void wrap(FILE *f, const char *text, size_t at, size_t indent)
{
	while (*text) {
		size_t len = strcspn(text, " \n");

		if (at > indent && at + 1 + len > COLUMNS) {
			fprintf(f, "\n%*s", (int)indent, "");
			at = indent;
		}
		at += (size_t)fprintf(f, "%s%.*s", at > indent ? " " : "", (int)len, text);
		text += len;
		if (*text == '\n') {
			fprintf(f, "\n%*s", (int)indent, "");
			at = indent;
		}
		text += *text != '\0';
	}
	fputc('\n', f);
}

static void options(FILE *f, const struct param *rows, bool positional, const char *title)
{
	char words[WORDS_MAX];

	for (const struct param *p = rows; p && p->name; p++) {
		int n;

		if (is_hidden(p) || is_positional(p) != positional)
			continue;
		if (title)
			fprintf(f, "\n%s:\n", title);
		title = NULL;
		n = fprintf(f, "  %s", words_of(p, words, sizeof(words)));
		if (n >= TEXT_COLUMN - 1)
			fprintf(f, "\n%*s", TEXT_COLUMN, "");
		else
			fprintf(f, "%*s", TEXT_COLUMN - n, "");
		wrap(f, p->help, TEXT_COLUMN, TEXT_COLUMN);
	}
}

void help_method(FILE *f, const char *prog, const struct method *m, const struct param *common)
{
	fputs("Usage: ", f);
	help_usage(f, prog, m);
	fprintf(f, "\n%s.\n", m->summary);
	options(f, m->params, true, "Arguments");
	options(f, m->params, false, "Options");
	options(f, common, false, "Options of every command");
	if (m->details) {
		fputc('\n', f);
		wrap(f, m->details, 0, 0);
	}
}

/* ---- man pages ---- */

void man_text(FILE *f, const char *text)
{
	bool line_start = true;

	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			fputs("\\&", f);
		line_start = false;
		if (*text == '\\')
			fputs("\\e", f);
		else if (*text == '-')
			fputs("\\-", f);
		else if (*text == '`')
			fputs("\\(oq", f);
		else if (*text == '\n') {
			fputs("\n.PP\n", f);
			line_start = true;
		} else
			fputc(*text, f);
		/* BR[,access=10][,trunk=10,20-29] is one word, and longer than a line: here it may be broken. */
		if ((*text == ',' && text[1] && !strchr(" \n", text[1])) || (*text == ']' && text[1] == '['))
			fputs("\\:", f);
	}
	fputc('\n', f);
}

void man_params(FILE *f, const struct param *rows)
{
	char words[WORDS_MAX];

	for (const struct param *p = rows; p && p->name; p++) {
		if (is_hidden(p))
			continue;
		fputs(".TP\n.B ", f);
		man_text(f, words_of(p, words, sizeof(words)));
		man_text(f, p->help);
	}
}

void man_method(FILE *f, const char *prog, const struct method *m)
{
	char *usage = NULL;
	size_t size;
	FILE *text = open_memstream(&usage, &size);

	fputs(".SS ", f);
	man_text(f, m->words);
	fputs(".nf\n", f);
	if (text) {
		help_usage(text, prog, m);
		fclose(text);
		for (char *line = usage, *end; *line; line = end + 1) {
			end = strchr(line, '\n');
			*end = '\0';
			man_text(f, line);
		}
	}
	free(usage);
	fputs(".fi\n.PP\n", f);
	fprintf(f, "%s.\n", m->summary);
	man_params(f, m->params);
	if (m->details) {
		fputs(".PP\n", f);
		man_text(f, m->details);
	}
	if (role_needed(m) < ROLE_ADMIN)
		fprintf(f, ".PP\nNeeds no more than the role\n.BR %s .\n", role_name(role_needed(m)));
}

void man_head(FILE *f, const char *name, unsigned section, const char *summary)
{
	fprintf(f, ".TH %s %u \"\" \"Lanyard " LANYARD_VERSION "\" \"Lanyard\"\n", name, section);
	fputs(".nh\n.SH NAME\n", f);
	man_text(f, name);
	fputs("\\- ", f);
	man_text(f, summary);
}

void man_program(FILE *f, const char *name, unsigned section, const struct method *m)
{
	char words[WORDS_MAX];

	man_head(f, name, section, m->summary);
	fprintf(f, ".SH SYNOPSIS\n.B %s\n", name);
	for (const struct param *p = m->params; p && p->name; p++)
		if (!is_hidden(p)) {
			fputc('[', f);
			words_of(p, words, sizeof(words));
			strncat(words, "]", sizeof(words) - strlen(words) - 1);
			man_text(f, words);
		}
	if (m->details) {
		fputs(".SH DESCRIPTION\n", f);
		man_text(f, m->details);
	}
	fputs(".SH OPTIONS\n", f);
	man_params(f, m->params);
	fputs(".SH SEE ALSO\n", f);
	man_text(f, section == 8 ? "lanyard(1)" : "lanyard-switch(8)");
}
