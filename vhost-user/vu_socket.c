/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-user/vu_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	return sun;
}

int vu_socket_connect(const char *path)
{
	struct sockaddr_un sun = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* True when somebody answers on the socket. */
static bool served(const char *path)
{
	int fd = vu_socket_connect(path);

	if (fd >= 0)
		close(fd);
	/* EAGAIN: served, with a full backlog. */
	return fd >= 0 || fd == -EAGAIN;
}

int vu_socket_listen(const char *port, const char *path, int *fd, struct err *err)
{
	struct sockaddr_un sun = address(path);
	struct stat st;
	int rc;

	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "port \"%s\": %s exists and is no socket", port, path);
	if (served(path)) {
		err_set(err, -EADDRINUSE, "port \"%s\": somebody already serves %s", port, path);
		return err_hint(err,
				"choose another --path, or leave out --listen to connect to it");
	}
	unlink(path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0 || bind(*fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return err_set(err, -errno, "port \"%s\": cannot bind %s: %s", port, path,
			       strerror(errno));
	if (chmod(path, 0660) < 0 || listen(*fd, 4) < 0) {
		rc = err_set(err, -errno, "port \"%s\": cannot listen on %s: %s", port, path,
			     strerror(errno));
		unlink(path);
		return rc;
	}
	return 0;
}
