/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/users.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_BIT(cap) (1u << (cap)) /* of the first 32, which all are that we ask for */

bool users_number(const char *text, unsigned *id)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || *text == '+' || v >= (unsigned)-1)
		return false;
	*id = (unsigned)v;
	return true;
}

/* Of the four in a process's status: real, effective, saved, of files. */
static bool status_has(const char *path, uid_t uid)
{
	unsigned is[4] = {0};
	bool found = false;
	FILE *f = fopen(path, "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Uid: %u %u %u %u", &is[0], &is[1], &is[2], &is[3]) == 4) {
			for (unsigned i = 0; i < 4; i++)
				found |= is[i] == uid;
			break;
		}
	if (f)
		fclose(f);
	return found;
}

static bool is_running(uid_t uid)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	bool found = false;

	while (dir && !found && (e = readdir(dir))) {
		char path[300];

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/status", e->d_name);
		found = status_has(path, uid);
	}
	if (dir)
		closedir(dir);
	return found;
}

bool users_is_known(unsigned id)
{
	return getpwuid(id) || getgrgid(id);
}

bool users_is_free(unsigned id)
{
	return !users_is_known(id) && !is_running(id);
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

static bool has_capabilities(unsigned bits)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	return syscall(SYS_capget, &head, data) == 0 && (data[0].effective & bits) == bits;
}

const char *users_why_not(uid_t uid, gid_t gid)
{
	if (!has_capabilities(CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_CHOWN)))
		return "it lacks CAP_SETUID, CAP_SETGID or CAP_CHOWN";
	if (!is_mapped("/proc/self/uid_map", uid) || !is_mapped("/proc/self/gid_map", gid))
		return "its user namespace has no other user";
	return NULL;
}

int users_become(uid_t uid, gid_t gid, gid_t other_group)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	/* What a program with file capabilities could get; without CAP_SETPCAP no_new_privs alone is in its way. */
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (setgroups(other_group ? 1 : 0, &other_group) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* All, whatever securebits say: those that are inherited outlive a change of user anyway. */
	if (syscall(SYS_capset, &head, none) < 0)
		return -errno;
	return 0;
}
