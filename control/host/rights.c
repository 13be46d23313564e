/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/users.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true /* at its end and in its reports it needs the rest */
#else
#define SANITIZED false
#endif

/* Its own range: neither the process that forwards, of whatever switch, nor a VM may be the same user. */
uid_t rights_user(const char *run_dir)
{
	const unsigned n = USERS_HOST_MAX - USERS_HOST_MIN + 1;
	unsigned hash = 2166136261u;

	if (geteuid() != 0)
		return 0;
	for (const char *at = run_dir; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	for (unsigned i = 0; i < n; i++) {
		unsigned id = USERS_HOST_MIN + (hash + i) % n;

		if (users_is_free(id))
			return id;
	}
	LOG_WARN("switch: host helper: each user from %u to %u is in use; it stays root's",
		 USERS_HOST_MIN, USERS_HOST_MAX);
	return 0;
}

static uint64_t all_of(const int *caps)
{
	uint64_t bits = 0;

	for (; *caps >= 0; caps++)
		bits |= 1ull << *caps;
	return bits;
}

static int user_become(const struct rights *r)
{
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(r->gid, r->gid, r->gid) < 0 || setresuid(r->uid, r->uid, r->uid) < 0)
		return -errno;
	return 0;
}

static int set_reduce(uint64_t keep, bool pass_on)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (unsigned i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = pass_on ? data[i].permitted : 0;
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	for (unsigned cap = 0; pass_on && cap < 64; cap++)
		if (data[cap / 32].permitted >> (cap % 32) & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	return 0;
}

int rights_reduce(const struct rights *r, struct err *err)
{
	uint64_t keep = all_of(r->caps);
	int rc;

	/* Bounding set: what root's programs would get again. Without the right to, there is nothing to get. */
	for (int cap = 0; cap < 64; cap++)
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0 && errno == EINVAL)
			break;
	rc = r->uid ? user_become(r) : 0;
	if (rc < 0)
		LOG_WARN("%s: it stays root's, as it cannot become user %u: %s", r->who, r->uid,
			 strerror(-rc));
	rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
	if (rc == 0)
		rc = set_reduce(keep, r->pass_on);
	/* Nobody of the same user looks into it, or holds it up. */
	if (rc == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		rc = -errno;
	return rc < 0 ? err_set(err, rc, "cannot give rights up: %s", strerror(-rc)) : 0;
}

static int files_confine(const struct rights *r, const struct landlock_path *paths, struct err *err)
{
	int fd = landlock_make(paths), rc = fd < 0 ? fd : landlock_enter(fd);

	if (fd >= 0)
		close(fd);
	if (rc == -ENOSYS || rc == -EOPNOTSUPP) {
		LOG_WARN("%s: this kernel has no Landlock", r->who);
		return 0;
	}
	return rc < 0 ? err_set(err, rc, "Landlock: %s", strerror(-rc)) : 0;
}

int rights_confine(const struct rights *r, const struct landlock_path *paths,
		   const struct call *table, struct err *err)
{
	struct calls *filter;
	int rc;

	if (SANITIZED)
		return 0;
	if (!calls_known()) {
		LOG_WARN("%s: this kernel has no filter of system calls", r->who);
		return files_confine(r, paths, err);
	}
	rc = calls_make(table, &filter, err);
	if (rc < 0)
		return rc;
	rc = files_confine(r, paths, err);
	if (rc == 0) {
		rc = calls_enter(filter, r->who, NULL);
		if (rc < 0)
			err_set(err, rc, "seccomp: %s", strerror(-rc));
	}
	calls_free(filter);
	return rc;
}
