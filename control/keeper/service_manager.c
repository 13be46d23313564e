/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/service_manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd_msg.h"

#define FIRST_FD 3

static int manager_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, rc;

	if ((path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(addr.sun_path))
		return -EINVAL;
	memcpy(addr.sun_path, path, strlen(path));
	if (path[0] == '@')
		addr.sun_path[0] = '\0'; /* the abstract namespace */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* How many are ours; they stay open in nobody whom we start. */
static unsigned handed_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	long n = pid && fds && strtol(pid, NULL, 10) == (long)getpid() ? strtol(fds, NULL, 10) : 0;
	unsigned i;

	for (i = 0; (long)i < n; i++)
		if (fcntl(FIRST_FD + (int)i, F_SETFD, FD_CLOEXEC) < 0)
			break;
	return i;
}

int service_manager_open(struct service_manager *m, struct err *err)
{
	const char *path = getenv("NOTIFY_SOCKET"), *names = getenv("LISTEN_FDNAMES");

	*m = (struct service_manager){.fd = path ? manager_connect(path) : -ENOENT};
	if (m->fd < 0) {
		err_set(err, -ENOTSUP, "--fd-store: no service manager is there to keep anything: %s",
			path ? strerror(-m->fd) : "NOTIFY_SOCKET is not set");
		return err_hint(err, "leave the option away, or start lanyard-switch.service");
	}
	m->n_handed = handed_count();
	m->names = strdup(names ? names : "");
	if (!m->names) {
		close(m->fd);
		return err_set(err, -ENOMEM, "out of memory");
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return 0;
}

void service_manager_close(struct service_manager *m)
{
	while (m->n_handed)
		close(FIRST_FD + (int)--m->n_handed);
	free(m->names);
	close(m->fd);
}

void service_manager_handed(struct service_manager *m, void (*fn)(void *arg, int fd, const char *name), void *arg)
{
	unsigned n = m->n_handed;
	char *rest = m->names;

	m->n_handed = 0;
	for (unsigned i = 0; i < n; i++) {
		const char *name = strsep(&rest, ":");

		fn(arg, FIRST_FD + (int)i, name ? name : "");
	}
}

int service_manager_say(struct service_manager *m, const char *text, const int *fds, unsigned n, int wait_ms)
{
	return fd_msg_send(m->fd, text, strlen(text), fds, n, wait_ms);
}
