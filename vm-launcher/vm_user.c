/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_user.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/users.h"
#include "vm-launcher/hash.h"
#include "vm-launcher/lock_file.h"

static void set(struct vm_user *u, uid_t uid, gid_t gid, const char *name)
{
	u->change = true;
	u->uid = uid;
	u->gid = gid;
	if (name)
		snprintf(u->name, sizeof(u->name), "%s", name);
	else
		snprintf(u->name, sizeof(u->name), "%u", uid);
}

/* Whoever runs this, which is why. */
static void stay(struct vm_user *u, const char *why)
{
	const struct passwd *p = getpwuid(geteuid());

	set(u, geteuid(), getegid(), p ? p->pw_name : NULL);
	u->change = false;
	snprintf(u->why, sizeof(u->why), "%s", why);
}

static int named(const char *name, struct vm_user *u, struct err *err)
{
	const struct passwd *p = getpwnam(name);
	unsigned n;

	if (p)
		set(u, p->pw_uid, p->pw_gid, p->pw_name);
	else if (users_number(name, &n))
		set(u, n, n, NULL);
	else
		return err_set(err, -EINVAL, "there is no user \"%.40s\"", name);
	if (geteuid() != 0) {
		if (u->uid != geteuid())
			return err_set(err, -EPERM,
				       "only root starts a VM for another user, \"%.40s\"", name);
		stay(u, "");
	} else if (u->uid == 0) {
		stay(u, "asked for");
	} else if (u->gid == 0) {
		return err_set(err, -EINVAL, "user \"%.40s\" is of root's group", name);
	}
	return 0;
}

int vm_user_check(const struct vm_spec *spec, struct err *err)
{
	struct vm_user u = {.lock_fd = -1};
	int rc = spec->user[0] ? named(spec->user, &u, err) : 0;

	if (rc < 0)
		err_prefix(err, "vm \"%s\"", spec->name);
	return rc;
}

static char *claim_path(char path[64], unsigned id)
{
	snprintf(path, 64, "%s/%u", VM_USERS_DIR, id);
	return path;
}

/* The lock file of a number. -EWOULDBLOCK: another VM has it. */
static int claim(unsigned id)
{
	char path[64];

	return lock_file_take(claim_path(path, id), 1);
}

static int number_claim(const struct vm_spec *spec, const char *run_dir, struct vm_user *u,
			struct err *err)
{
	const unsigned n = USERS_VM_MAX - USERS_VM_MIN + 1;
	struct hash h = HASH_INIT;
	uint64_t first;

	if (mkdir(VM_USERS_DIR, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno,
			       "folder \"%s\", for the users of VMs, cannot be made: %s",
			       VM_USERS_DIR, strerror(errno));
	hash_text(&h, run_dir);
	hash_text(&h, spec->name);
	first = hash_end(&h);
	for (unsigned i = 0; i < n; i++) {
		unsigned id = USERS_VM_MIN + (unsigned)((first + i) % n);
		int fd = claim(id);

		if (fd >= 0 && users_is_free(id)) {
			set(u, id, id, NULL);
			u->alone = true;
			u->lock_fd = fd;
			return 0;
		}
		if (fd >= 0)
			close(fd);
		else if (fd != -EWOULDBLOCK)
			return err_set(err, fd,
				       "a file in \"%s\", for the users of VMs, cannot be made: %s",
				       VM_USERS_DIR, strerror(-fd));
	}
	return err_set(err, -ENOENT, "each user from %u to %u is in use", USERS_VM_MIN, USERS_VM_MAX);
}

int vm_user_choose(const struct vm_spec *spec, const char *run_dir, struct vm_user *out,
		   struct err *err)
{
	const char *why;
	int rc = 0;

	*out = (struct vm_user){.lock_fd = -1};
	if (spec->user[0]) {
		rc = named(spec->user, out, err);
	} else if (geteuid() != 0) {
		stay(out, "");
	} else if ((why = users_why_not(USERS_VM_MIN, USERS_VM_MIN))) {
		stay(out, why);
	} else {
		rc = number_claim(spec, run_dir, out, err);
		if (rc < 0)
			err_hint(err, "QEMU runs as root with --user root");
	}
	if (rc == 0 && spec->user[0] && out->change && (why = users_why_not(out->uid, out->gid)))
		rc = err_set(err, -EPERM, "QEMU cannot be made user \"%s\": %s", out->name, why);
	if (rc < 0) {
		err_prefix(err, "vm \"%s\"", spec->name);
		vm_user_release(out);
	}
	return rc;
}

/* The file goes while it is held. Where another supervisor had it, QEMU has let go of it if it is gone already;
 * else an empty file stays, which the next claim finds unlocked. */
void vm_user_release(struct vm_user *u)
{
	char path[64];

	if (u->alone && u->lock_fd < 0)
		u->lock_fd = claim(u->uid);
	if (u->lock_fd < 0)
		return;
	unlink(claim_path(path, u->uid));
	close(u->lock_fd);
	u->lock_fd = -1;
}

json_t *vm_user_to_json(const struct vm_user *u)
{
	return json_pack("{s:b,s:b,s:I,s:I,s:s,s:s}", "change", u->change, "alone", u->alone, "uid",
			 (json_int_t)u->uid, "gid", (json_int_t)u->gid, "name", u->name, "why",
			 u->why);
}

void vm_user_from_json(struct vm_user *u, const json_t *doc)
{
	const char *name, *why;
	json_int_t uid, gid;
	int change, alone;

	*u = (struct vm_user){.lock_fd = -1};
	if (json_unpack((json_t *)doc, "{s:b,s:b,s:I,s:I,s:s,s:s}", "change", &change, "alone",
			&alone, "uid", &uid, "gid", &gid, "name", &name, "why", &why) < 0) {
		stay(u, "");
		return;
	}
	set(u, (uid_t)uid, (gid_t)gid, name);
	u->change = change != 0;
	u->alone = alone != 0;
	snprintf(u->why, sizeof(u->why), "%s", why);
}

int vm_user_kvm_group(const char *device, gid_t *group, struct err *err)
{
	struct stat st;

	*group = 0;
	if (stat(device, &st) < 0)
		return err_set(err, -errno, "%s: %s", device, strerror(errno));
	if ((st.st_mode & 06) == 06)
		return 0;
	if (!st.st_gid || (st.st_mode & 060) != 060)
		return err_set(
			err, -EACCES,
			"%s is root's alone, and QEMU runs as another user (give it to a group, as "
			"`chgrp kvm %s; chmod 0660 %s` does, or say --accel tcg or --user root)",
			device, device, device);
	*group = st.st_gid;
	return 0;
}

int vm_user_can_read(const struct vm_user *u, const char *path)
{
	int status = 0;
	pid_t pid;

	if (!u->change)
		return access(path, R_OK) < 0 ? -errno : 0;
	pid = fork();
	if (pid == 0) {
		int rc = users_become(u->uid, u->gid, 0);

		/* Opening could wait, for a pipe say. */
		_exit(rc < 0 ? -rc : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) < 0 ? errno : 0);
	}
	if (pid < 0)
		return -errno;
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}
