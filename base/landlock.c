/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What linux/landlock.h of 6.1 does not have yet; the kernel takes the part that it knows by its size. */
struct ruleset {
	uint64_t fs, net, scoped;
};
#define FS_TRUNCATE  (1ull << 14) /* from version 3 */
#define FS_IOCTL_DEV (1ull << 15) /* 5 */
#define NET_TCP	     3ull	  /* bind and connect; 4 */
#define SCOPED	     3ull	  /* abstract sockets and signals; 6 */

#define FS_1	((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define READ	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define MAKE	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | FS_TRUNCATE)
#define REMOVE	LANDLOCK_ACCESS_FS_REMOVE_FILE
#define OF_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

int landlock_version(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return v < 0 ? 0 : (int)v;
}

static uint64_t fs_of(int version)
{
	uint64_t fs = FS_1;

	if (version >= 2)
		fs |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		fs |= FS_TRUNCATE;
	if (version >= 5)
		fs |= FS_IOCTL_DEV;
	return fs;
}

static int path_allow(int ruleset, const struct landlock_path *p, uint64_t known)
{
	uint64_t may = p->drop ? MAKE : p->write ? READ | MAKE | REMOVE : READ;
	struct landlock_path_beneath_attr rule = {.parent_fd = open(p->path, O_PATH | O_CLOEXEC)};
	struct stat st;
	int rc = 0;

	if (p->device)
		may |= FS_IOCTL_DEV;
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		may &= OF_FILE;
	rule.allowed_access = may & known;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		rc = -errno;
	close(rule.parent_fd);
	return rc;
}

int landlock_make(const struct landlock_path *paths)
{
	int version = landlock_version(), fd, rc = 0;
	struct ruleset all = {.fs = fs_of(version)};
	size_t size = version >= 6   ? sizeof(all)
		      : version >= 4 ? 2 * sizeof(uint64_t)
				     : sizeof(uint64_t);

	if (!version)
		return -ENOSYS;
	all.net = version >= 4 ? NET_TCP : 0;
	all.scoped = version >= 6 ? SCOPED : 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);
	if (fd < 0)
		return -errno;
	for (; rc == 0 && paths->path; paths++)
		rc = path_allow(fd, paths, all.fs);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int landlock_enter(int fd)
{
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}
