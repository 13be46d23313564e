/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/socket_dirs.h"
#include "base/users.h"

#define BACKLOG	     4
#define SIOCUNIXFILE 0x89e0 /* of <linux/un.h>, which does not go beside <sys/un.h> */

_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == UNIX_PATH_MAX, "the kernel's limit");

static struct unix_path_access given = {(uid_t)-1, (gid_t)-1, 0660};
static const struct unix_path_ops *ops = &unix_path_direct;

void unix_path_access_set(const struct unix_path_access *a)
{
	given = *a;
}

void unix_path_ops_set(const struct unix_path_ops *o)
{
	ops = o;
}

static bool is_said(const char *word)
{
	return word && *word;
}

/* A number stands for itself. */
static int id_find(bool is_group, const char *name, unsigned *id, struct err *err)
{
	const struct passwd *user;
	const struct group *group;

	/* A number first: names may be looked up over a network. */
	if (users_number(name, id))
		return 0;
	user = is_group ? NULL : getpwnam(name);
	group = is_group ? getgrnam(name) : NULL;
	if (user)
		*id = user->pw_uid;
	else if (group)
		*id = group->gr_gid;
	else
		return err_set(err, -EINVAL, "there is no %s \"%.64s\"", is_group ? "group" : "user", name);
	return 0;
}

/* Returns the mode or -EINVAL. */
static int mode_of(const char *text)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	return *end || end == text || *text == '-' || *text == '+' || mode & ~0666ul ? -EINVAL : (int)mode;
}

int unix_path_mode_check(const char *mode, struct err *err)
{
	return mode_of(mode) < 0
		       ? err_set(err, -EINVAL, "\"%.16s\" is no mode of a socket, like 0660", mode)
		       : 0;
}

int unix_path_access_words(struct unix_path_access *a, const struct unix_path_words *words, struct err *err)
{
	unsigned id;
	int rc = 0;

	if (is_said(words->owner)) {
		rc = id_find(false, words->owner, &id, err);
		if (rc == 0)
			a->owner = (uid_t)id;
	}
	if (rc == 0 && is_said(words->group)) {
		rc = id_find(true, words->group, &id, err);
		if (rc == 0)
			a->group = (gid_t)id;
	}
	if (rc == 0 && is_said(words->mode)) {
		rc = unix_path_mode_check(words->mode, err);
		if (rc == 0)
			a->mode = (mode_t)mode_of(words->mode);
	}
	return rc;
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	return sun;
}

static int socket_make(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int option_of(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -errno : value;
}

/* ---- the file of a socket ---- */

static bool path_of(int fd, char path[UNIX_PATH_MAX + 1])
{
	struct sockaddr_un sun = {.sun_family = AF_UNSPEC};
	socklen_t size = sizeof(sun);
	size_t len;

	if (option_of(fd, SO_DOMAIN) != AF_UNIX ||
	    getsockname(fd, (struct sockaddr *)&sun, &size) < 0 ||
	    size <= offsetof(struct sockaddr_un, sun_path) || size > sizeof(sun))
		return false;
	len = strnlen(sun.sun_path, size - offsetof(struct sockaddr_un, sun_path));
	memcpy(path, sun.sun_path, len);
	path[len] = '\0';
	return path[0] == '/';
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What has that name, opened as a name only, if it is this socket's file; else -1. */
static int file_open(int fd, int dir, const char *name)
{
	int at = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), own;
	struct stat is, was;
	bool ours;

	if (at < 0)
		return -1;
	ours = fstat(at, &is) == 0 && S_ISSOCK(is.st_mode);
	own = ours ? ioctl(fd, SIOCUNIXFILE) : -1;
	/* Without CAP_NET_ADMIN the kernel does not tell; then it is at least a socket of this user. */
	if (own >= 0)
		ours = fstat(own, &was) == 0 && same_file(&is, &was);
	else
		ours = ours && is.st_uid == geteuid();
	if (own >= 0)
		close(own);
	if (ours)
		return at;
	close(at);
	return -1;
}

/* By its inode: what is at the path may be another file by now. */
static int file_give(int fd, int dir, const char *name, const char *path, const struct unix_path_access *a,
		     struct err *err)
{
	int at = file_open(fd, dir, name), rc = 0;
	char self[32];

	if (at < 0)
		return err_set(err, -EIO, "somebody has put another file at %s", path);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", at);
	if (fchownat(at, "", a->owner, a->group, AT_EMPTY_PATH) < 0 ||
	    chmod(self, a->mode) < 0)
		rc = -errno;
	close(at);
	if (rc == 0)
		return 0;
	err_set(err, rc, "cannot give %s to its owner and group: %s", path, strerror(-rc));
	return err_hint(err, "only root gives a file away, and a user to groups of their own");
}

/* ---- directly ---- */

/* Connects fd to what has that name now. */
static int file_connect(int fd, int dir, const char *name)
{
	struct sockaddr_un sun = address(name);
	struct stat st = {0};
	int at, rc = 0;

	if (dir >= 0) {
		char self[32];

		/* By its inode: no link is followed. */
		at = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (at < 0)
			return -errno;
		fstat(at, &st);
		snprintf(self, sizeof(self), "/proc/self/fd/%d", at);
		sun = address(self);
	}
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		rc = -errno;
	if (dir >= 0)
		close(at);
	else if (rc == -ECONNREFUSED && stat(name, &st) < 0)
		st.st_mode = S_IFSOCK; /* gone since */
	/* Of a file that is none the kernel says what it says of a socket that nobody serves. */
	if (rc < 0 && S_ISLNK(st.st_mode))
		return -ELOOP;
	return rc == -ECONNREFUSED && !S_ISSOCK(st.st_mode) ? -ENOTSOCK : rc;
}

/* True when somebody has bound it, to whatever kind of socket. */
static bool is_served(int dir, const char *name, int type)
{
	int fd = socket_make(type), rc;

	if (fd < 0)
		return false;
	rc = file_connect(fd, dir, name);
	close(fd);
	/* EAGAIN: with a full backlog; EPERM: it talks to another one only; EPROTOTYPE: of another type. */
	return rc == 0 || rc == -EAGAIN || rc == -EPERM || rc == -EPROTOTYPE;
}

static int place_clear(int dir, const char *name, const char *path, int type, struct err *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s exists and is no socket", path);
	if (is_served(dir, name, type)) {
		err_set(err, -EADDRINUSE, "somebody already serves %s", path);
		return err_hint(err, "choose another --path");
	}
	unlinkat(dir, name, 0);
	return 0;
}

static void direct_unlink(int fd)
{
	char path[UNIX_PATH_MAX + 1];
	const char *name;
	int dir, at;

	if (!path_of(fd, path) || socket_dirs_open(path, &dir, &name) < 0)
		return;
	at = file_open(fd, dir, name);
	if (at >= 0) {
		unlinkat(dir, name, 0);
		close(at);
	}
	socket_dirs_close(dir);
}

/* A file that somebody has us make elsewhere, by moving folders about just now, is not the one in `dir`: then file_give()
 * refuses it, and nobody ever listens there. */
static int bind_in(int dir, const char *name, const char *path, int type, const struct unix_path_access *a,
		   int *out, struct err *err)
{
	struct sockaddr_un sun = address(path);
	int rc = place_clear(dir, name, path, type, err), fd;

	if (rc < 0)
		return rc;
	fd = socket_make(type);
	if (fd < 0)
		return err_set(err, fd, "cannot make a socket: %s", strerror(-fd));
	/* The file that bind() makes gets the mode that the socket has. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		rc = err_set(err, -errno, "cannot bind %s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	rc = file_give(fd, dir, name, path, a, err);
	if (rc == 0 && type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
		rc = err_set(err, -errno, "cannot listen on %s: %s", path, strerror(errno));
	if (rc < 0) {
		direct_unlink(fd);
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

static int direct_bind(const char *path, int type, const struct unix_path_words *whose, int *out, struct err *err)
{
	struct unix_path_access a = given;
	const char *name;
	int dir, rc = whose ? unix_path_access_words(&a, whose, err) : 0;

	if (rc < 0)
		return rc;
	rc = socket_dirs_open(path, &dir, &name);
	if (rc == -EACCES && socket_dirs_check(path, err) == 0)
		return err_set(err, rc, "%s: neither a symbolic link, nor \"..\", nor a socket by which the switch or a VM is "
			       "controlled", path);
	if (rc < 0)
		return rc == -EACCES ? rc : err_set(err, rc, "cannot bind %s: %s", path, strerror(-rc));
	rc = bind_in(dir, name, path, type, &a, out, err);
	socket_dirs_close(dir);
	return rc;
}

static int connect_by_path(int fd, const char *path)
{
	const char *name;
	int dir, rc = socket_dirs_open(path, &dir, &name);

	if (rc < 0)
		return rc;
	rc = file_connect(fd, dir, name);
	socket_dirs_close(dir);
	return rc;
}

static int direct_connect(const char *path)
{
	int fd = socket_make(SOCK_STREAM), rc;

	if (fd < 0)
		return fd;
	rc = connect_by_path(fd, path);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static int direct_peer(int fd, const char *path)
{
	/* Others could make the caller wait. */
	if (option_of(fd, SO_DOMAIN) != AF_UNIX || option_of(fd, SO_TYPE) != SOCK_DGRAM)
		return -ENOTSOCK;
	return connect_by_path(fd, path);
}

static bool direct_is_there(int fd)
{
	char path[UNIX_PATH_MAX + 1];
	const char *name;
	int dir, at;

	if (!path_of(fd, path) || socket_dirs_open(path, &dir, &name) < 0)
		return false;
	at = file_open(fd, dir, name);
	socket_dirs_close(dir);
	if (at >= 0)
		close(at);
	return at >= 0;
}

const struct unix_path_ops unix_path_direct = {
	.bind = direct_bind,
	.connect = direct_connect,
	.peer = direct_peer,
	.is_there = direct_is_there,
	.unlink = direct_unlink,
};

/* ---- by the table ---- */

int unix_path_check(const char *path, const char *option, struct err *err)
{
	if (strlen(path) < UNIX_PATH_MAX)
		return socket_dirs_check(path, err);
	err_set(err, -ENAMETOOLONG, "the socket path has %zu characters; Unix sockets allow %d",
		strlen(path), UNIX_PATH_MAX - 1);
	return err_hint(err, "use a shorter %s", option);
}

int unix_path_bind(const char *path, int type, const struct unix_path_words *whose, int *fd, struct err *err)
{
	return ops->bind(path, type, whose, fd, err);
}

int unix_path_connect(const char *path)
{
	return ops->connect(path);
}

int unix_path_peer(int fd, const char *path)
{
	return ops->peer(fd, path);
}

bool unix_path_is_there(int fd)
{
	return ops->is_there(fd);
}

void unix_path_unlink(int fd)
{
	ops->unlink(fd);
}
