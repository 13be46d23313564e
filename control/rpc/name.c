/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/method.h"

#include <string.h>

#define PART_MAX 32 /* characters of one part of a name, as cli.md promises */

/* Characters at s that make one part of a name; 0 when it does not begin like one. */
static size_t part_len(const char *s)
{
	static const char first[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char more[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len;

	if (!*s || !strchr(first, *s))
		return 0;
	len = strspn(s, more);
	return len <= PART_MAX ? len : 0;
}

/* The end of LAB or LAB@COPY at s, or NULL. */
static const char *lab_end(const char *s)
{
	size_t len = part_len(s);

	if (!len)
		return NULL;
	s += len;
	if (*s != '@')
		return s;
	len = part_len(s + 1);
	return len ? s + 1 + len : NULL;
}

/* The end of a full name at s, or NULL. */
static const char *full_end(const char *s)
{
	const char *slash = strchr(s, '/');
	size_t len;

	if (slash) {
		if (lab_end(s) != slash)
			return NULL;
		s = slash + 1;
	}
	len = part_len(s);
	if (!len)
		return NULL;
	s += len;
	if (*s != '.')
		return s;
	len = part_len(s + 1);
	return len ? s + 1 + len : NULL;
}

int name_is_plain(const char *s)
{
	size_t len = part_len(s);

	return len && !s[len];
}

int name_is_full(const char *s)
{
	const char *end = full_end(s);

	return end && !*end;
}

int name_is_object(const char *s)
{
	const char *end = full_end(s);

	return end && (!*end || !strcmp(end, "~peer"));
}

int name_is_lab(const char *s)
{
	const char *end = lab_end(s);

	return end && !*end;
}
