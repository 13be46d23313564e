/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/run_as.h"

#include <cap-ng.h>
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

#define OWN_USER   "lanyard"
/* As systemd's DynamicUser=: no package takes a number of these. */
#define NUMBER_MIN 61184u
#define NUMBER_MAX 65519u

static void run_as_set(struct run_as *u, uid_t uid, gid_t gid, const char *name)
{
	*u = (struct run_as){.change = true, .uid = uid, .gid = gid};
	if (name)
		snprintf(u->name, sizeof(u->name), "%s", name);
	else
		snprintf(u->name, sizeof(u->name), "%u", uid);
}

static bool number_parse(const char *text, unsigned *n)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || *text == '+' || v >= (unsigned)-1)
		return false;
	*n = (unsigned)v;
	return true;
}

static int named(const char *name, struct run_as *out, struct err *err)
{
	const struct passwd *p = getpwnam(name);
	unsigned n;

	if (!p && number_parse(name, &n))
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

/* Whether a process of that user runs. */
static bool is_running(uid_t uid)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	bool found = false;

	while (dir && !found && (e = readdir(dir))) {
		char path[300], line[256];
		unsigned is[4] = {0};
		FILE *f;

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/status", e->d_name);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "Uid: %u %u %u %u", &is[0], &is[1], &is[2], &is[3]) == 4) {
				for (unsigned i = 0; i < 4; i++)
					found |= is[i] == uid;
				break;
			}
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Whether the number exists in this user namespace. */
static bool is_mapped(const char *map, unsigned id)
{
	unsigned inside, outside, n;
	FILE *f = fopen(map, "re");
	bool found = !f;

	while (f && !found && fscanf(f, "%u %u %u", &inside, &outside, &n) == 3)
		found = id >= inside && id - inside < n;
	if (f)
		fclose(f);
	return found;
}

static bool is_known(unsigned id)
{
	return getpwuid(id) || getgrgid(id);
}

/* Whose the state folder was made by an earlier start, which may be that of the switch that we take over. */
static bool before(const char *state_dir, struct run_as *out)
{
	struct stat st;

	if (lstat(state_dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid < NUMBER_MIN || st.st_uid > NUMBER_MAX ||
	    st.st_gid != st.st_uid || is_known(st.st_uid))
		return false;
	run_as_set(out, st.st_uid, st.st_gid, NULL);
	return true;
}

static int unused(const char *run_dir, const char *state_dir, struct run_as *out, struct err *err)
{
	const unsigned n = NUMBER_MAX - NUMBER_MIN + 1;
	unsigned hash = 2166136261u;

	if (before(state_dir, out))
		return 0;
	for (const char *at = run_dir; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	for (unsigned i = 0; i < n; i++) {
		unsigned id = NUMBER_MIN + (hash + i) % n;

		if (is_known(id) || is_running(id))
			continue;
		run_as_set(out, id, id, NULL);
		return 0;
	}
	err_set(err, -ENOENT, "each user from %u to %u is in use", NUMBER_MIN, NUMBER_MAX);
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
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID) ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_CHOWN))
		*why = "it lacks CAP_SETUID, CAP_SETGID or CAP_CHOWN";
	else if (!is_mapped("/proc/self/uid_map", out->uid) ||
		 !is_mapped("/proc/self/gid_map", out->gid))
		*why = "its user namespace has no other user";
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

int run_as_give(const struct run_as *u, const char *state_dir, struct err *err)
{
	int fd, rc = 0;
	struct dirent *e;
	DIR *dir;

	if (!u->change)
		return 0;
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
