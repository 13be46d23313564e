/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/modules.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "kernel/drivers/net/virtio_net.ko.xz" is module virtio_net; '-' and '_' are the same. */
static bool path_is_module(const char *path, size_t len, const char *name)
{
	const char *base = path, *end;
	size_t n = strlen(name);

	for (const char *p = path; p < path + len; p++)
		if (*p == '/')
			base = p + 1;
	end = memmem(base, (size_t)(path + len - base), ".ko", 3);
	if (!end || (size_t)(end - base) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char a = base[i] == '-' ? '_' : base[i], b = name[i] == '-' ? '_' : name[i];

		if (a != b)
			return false;
	}
	return true;
}

static bool listed(const struct module_list *list, const char *path, size_t len)
{
	for (unsigned i = 0; i < list->n; i++)
		if (strlen(list->paths[i]) == len && !memcmp(list->paths[i], path, len))
			return true;
	return false;
}

static int add(struct module_list *list, const char *path, size_t len)
{
	if (listed(list, path, len))
		return 0;
	if (list->n == MODULES_MAX || len >= MODULE_PATH_BYTES)
		return -E2BIG;
	memcpy(list->paths[list->n], path, len);
	list->paths[list->n++][len] = '\0';
	return 0;
}

/* The last dependency of a line is the deepest one, so the line is read from its end. */
static int add_line(struct module_list *list, const char *line, const char *colon, const char *end)
{
	const char *stop = end;

	while (stop > colon + 1) {
		const char *start;
		int rc;

		while (stop > colon + 1 && stop[-1] == ' ')
			stop--;
		start = stop;
		while (start > colon + 1 && start[-1] != ' ')
			start--;
		if (start < stop) {
			rc = add(list, start, (size_t)(stop - start));
			if (rc < 0)
				return rc;
		}
		stop = start;
	}
	return add(list, line, (size_t)(colon - line));
}

int modules_closure(const char *dep, const char *name, struct module_list *list)
{
	for (const char *line = dep; *line;) {
		const char *end = strchrnul(line, '\n');
		const char *colon = memchr(line, ':', (size_t)(end - line));

		if (colon && path_is_module(line, (size_t)(colon - line), name))
			return add_line(list, line, colon, end);
		line = *end ? end + 1 : end;
	}
	return -ENOENT;
}
