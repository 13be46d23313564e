/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/rpc/suggest.h"

#define NAME_MAX_LEN 48

bool args_is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

static bool is_option_row(const struct param *p)
{
	return !(p->flags & (PARAM_POSITIONAL | PARAM_JSON_ONLY)) && p->type != PARAM_REST &&
	       p->type != PARAM_JSON;
}

/* The search for one option among the rows. */
struct found {
	const struct param *exact, *prefix, *prefix2;
	struct suggest near;
};

static void search(const struct param *rows, const char *name, struct found *f)
{
	size_t len = strlen(name);

	for (const struct param *p = rows; p && p->name; p++) {
		if (!is_option_row(p))
			continue;
		if (!strcmp(p->name, name))
			f->exact = p;
		else if (len >= 1 && !strncmp(p->name, name, len)) {
			f->prefix2 = f->prefix;
			f->prefix = p;
		}
		suggest_offer(&f->near, name, p->name);
	}
}

/* word: as it was typed. */
static const struct param *option_find(const struct args *a, const char *name, const char *word, struct err *err)
{
	struct found f = {0};
	char label[64], label2[64];

	search(a->own, name, &f);
	search(a->common, name, &f);
	if (f.exact)
		return f.exact;
	if (f.prefix && !f.prefix2)
		return f.prefix;
	if (f.prefix) {
		err_set(err, -EINVAL, "%.*s may be %s or %s", (int)strcspn(word, "="), word,
			param_label(f.prefix2, label2, sizeof(label2)),
			param_label(f.prefix, label, sizeof(label)));
		return NULL;
	}
	err_set(err, -EINVAL, "there is no option %.*s", (int)strcspn(word, "="), word);
	if (f.near.best) {
		struct param p = {.name = f.near.best};

		err_hint(err, "did you mean %s?", param_label(&p, label, sizeof(label)));
	}
	return NULL;
}

static bool row_in(const struct param *rows, const struct param *p)
{
	for (const struct param *q = rows; q && q->name; q++)
		if (q == p)
			return true;
	return false;
}

/* Puts a value in its place; lists and pairs gather. value is stolen. */
static int put(const struct param *p, json_t *values, json_t *value, struct err *err)
{
	json_t *old = json_object_get(values, p->name);
	char label[64];
	int rc = 0;

	if (p->type == PARAM_LIST || p->type == PARAM_REST) {
		if (!old) {
			old = json_array();
			rc = json_object_set_new(values, p->name, old);
		}
		if (rc == 0)
			rc = json_array_append(old, value);
	} else if (old && p->type == PARAM_PAIRS) {
		rc = json_object_update(old, value);
	} else if (old) {
		rc = err_set(err, -EINVAL, "%s is given twice",
			     param_label(p, label, sizeof(label)));
		json_decref(value);
		return rc;
	} else {
		rc = json_object_set(values, p->name, value);
	}
	json_decref(value);
	return rc < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

/* "--max-macs=5" -> "max_macs", and the value or NULL. */
static int option_split(const char *word, char *name, size_t size, const char **value,
			struct err *err)
{
	const char *at = word + (word[1] == '-' ? 2 : 1), *eq = strchr(at, '=');
	size_t len = eq ? (size_t)(eq - at) : strlen(at);

	if (!len || len >= size || (word[1] != '-' && len > 1))
		return err_set(err, -EINVAL, "there is no option %.60s", word);
	memcpy(name, at, len);
	name[len] = '\0';
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	*value = eq ? eq + 1 : NULL;
	return 0;
}

int args_option(const struct args *a, int n_words, char *const *words, struct err *err)
{
	char name[NAME_MAX_LEN], label[64];
	const char *text = NULL;
	const struct param *p;
	json_t *value = NULL;
	int rc = option_split(words[0], name, sizeof(name), &text, err), used = 1;

	if (rc < 0)
		return rc;
	p = option_find(a, name, words[0], err);
	if (!p)
		return -EINVAL;
	if (!text && p->type == PARAM_BOOL) {
		value = json_true();
	} else {
		if (!text) {
			if (n_words < 2)
				return err_set(err, -EINVAL, "%s wants a value: %s %s",
					       param_label(p, label, sizeof(label)), label,
					       p->arg ? p->arg : "VALUE");
			text = words[1];
			used = 2;
		}
		rc = param_parse(p, text, &value, err);
		if (rc < 0)
			return rc;
	}
	rc = put(p, row_in(a->own, p) ? a->own_values : a->common_values, value, err);
	return rc < 0 ? rc : used;
}

/* The positional row that takes the next word, or NULL. */
static const struct param *positional_next(const struct args *a)
{
	for (const struct param *p = a->own; p && p->name; p++) {
		if (!(p->flags & PARAM_POSITIONAL) || p->type == PARAM_REST)
			continue;
		if (!json_object_get(a->own_values, p->name) || p->type == PARAM_LIST ||
		    p->type == PARAM_PAIRS)
			return p;
	}
	return NULL;
}

static const struct param *rest_row(const struct param *rows)
{
	for (const struct param *p = rows; p && p->name; p++)
		if (p->type == PARAM_REST)
			return p;
	return NULL;
}

static int word_put(const struct args *a, const struct param *p, const char *word, struct err *err)
{
	json_t *value;
	int rc = param_parse(p, word, &value, err);

	return rc < 0 ? rc : put(p, a->own_values, value, err);
}

int args_parse(const struct args *a, int n_words, char *const *words, struct err *err)
{
	const struct param *rest = rest_row(a->own);
	bool options = true;

	for (int i = 0; i < n_words;) {
		const struct param *p;
		int rc;

		if (options && !strcmp(words[i], "--")) {
			options = false;
			i++;
			continue;
		}
		if (options && args_is_option(words[i])) {
			rc = args_option(a, n_words - i, words + i, err);
			if (rc < 0)
				return rc;
			i += rc;
			continue;
		}
		p = !options && rest ? rest : positional_next(a);
		if (!p) {
			err_set(err, -EINVAL, "\"%.60s\" is one word too many", words[i]);
			if (rest)
				err_hint(err, "put -- before the command");
			return -EINVAL;
		}
		rc = word_put(a, p, words[i], err);
		if (rc < 0)
			return rc;
		i++;
	}
	return 0;
}

int args_missing(const struct args *a, struct err *err)
{
	for (const struct param *p = a->own; p && p->name; p++) {
		char label[64];

		if (!(p->flags & PARAM_REQUIRED) || (p->flags & PARAM_JSON_ONLY) ||
		    json_object_get(a->own_values, p->name))
			continue;
		if (p->type == PARAM_REST) {
			err_set(err, -EINVAL, "%s is missing: %s", p->arg ? p->arg : p->name,
				p->help ? p->help : "");
			return err_hint(err, "put -- before it");
		}
		param_label(p, label, sizeof(label));
		if (p->flags & PARAM_POSITIONAL)
			return err_set(err, -EINVAL, "%s is missing: %s", label,
				       p->help ? p->help : "");
		return err_set(err, -EINVAL, "%s %s is missing: %s", label, p->arg ? p->arg : "",
			       p->help ? p->help : "");
	}
	return 0;
}
