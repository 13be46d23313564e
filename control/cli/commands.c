/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/rpc/suggest.h"

static const struct cli_command *const tables[] = {switch_commands, vm_commands, lab_commands};
#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

const struct cli_command *commands_each(bool (*fn)(const struct cli_command *c, void *arg),
					void *arg)
{
	for (size_t t = 0; t < N_TABLES; t++)
		for (const struct cli_command *c = tables[t]; c->method; c++)
			if (c->method->words && !(c->method->flags & METHOD_HIDDEN) && fn(c, arg))
				return c;
	return NULL;
}

const struct cli_command *command_by_words(const struct cli_command *table, const char *words)
{
	for (size_t t = 0; t < N_TABLES; t++)
		for (const struct cli_command *c = tables[t]; c->method; c++)
			if ((!table || table == tables[t]) && c->method->words &&
			    !strcmp(c->method->words, words))
				return c;
	return NULL;
}

const struct cli_command *command_by_rpc(const char *rpc)
{
	for (size_t t = 0; t < N_TABLES; t++)
		for (const struct cli_command *c = tables[t]; c->method; c++)
			if (c->method->rpc && !strcmp(c->method->rpc, rpc))
				return c;
	return NULL;
}

/* The word after `taken` in words; false when words do not begin with taken or end there. */
static bool word_after(const char *words, const char *taken, char *out, size_t size)
{
	size_t len = strlen(taken);

	if (strncmp(words, taken, len) || (len && words[len] != ' '))
		return false;
	words += len + (len ? 1 : 0);
	len = strcspn(words, " ");
	if (!len || len >= size)
		return false;
	memcpy(out, words, len);
	out[len] = '\0';
	return true;
}

/* The words that could come next, once each. */
struct next_words {
	const struct command_match *match;
	void (*fn)(const char *word, void *arg);
	void *arg;
	char seen[1024]; /* " a b c " */
};

static bool next_word(const struct cli_command *c, void *arg)
{
	struct next_words *n = arg;
	char word[32], spaced[40];
	size_t len = strlen(n->seen);

	if (!word_after(c->method->words, n->match->taken, word, sizeof(word)))
		return false;
	snprintf(spaced, sizeof(spaced), " %s ", word);
	if (strstr(n->seen, spaced))
		return false;
	snprintf(n->seen + len, sizeof(n->seen) - len, "%s%s ", len ? "" : " ", word);
	n->fn(word, n->arg);
	return false;
}

void command_next_words(const struct command_match *m, void (*fn)(const char *word, void *arg),
			void *arg)
{
	struct next_words n = {.match = m, .fn = fn, .arg = arg};

	commands_each(next_word, &n);
}

/* The search for the word that was typed, whole or cut short. */
struct word_search {
	const char *typed;
	char exact[32], prefix[32], all[256];
	unsigned n_prefixes;
};

static void word_offer(const char *word, void *arg)
{
	struct word_search *s = arg;
	size_t len = strlen(s->all);

	if (!strcmp(word, s->typed))
		snprintf(s->exact, sizeof(s->exact), "%s", word);
	if (strncmp(word, s->typed, strlen(s->typed)))
		return;
	s->n_prefixes++;
	snprintf(s->prefix, sizeof(s->prefix), "%s", word);
	snprintf(s->all + len, sizeof(s->all) - len, "%s%s", len ? ", " : "", word);
}

static bool is_whole(const struct cli_command *c, void *arg)
{
	return !strcmp(c->method->words, (const char *)arg);
}

int command_match_word(struct command_match *m, const char *word, struct err *err)
{
	struct word_search s = {.typed = word};
	size_t len = strlen(m->taken);
	const char *full;

	command_next_words(m, word_offer, &s);
	if (!s.exact[0] && s.n_prefixes > 1 && !m->command)
		return err_set(err, -EINVAL, "\"%s%s%.32s\" may be one of %s", m->taken,
			       len ? " " : "", word, s.all);
	full = s.exact[0] ? s.exact : s.prefix;
	if (!full[0] || (!s.exact[0] && s.n_prefixes > 1))
		return 0;
	snprintf(m->taken + len, sizeof(m->taken) - len, "%s%s", len ? " " : "", full);
	m->depth++;
	m->command = commands_each(is_whole, m->taken);
	return 1;
}

/* What could have been meant. */
struct advice {
	const char *typed;
	struct suggest near;
	char near_word[32], all[256];
};

static void advise(const char *word, void *arg)
{
	struct advice *a = arg;
	size_t len = strlen(a->all);
	const char *before = a->near.best;

	suggest_offer(&a->near, a->typed, word);
	if (a->near.best != before)
		snprintf(a->near_word, sizeof(a->near_word), "%s", word);
	snprintf(a->all + len, sizeof(a->all) - len, "%s%s", len ? ", " : "", word);
}

int command_unknown(const struct command_match *m, const char *word, struct err *err)
{
	struct advice a = {.typed = word ? word : ""};

	command_next_words(m, advise, &a);
	if (!word)
		err_set(err, -EINVAL, "%s wants one of %s", m->taken, a.all);
	else
		err_set(err, -EINVAL, "there is no command \"%s%s%.32s\"", m->taken,
			m->depth ? " " : "", word);
	if (word && a.near.best)
		err_hint(err, "did you mean \"%s%s%s\"?", m->taken, m->depth ? " " : "",
			 a.near_word);
	else if (word && m->depth)
		err_hint(err, "there is %s", a.all);
	else if (word)
		err_hint(err, "lanyard --help lists all commands");
	return -EINVAL;
}
