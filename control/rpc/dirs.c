/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/dirs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int put(const char *dir, const char *below, char *out, size_t size, struct err *err)
{
	char cwd[PATH_MAX] = "";
	int n;

	if (dir[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return err_set(err, -errno, "the working folder cannot be read");
	n = snprintf(out, size, "%s%s%s%s", cwd, cwd[0] ? "/" : "", dir, below);
	if (n < 0 || (size_t)n >= size)
		return err_set(err, -ENAMETOOLONG, "the folder \"%.60s…\" has a name too long",
			       dir);
	return 0;
}

/* A folder that was asked for, by option or by environment; 1 when none was. */
static int asked(const char *option, const char *variable, char *out, size_t size, struct err *err)
{
	const char *dir = option ? option : getenv(variable);

	if (!dir || !*dir)
		return 1;
	return put(dir, "", out, size, err);
}

/* The user's own: of the login session, else beside what is saved; /tmp is anybody's. */
static int own_run(char *out, size_t size, struct err *err)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char session[64], state[PATH_MAX];
	int rc;

	if (xdg && *xdg)
		return put(xdg, "/lanyard", out, size, err);
	snprintf(session, sizeof(session), "/run/user/%u", (unsigned)geteuid());
	if (access(session, W_OK) == 0)
		return put(session, "/lanyard", out, size, err);
	rc = dir_state(NULL, state, sizeof(state), err);
	if (rc == 0)
		return put(state, "/run", out, size, err);
	return rc;
}

int dir_run(const char *option, char *out, size_t size, struct err *err)
{
	int rc = asked(option, "LANYARD_RUN_DIR", out, size, err);

	if (rc <= 0)
		return rc;
	if (geteuid() == 0)
		return put(DIR_ROOT_RUN, "", out, size, err);
	return own_run(out, size, err);
}

int dir_state(const char *option, char *out, size_t size, struct err *err)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int rc = asked(option, "LANYARD_STATE_DIR", out, size, err);

	if (rc <= 0)
		return rc;
	if (geteuid() == 0)
		return put(DIR_ROOT_STATE, "", out, size, err);
	if (xdg && *xdg)
		return put(xdg, "/lanyard", out, size, err);
	if (home && *home)
		return put(home, "/.local/state/lanyard", out, size, err);
	err_set(err, -EINVAL, "there is no home folder to keep state in");
	err_hint(err, "set LANYARD_STATE_DIR");
	return -EINVAL;
}

int dir_make(const char *dir, unsigned mode, struct err *err)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/", dir);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "the folder \"%.60s…\" has a name too long",
			       dir);
	for (char *at = path + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(path, (mode_t)mode) < 0 && errno != EEXIST) {
			int rc = -errno;

			return err_set(err, rc, "cannot make the folder \"%s\": %s", path,
				       strerror(-rc));
		}
		*at = '/';
	}
	return 0;
}
