/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/rpc/server.h"

/* Makes the folders above path, as far as they are missing. */
static int parents_make(const char *path, struct err *err)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int rc;

	snprintf(dir, sizeof(dir), "%s", path);
	for (char *at = dir + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
			rc = -errno;
			return err_set(err, rc, "cannot make the folder \"%s\": %s", dir,
				       strerror(-rc));
		}
		*at = '/';
	}
	return 0;
}

/* Removes a socket nobody serves any more; refuses one that is served, and other files. */
static int stale_remove(const char *path, const struct sockaddr_un *addr, struct err *err)
{
	struct stat st;
	int fd, rc = 0;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "cannot look at \"%s\"", path);
	if (!S_ISSOCK(st.st_mode)) {
		err_set(err, -EEXIST, "\"%s\" is there and is no socket", path);
		err_hint(err, "remove it, or choose another path");
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a socket");
	/* A full backlog (EAGAIN) means a live server too. */
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
		rc = err_set(err, -EADDRINUSE, "somebody serves \"%s\" already", path);
	else if (errno == ECONNREFUSED && unlink(path) < 0 && errno != ENOENT)
		rc = err_set(err, -errno, "cannot remove the dead socket \"%s\": %s", path,
			     strerror(errno));
	close(fd);
	return rc;
}

int rpc_listen(const char *path, int *out, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		err_set(err, -ENAMETOOLONG,
			"the socket path \"%.60s…\" has %zu bytes, more than %zu", path,
			strlen(path), sizeof(addr.sun_path) - 1);
		err_hint(err, "choose a shorter folder");
		return -ENAMETOOLONG;
	}
	memcpy(addr.sun_path, path, strlen(path));
	rc = parents_make(path, err);
	if (rc == 0)
		rc = stale_remove(path, &addr, err);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	/* The socket's own mode, given before bind(2), is what the file never exceeds. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		rc = -errno;
		err_set(err, rc, "cannot bind \"%s\": %s", path, strerror(-rc));
		goto fail;
	}
	if (chmod(path, 0600) < 0 || listen(fd, RPC_BACKLOG) < 0) {
		rc = -errno;
		err_set(err, rc, "cannot listen on \"%s\": %s", path, strerror(-rc));
		unlink(path);
		goto fail;
	}
	*out = fd;
	return 0;
fail:
	close(fd);
	return rc;
}
