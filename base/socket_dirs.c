/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/socket_dirs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VMS "vm" /* in the run dir: vm-launcher/vm_path.h */

struct dir {
	char *path; /* without a slash at its end */
	bool beneath;
};

/* Each as it was named, and as it is really called. */
static struct dir dirs[2 * (SOCKET_DIRS_MAX + 2)];
static unsigned n_dirs;
static char *own_dir; /* the run dir; NULL: no list */

static void clear(void)
{
	while (n_dirs)
		free(dirs[--n_dirs].path);
	free(own_dir);
	own_dir = NULL;
}

static int put(const char *path, bool beneath)
{
	size_t len = strlen(path);
	char *copy;

	while (len && path[len - 1] == '/')
		len--;
	copy = strndup(path, len);
	if (!copy)
		return -ENOMEM;
	dirs[n_dirs++] = (struct dir){copy, beneath};
	return 0;
}

static int add(const char *path, bool beneath)
{
	char *real = realpath(path, NULL);
	int rc = put(path, beneath);

	if (rc == 0 && real && strcmp(real, path))
		rc = put(real, beneath);
	free(real);
	return rc;
}

/* Whether the folder that the run dir is in was made for it: not the system's, and nobody else writes there. */
static bool is_private(const char *folder)
{
	static const char *const of_system[] = {"/run/", "/var/", "/etc/", "/usr/", "/dev/", NULL};
	struct stat st;

	for (const char *const *s = of_system; *s; s++)
		if (!strncmp(folder, *s, strlen(*s)) && strncmp(folder, "/var/tmp/", 9))
			return false;
	return strrchr(folder, '/') != folder && lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022);
}

/* Its sockets only, and nothing beneath: that has other owners. */
static int parent_add(const char *run_dir)
{
	char *folder = realpath(run_dir, NULL), *slash = folder ? strrchr(folder, '/') : NULL;
	int rc = 0;

	if (slash)
		*slash = '\0';
	if (slash && folder[0] && is_private(folder))
		rc = put(folder, false);
	free(folder);
	return rc;
}

int socket_dirs_set(const char *run_dir, char *const *more, unsigned n, struct err *err)
{
	int rc = 0;

	clear();
	if (!run_dir)
		return 0;
	if (n > SOCKET_DIRS_MAX)
		return err_set(err, -E2BIG, "--socket-dir: more than %d folders", SOCKET_DIRS_MAX);
	own_dir = strdup(run_dir);
	rc = own_dir ? add(run_dir, true) : -ENOMEM;
	if (rc == 0)
		rc = parent_add(run_dir);
	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = add(more[i], true);
	return rc < 0 ? err_set(err, rc, "out of memory") : 0;
}

/* ---- by name ---- */

/* What comes after the folder, if the path is in it. */
static const char *rest_of(const struct dir *d, const char *path)
{
	const size_t len = strlen(d->path);
	const char *rest = path + len;

	if (strncmp(path, d->path, len) || *rest != '/')
		return NULL;
	while (*rest == '/')
		rest++;
	return *rest && (d->beneath || !strchr(rest, '/')) ? rest : NULL;
}

static const struct dir *dir_of(const char *path, const char **rest)
{
	for (unsigned i = 0; i < n_dirs; i++) {
		*rest = rest_of(&dirs[i], path);
		if (*rest)
			return &dirs[i];
	}
	return NULL;
}

/* A part of it is "." or "..". */
static bool has_dots(const char *path)
{
	for (const char *at = path; at; at = strchr(at, '/')) {
		size_t len;

		at += strspn(at, "/");
		len = strcspn(at, "/");
		if ((len == 1 || len == 2) && !strncmp(at, "..", len))
			return true;
	}
	return false;
}

int socket_dirs_check(const char *path, struct err *err)
{
	const char *rest, *slash = strrchr(path, '/');

	if (!own_dir || dir_of(path, &rest))
		return 0;
	/* Its folder may be a right one, and then --socket-dir would not help. */
	if (has_dots(path)) {
		err_set(err, -EACCES, "%s: \".\" and \"..\" are not followed", path);
		return err_hint(err, "write the path without them");
	}
	err_set(err, -EACCES, "%s is in no folder in which this switch may have sockets", path);
	return err_hint(err, "put it into %s, or start lanyard-switch with --socket-dir %.*s", own_dir,
			slash && slash != path ? (int)(slash - path) : 1, path);
}

/* ---- by descriptors ---- */

static bool same(int fd, const char *path, const char *below)
{
	char whole[PATH_MAX];
	struct stat is, that;

	return snprintf(whole, sizeof(whole), "%s/%s", path, below) < (int)sizeof(whole) &&
	       fstat(fd, &is) == 0 && stat(whole, &that) == 0 && is.st_dev == that.st_dev && is.st_ino == that.st_ino;
}

/* Of a NIC: ID.d0; QEMU's own are in a folder beneath. All else there controls a VM. */
static bool is_of_nic(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (dot[1] == 'n' || dot[1] == 'd') && isdigit((unsigned char)dot[2]) && !dot[3];
}

/* Whoever may connect there, or is taken for who serves it, has the switch or its VMs. */
static bool is_of_control(int dir, const char *name)
{
	if (same(dir, own_dir, "."))
		return !strcmp(name, "switch.sock") || !strcmp(name, "keeper.sock");
	return same(dir, own_dir, VMS) && !is_of_nic(name);
}

static int step(int dir, const char *name, size_t len)
{
	char folder[NAME_MAX + 1];
	int fd;

	if (len > NAME_MAX || (len == 2 && !memcmp(name, "..", 2)))
		return -EACCES;
	memcpy(folder, name, len);
	folder[len] = '\0';
	fd = openat(dir, folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* A link is no folder. */
	return fd < 0 ? errno == ENOTDIR ? -EACCES : -errno : fd;
}

int socket_dirs_open(const char *path, int *dir, const char **name)
{
	const char *at = path, *slash;
	const struct dir *d;
	int fd, next;

	*name = path;
	*dir = AT_FDCWD;
	if (!own_dir)
		return 0;
	d = dir_of(path, &at);
	if (!d)
		return -EACCES;
	fd = open(d->path[0] ? d->path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (; (slash = strchr(at, '/')); at = slash + strspn(slash, "/")) {
		next = step(fd, at, (size_t)(slash - at));
		close(fd);
		if (next < 0)
			return next;
		fd = next;
	}
	*name = at;
	*dir = fd;
	if (*at && strcmp(at, ".") && strcmp(at, "..") && !is_of_control(fd, at))
		return 0;
	close(fd);
	return -EACCES;
}

void socket_dirs_close(int dir)
{
	if (dir >= 0)
		close(dir);
}
