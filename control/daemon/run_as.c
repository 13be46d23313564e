/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/run_as.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/users.h"

#define OWN_USER "lanyard"

static void run_as_set(struct run_as *u, uid_t uid, gid_t gid, const char *name)
{
	*u = (struct run_as){.change = true, .uid = uid, .gid = gid};
	if (name)
		snprintf(u->name, sizeof(u->name), "%s", name);
	else
		snprintf(u->name, sizeof(u->name), "%u", uid);
}

static int named(const char *name, struct run_as *out, struct err *err)
{
	const struct passwd *p = getpwnam(name);
	unsigned n;

	if (!p && users_number(name, &n))
		run_as_set(out, n, n, NULL);
	else if (p)
		run_as_set(out, p->pw_uid, p->pw_gid, p->pw_name);
	else
		return err_set(err, -EINVAL, "--user: there is no user \"%.64s\"", name);
	if (out->uid && out->gid)
		return 0;
	err_set(err, -EINVAL,
		"--user: \"%.64s\" is root, or of root's group, and the switch forwards as neither",
		name);
	return err_hint(err, "leave --user out, or name an ordinary user");
}

/* Whose the state folder was made by an earlier start, which may be that of the switch that we take over. */
static bool before(const char *state_dir, struct run_as *out)
{
	struct stat st;

	if (lstat(state_dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid < USERS_MIN || st.st_uid > USERS_SWITCH_MAX ||
	    st.st_gid != st.st_uid || users_is_known(st.st_uid))
		return false;
	run_as_set(out, st.st_uid, st.st_gid, NULL);
	return true;
}

static int unused(const char *run_dir, const char *state_dir, struct run_as *out, struct err *err)
{
	const unsigned n = USERS_SWITCH_MAX - USERS_MIN + 1;
	unsigned hash = 2166136261u;

	if (before(state_dir, out))
		return 0;
	for (const char *at = run_dir; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	for (unsigned i = 0; i < n; i++) {
		unsigned id = USERS_MIN + (hash + i) % n;

		if (!users_is_free(id))
			continue;
		run_as_set(out, id, id, NULL);
		return 0;
	}
	err_set(err, -ENOENT, "each user from %u to %u is in use", USERS_MIN, USERS_SWITCH_MAX);
	return err_hint(err, "make a user \"" OWN_USER "\", or name one with --user");
}

int run_as_choose(const char *name, const char *run_dir, const char *state_dir, struct run_as *out, const char **why,
		  struct err *err)
{
	const struct passwd *own;
	int rc = 0;

	*out = (struct run_as){.change = false};
	*why = NULL;
	if (geteuid() != 0)
		return name ? err_set(err, -EPERM, "--user: only root can become somebody else")
			    : 0;
	if (name) {
		rc = named(name, out, err);
	} else if ((own = getpwnam(OWN_USER)) && own->pw_uid) {
		run_as_set(out, own->pw_uid, own->pw_gid, own->pw_name);
	} else {
		rc = unused(run_dir, state_dir, out, err);
	}
	if (rc < 0)
		return rc;
	*why = users_why_not(out->uid, out->gid);
	if (!*why)
		return 0;
	if (name)
		return err_set(err, -EPERM, "--user: the switch cannot become \"%.64s\": %s", name,
			       *why);
	*out = (struct run_as){.change = false};
	return 0;
}

int run_as_parse(const char *text, struct run_as *out, struct err *err)
{
	unsigned uid, gid;
	int n = 0;

	if (sscanf(text, "%u:%u%n", &uid, &gid, &n) != 2 || text[n] || !uid || !gid)
		return err_set(err, -EINVAL, "--run-as: \"%.40s\" is not UID:GID", text);
	run_as_set(out, uid, gid, NULL);
	return 0;
}

/* One file of a folder that is the user's already, or was another's. A second name may be one of a save that was
 * cut short; more than two nobody made who is to be trusted. */
static int file_give(const struct run_as *u, int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc = 0;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink <= 2 &&
	    (st.st_uid != u->uid || st.st_gid != u->gid) &&
	    fchownat(fd, "", u->uid, u->gid, AT_EMPTY_PATH) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int give(const struct run_as *u, const char *state_dir, struct err *err)
{
	int fd, rc = 0;
	struct dirent *e;
	DIR *dir;

	fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchown(fd, u->uid, u->gid) < 0)
		rc = -errno;
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (rc == 0 && dir && (e = readdir(dir)))
		if (!strncmp(e->d_name, "config.", 7))
			rc = file_give(u, fd, e->d_name);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return rc < 0 ? err_set(err, rc, "cannot give the state folder \"%s\" to user %s: %s",
				state_dir, u->name, strerror(-rc))
		      : 0;
}

int run_as_give(const struct run_as *u, const char *state_dir, struct err *err)
{
	return u->change ? give(u, state_dir, err) : 0;
}

int run_as_return(const char *state_dir, struct err *err)
{
	const struct run_as root = {.name = "root"};
	const struct passwd *own = getpwnam(OWN_USER);
	struct run_as was;
	struct stat st;

	/* What somebody else has, an administrator gave them. */
	if (!before(state_dir, &was) &&
	    (!own || lstat(state_dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != own->pw_uid))
		return 0;
	return give(&root, state_dir, err);
}
