/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "control/rpc/dirs.h"
#include "control/rpc/server.h"

#define NOFILE_WANTED (1024 * 1024) /* 4096 ports of 8 queue pairs: kick, call, error each */

#define LEFTOVER_MS 2000 /* that what a killed switch leaves is waited for */

static long holder_pid(int fd)
{
	char text[24] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

/* A switch that was killed may leave a child that is not done with exec(2), or memory that is still being freed:
 * the lock is theirs until then, and nobody's whom the user could stop. */
static int lock_now(int fd)
{
	long pid;

	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; ms += 10) {
		if (errno != EWOULDBLOCK)
			return -errno;
		pid = holder_pid(fd);
		if (ms >= LEFTOVER_MS || pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
			return -EBUSY;
		usleep(10000);
	}
	return 0;
}

int priv_dir_lock(const char *dir, const char *name, int *out, struct err *err)
{
	char path[PATH_MAX], pid[24];
	int fd, rc = dir_make(dir, 0755, err), n;

	if (rc < 0)
		return rc;
	n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "the folder \"%.60s…\" has a name too long",
			       dir);
	/* It is emptied: whoever may write to the folder must not choose whose file that is. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0 && errno == ELOOP)
		return err_set(err, -ELOOP, "\"%s\" is a symbolic link; a lock is a plain file (remove the link)", path);
	if (fd < 0)
		return err_set(err, -errno, "cannot open \"%s\": %s", path, strerror(errno));
	rc = lock_now(fd);
	if (rc < 0) {
		if (rc == -EBUSY)
			err_set(err, rc, "another lanyard-switch (process %ld) uses \"%s\"",
				holder_pid(fd), dir);
		else
			err_set(err, rc, "cannot lock \"%s\": %s", path, strerror(-rc));
		close(fd);
		return rc;
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) < 0)
		LOG_DEBUG("switch: cannot note the process in \"%s\"", path);
	*out = fd;
	return 0;
}

int priv_listen(const char *path, const struct access *a, int *fd, struct err *err)
{
	int rc = rpc_listen(path, fd, err);

	if (rc < 0)
		return rc;
	/* Nobody but us gets in before it is the one that it shall belong to. */
	if (chown(path, a->owner, a->group) < 0 || chmod(path, access_mode(a)) < 0) {
		rc = err_set(err, -errno, "cannot give \"%s\" to its owner and group: %s", path, strerror(errno));
		err_hint(err, "only root gives a file away, and a user to groups of their own");
		close(*fd);
		unlink(path);
	}
	return rc;
}

bool priv_is_listening(const char *path, const struct access *a, int fd)
{
	struct sockaddr_un addr = {0};
	socklen_t len = sizeof(addr), size = sizeof(int);
	int listens = 0;
	struct stat st;

	return getsockname(fd, (struct sockaddr *)&addr, &len) == 0 && addr.sun_family == AF_UNIX &&
	       strncmp(addr.sun_path, path, sizeof(addr.sun_path)) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens && lstat(path, &st) == 0 &&
	       /* So that clients hear of this process as the one that listens, in place of its predecessor. */
	       listen(fd, RPC_BACKLOG) == 0 && S_ISSOCK(st.st_mode) && chown(path, a->owner, a->group) == 0 && chmod(path, access_mode(a)) == 0;
}

int priv_listen_tcp(const union metrics_address *a, int *out, struct err *err)
{
	int one = 1, rc = 0, fd;
	char where[64];

	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "--metrics: no TCP socket: %s", strerror(errno));
	/* A switch that is started anew need not wait for the last clients of the old one. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &a->sa, a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in)) < 0 ||
	    listen(fd, METRICS_CLIENTS) < 0)
		rc = -errno;
	if (rc == 0) {
		*out = fd;
		return 0;
	}
	close(fd);
	metrics_address_text(a, where, sizeof(where));
	err_set(err, rc, "--metrics: cannot listen on %s: %s", where, strerror(-rc));
	if (rc == -EADDRINUSE)
		err_hint(err, "another program uses this port; choose another one");
	else if (rc == -EADDRNOTAVAIL)
		err_hint(err, "no interface of this host has that address");
	return rc;
}

void priv_unlink(const char *path)
{
	unlink(path);
}

void priv_nofile_raise(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	if (lim.rlim_max < NOFILE_WANTED) {
		struct rlimit more = {NOFILE_WANTED, NOFILE_WANTED};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	} else {
		lim.rlim_cur = NOFILE_WANTED;
	}
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
		LOG_WARN("switch: cannot raise the limit of open files: %s", strerror(errno));
}
