/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/calls.h"
#include "base/every_thread.h"
#include "base/landlock.h"
#include "base/log.h"
#include "control/daemon/calls_table.h"
#include "switch/quarantine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define ARENAS 8 /* of the allocator; without a number it asks for that of processors */

int confine_begin(struct confinement *c, const struct run_as *user, struct err *err)
{
	c->on = true;
	c->user = *user;
	mallopt(M_ARENA_MAX, ARENAS);
	/* Loads what unwinds stacks, as the end of a thread by pthread_cancel(3) would. */
	backtrace((void *[1]){NULL}, 1);
	/* Neither is of use but for a program that is executed. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot give up new privileges: %s", strerror(errno));
	c->no_new_privs = true;
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		capng_get_caps_process();
		capng_clear(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
			return err_set(err, -EPERM,
				       "cannot empty the set of capabilities that could come back");
	}
	/* A kernel without filters has none: `lanyard status` says so. */
	return SANITIZED || !calls_known() ? 0 : calls_make(calls_table, &c->filter, err);
}

/* ---- what each thread does for itself; in a signal handler ---- */

static int capabilities_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

static int thread_enter(void *arg)
{
	const int *landlock_fd = arg;
	int rc = capabilities_drop();

	/* Threads that were there before confine_begin(), if any. */
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = -errno;
	if (rc == 0 && *landlock_fd >= 0)
		rc = landlock_enter(*landlock_fd);
	return rc;
}

/* ---- the process ---- */

/* Where core_pattern(5) has cores be made, if that is a folder of its own; relative ones go to the state folder,
 * in which we are. */
static const char *core_folder(char *buf, size_t size)
{
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);
	char *slash;

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	slash = buf[0] == '/' ? strrchr(buf, '/') : NULL;
	if (!slash || slash == buf || memchr(buf, '%', (size_t)(slash - buf)))
		return NULL;
	*slash = '\0';
	return buf;
}

/* *fd: -1 where there is none. */
static int landlock_prepare(struct confinement *c, const char *state_dir, int *fd, struct err *err)
{
	char cores[PATH_MAX];
	const struct landlock_path paths[] = {
		{.path = state_dir, .write = true},
		{.path = "/proc"},     /* figures of VMs; descriptors of our own */
		{.path = "/dev/null"}, /* descriptors in reserve */
		{.path = core_folder(cores, sizeof(cores)), .drop = true},
		{.path = NULL},
	};
	int rc = SANITIZED ? -ENOSYS : landlock_make(paths);

	*fd = rc < 0 ? -1 : rc;
	if (rc >= 0)
		c->landlock = landlock_version();
	else if (rc != -ENOSYS && rc != -EOPNOTSUPP)
		return err_set(err, rc, "Landlock does not know the state folder: %s",
			       strerror(-rc));
	return 0;
}

/* What the kernel takes back from one who becomes somebody else: being killed with its parent, and cores. */
static int user_become(const struct run_as *u, int keeper_pid, struct err *err)
{
	int with_parent = 0;

	prctl(PR_GET_PDEATHSIG, &with_parent, 0, 0, 0);
	if (setgroups(0, NULL) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0)
		return err_set(err, -errno, "cannot become user %s: %s", u->name, strerror(errno));
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (!keeper_pid)
		return 0;
	prctl(PR_SET_PDEATHSIG, with_parent, 0, 0, 0);
	return getppid() == keeper_pid ? 0 : err_set(err, -ESRCH, "the keeper has gone");
}

int confine_enter(struct confinement *c, const char *state_dir, int keeper_pid, struct err *err)
{
	int fd, rc = landlock_prepare(c, state_dir, &fd, err);

	if (rc == 0 && chdir(state_dir) < 0)
		rc = err_set(err, -errno, "cannot go to \"%s\": %s", state_dir, strerror(errno));
	if (rc == 0 && c->user.change)
		rc = user_become(&c->user, keeper_pid, err);
	if (rc == 0) {
		rc = every_thread(thread_enter, &fd);
		if (rc < 0)
			err_set(err, rc, "the threads cannot give up their rights: %s",
				strerror(-rc));
	}
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		return rc;
	c->no_capabilities = true;
	if (c->filter) {
		rc = calls_enter(c->filter, "switch", quarantine_witness);
		if (rc < 0)
			return err_set(err, rc, "seccomp: %s", strerror(-rc));
		c->calls = true;
	}
	confine_free(c);
	return 0;
}

void confine_free(struct confinement *c)
{
	calls_free(c->filter);
	c->filter = NULL;
}

void confine_text(const struct confinement *c, char *out, size_t size)
{
	unsigned n = 0, at;

	for (const struct call *row = calls_table; row->name; row++)
		n += !row->error;
	at = (unsigned)snprintf(out, size, "%s%s, no capabilities",
				c->user.change ? "user " : "the caller's user",
				c->user.change ? c->user.name : "");
	if (c->calls)
		at += (unsigned)snprintf(out + at, size - at, ", %u system calls", n);
	else
		at += (unsigned)snprintf(out + at, size - at, ", no filter of system calls");
	if (c->landlock)
		snprintf(out + at, size - at, ", files limited by Landlock (version %d)", c->landlock);
	else
		snprintf(out + at, size - at, ", files not limited: no Landlock");
}
