/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/method.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/vids.h"

#define STRING_MAX_BYTES 4096
#define LIST_MAX	 4096 /* elements; as many as there may be ports */

char *param_label(const struct param *p, char *buf, size_t size)
{
	if (p->flags & PARAM_POSITIONAL) {
		snprintf(buf, size, "%s", p->arg && p->type != PARAM_ENUM ? p->arg : p->name);
	} else {
		snprintf(buf, size, "%s%s", p->name[1] ? "--" : "-", p->name);
		for (char *c = buf; *c; c++)
			if (*c == '_')
				*c = '-';
	}
	return buf;
}

/* True when word is one of "a|b|c". */
static bool enum_has(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; at && *at;) {
		size_t n = strcspn(at, "|");

		if (n == len && !memcmp(at, word, n))
			return true;
		at += n + (at[n] == '|');
	}
	return false;
}

static bool mac_ok(const char *s)
{
	for (unsigned i = 0; i < 17; i++)
		if (i % 3 == 2 ? s[i] != ':' : !isxdigit((unsigned char)s[i]))
			return false;
	return !s[17];
}

static int check_range(const struct param *p, double value, const char *unit, struct err *err)
{
	if (!p->min && !p->max)
		return 0;
	if (value >= (double)p->min && value <= (double)p->max)
		return 0;
	if (p->max == INT64_MAX)
		return err_set(err, -EINVAL, "%.15g%s is less than %lld", value, unit, (long long)p->min);
	return err_set(err, -EINVAL, "%.15g%s is outside %lld-%lld", value, unit, (long long)p->min,
		       (long long)p->max);
}

/* "64M": the largest unit that loses nothing. */
static const char *size_text(int64_t bytes, char *buf, size_t size)
{
	static const char units[] = "KMGT";
	unsigned u = 0;

	while (u < sizeof(units) - 1 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		u++;
	}
	if (u)
		snprintf(buf, size, "%lld%c", (long long)bytes, units[u - 1]);
	else
		snprintf(buf, size, "%lld bytes", (long long)bytes);
	return buf;
}

static int check_size(const struct param *p, int64_t bytes, struct err *err)
{
	char value[32], min[32], max[32];

	if (bytes < 0)
		return err_set(err, -EINVAL, "must be a number of bytes");
	if ((!p->min && !p->max) || (bytes >= p->min && bytes <= p->max))
		return 0;
	return err_set(err, -EINVAL, "%s is outside %s-%s", size_text(bytes, value, sizeof(value)),
		       size_text(p->min, min, sizeof(min)), size_text(p->max, max, sizeof(max)));
}

static int check_text(const struct param *p, const json_t *v, struct err *err)
{
	const char *s = json_string_value(v);
	size_t max = p->max > 0 ? (size_t)p->max : STRING_MAX_BYTES;

	if (!s)
		return err_set(err, -EINVAL, "must be a text");
	if (!*s && p->min > 0)
		return err_set(err, -EINVAL, "is empty");
	if (json_string_length(v) > max || json_string_length(v) < (size_t)p->min)
		return err_set(err, -EINVAL, "has %zu bytes, outside %zu-%zu",
			       json_string_length(v), (size_t)p->min, max);
	for (; *s; s++)
		if ((unsigned char)*s < ' ' && *s != '\n' && *s != '\t')
			return err_set(err, -EINVAL, "has a control character");
	return 0;
}

static int check_word(const struct param *p, const json_t *v, struct err *err)
{
	const char *s = json_string_value(v);

	if (!s)
		return err_set(err, -EINVAL, "must be a text");
	switch (p->type) {
	case PARAM_NAME:
		if (name_is_object(s))
			return 0;
		err_set(err, -EINVAL, "\"%.100s\" is no name", s);
		err_hint(err, "names are up to 32 of a-z A-Z 0-9 _ -, with LAB/ before them "
			      "for an object of a lab");
		return -EINVAL;
	case PARAM_ENUM:
		if (enum_has(p->arg, s))
			return 0;
		return err_set(err, -EINVAL, "\"%.60s\" is none of %s", s, p->arg);
	default:
		if (mac_ok(s))
			return 0;
		return err_set(err, -EINVAL, "\"%.60s\" is no MAC address like 02:00:00:00:00:01",
			       s);
	}
}

static int check_number(const struct param *p, const json_t *v, struct err *err)
{
	if (p->type == PARAM_DURATION) {
		if (!json_is_number(v) || json_number_value(v) < 0 ||
		    !isfinite(json_number_value(v)))
			return err_set(err, -EINVAL, "must be a number of seconds");
		return check_range(p, json_number_value(v), " s", err);
	}
	if (!json_is_integer(v))
		return err_set(err, -EINVAL, "must be a whole number");
	if (p->type == PARAM_SIZE)
		return check_size(p, json_integer_value(v), err);
	return check_range(p, (double)json_integer_value(v), "", err);
}

static int check_texts(const json_t *v, struct err *err)
{
	static const struct param any = {.type = PARAM_STRING};
	size_t n = json_array_size(v);

	if (!json_is_array(v) || n > LIST_MAX)
		return err_set(err, -EINVAL, "must be a list of at most %d texts", LIST_MAX);
	for (size_t i = 0; i < n; i++)
		if (check_text(&any, json_array_get(v, i), err) < 0)
			return -EINVAL;
	return 0;
}

static int check_pairs(const json_t *v, struct err *err)
{
	static const struct param any = {.type = PARAM_STRING};
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		return err_set(err, -EINVAL, "must be an object of texts");
	json_object_foreach ((json_t *)v, key, value)
		if (check_text(&any, value, err) < 0) {
			err_prefix(err, "%.64s", key);
			return -EINVAL;
		}
	return 0;
}

int param_check(const struct param *p, const json_t *v, struct err *err)
{
	uint64_t set[VLAN_SET_WORDS];

	switch (p->type) {
	case PARAM_STRING:
		return check_text(p, v, err);
	case PARAM_NAME:
	case PARAM_ENUM:
	case PARAM_MAC:
		return check_word(p, v, err);
	case PARAM_INT:
	case PARAM_DURATION:
	case PARAM_SIZE:
		return check_number(p, v, err);
	case PARAM_BOOL:
		return json_is_boolean(v) ? 0 : err_set(err, -EINVAL, "must be true or false");
	case PARAM_VIDS:
		return vids_from_json(v, set, err);
	case PARAM_LIST:
	case PARAM_REST:
		return check_texts(v, err);
	case PARAM_PAIRS:
		return check_pairs(v, err);
	case PARAM_JSON:
		return 0;
	}
	return err_set(err, -EINVAL, "is of an unknown type");
}

static int parse_int(const char *text, json_t **out, struct err *err)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || *end || isspace((unsigned char)*text))
		return err_set(err, -EINVAL, "\"%.60s\" is no whole number", text);
	*out = json_integer(n);
	return 0;
}

static int parse_duration(const char *text, json_t **out, struct err *err)
{
	static const struct {
		const char *unit;
		double s;
	} units[] = {{"", 1}, {"s", 1}, {"ms", 0.001}, {"m", 60}, {"min", 60}, {"h", 3600}};
	char *end;
	double n;

	n = strtod(text, &end);
	if (end != text && isdigit((unsigned char)*text) && isfinite(n))
		for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (!strcmp(end, units[i].unit)) {
				n *= units[i].s;
				/* Whole seconds as an integer: that is how people read them back.
				 */
				*out = n == floor(n) && n < 1e9 ? json_integer((json_int_t)n)
								: json_real(n);
				return 0;
			}
	return err_set(err, -EINVAL, "\"%.60s\" is no duration like 300s, 10m or 500ms", text);
}

static int parse_size(const char *text, json_t **out, struct err *err)
{
	static const char units[] = "KMGT";
	char *end;
	unsigned long long n;
	const char *unit;
	unsigned shift = 0;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (!errno && end != text && isdigit((unsigned char)*text)) {
		unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
		if (unit) {
			shift = 10 * (unsigned)(unit - units + 1);
			end++;
			if (!strcmp(end, "iB") || !strcmp(end, "B"))
				end = strchr(end, '\0');
		}
		if (!*end && n <= (unsigned long long)INT64_MAX >> shift) {
			*out = json_integer((json_int_t)(n << shift));
			return 0;
		}
	}
	return err_set(err, -EINVAL, "\"%.60s\" is no size like 512M or 1G", text);
}

static int parse_vids(const char *text, json_t **out, struct err *err)
{
	uint64_t set[VLAN_SET_WORDS];
	int rc = vids_from_text(text, set, err);

	if (rc == 0)
		*out = vids_to_json(set);
	return rc;
}

static int parse_bool(const char *text, json_t **out, struct err *err)
{
	if (!strcmp(text, "true") || !strcmp(text, "yes") || !strcmp(text, "on"))
		*out = json_true();
	else if (!strcmp(text, "false") || !strcmp(text, "no") || !strcmp(text, "off"))
		*out = json_false();
	else
		return err_set(err, -EINVAL, "\"%.60s\" is neither true nor false", text);
	return 0;
}

static int parse_pair(const char *text, json_t **out, struct err *err)
{
	const char *eq = strchr(text, '=');
	char key[64];

	if (!eq || eq == text || (size_t)(eq - text) >= sizeof(key))
		return err_set(err, -EINVAL, "\"%.60s\" is no setting like key=value", text);
	memcpy(key, text, (size_t)(eq - text));
	key[eq - text] = '\0';
	for (char *c = key; *c; c++)
		if (*c == '-')
			*c = '_';
	*out = json_pack("{ss}", key, eq + 1);
	/* jansson refuses what is not UTF-8, and only that. */
	return *out ? 0 : err_set(err, -EINVAL, "\"%.60s\" is not UTF-8", key);
}

int param_value(const struct param *p, const char *text, json_t **out, struct err *err)
{
	json_t *value = NULL;
	int rc = 0;

	switch (p->type) {
	case PARAM_INT:
		rc = parse_int(text, &value, err);
		break;
	case PARAM_DURATION:
		rc = parse_duration(text, &value, err);
		break;
	case PARAM_SIZE:
		rc = parse_size(text, &value, err);
		break;
	case PARAM_VIDS:
		rc = parse_vids(text, &value, err);
		break;
	case PARAM_BOOL:
		rc = parse_bool(text, &value, err);
		break;
	case PARAM_PAIRS:
		rc = parse_pair(text, &value, err);
		break;
	case PARAM_JSON:
		return err_set(err, -EINVAL, "cannot be written as a word");
	default:
		value = json_string(text);
		if (!value)
			return err_set(err, -EINVAL, "is not UTF-8");
	}
	if (rc < 0)
		return rc;
	if (!value)
		return err_set(err, -ENOMEM, "out of memory");
	if (p->type != PARAM_LIST && p->type != PARAM_REST) {
		rc = param_check(p, value, err);
		if (rc < 0) {
			json_decref(value);
			return rc;
		}
	}
	*out = value;
	return 0;
}

int param_parse(const struct param *p, const char *text, json_t **out, struct err *err)
{
	char label[64];
	int rc = param_value(p, text, out, err);

	if (rc < 0)
		err_prefix(err, "%s", param_label(p, label, sizeof(label)));
	return rc;
}
