/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_there(char *path, size_t size, const char *folder, const char *place, const char *name)
{
	int n = snprintf(path, size, "%s%s%s", folder, place, name);

	return n > 0 && (size_t)n < size && access(path, X_OK) == 0;
}

int program_find(const char *const *places, const char *last, const char *self, const char *name, char *path, size_t size,
		 struct err *err)
{
	char folder[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);

	folder[n > 0 ? n : 0] = '\0';
	slash = strrchr(folder, '/');
	if (slash)
		slash[1] = '\0';
	for (; *places; places++)
		if (is_there(path, size, folder, *places, name))
			return 0;
	if (is_there(path, size, last, "/", name))
		return 0;
	return err_set(err, -ENOENT, "program \"%s\" is neither beside %s nor in %s", name, self, last);
}
