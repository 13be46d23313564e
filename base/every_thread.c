/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/every_thread.h"

#include <dirent.h>
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 10 /* between looks whether somebody who does not answer has ended */

static struct {
	int (*fn)(void *arg);
	void *arg;
	_Atomic int rc;
	sem_t done;
} job;

struct tids {
	pid_t *of;
	unsigned n, size;
};

static void on_signal(int sig)
{
	int saved = errno, rc = job.fn(job.arg);

	if (rc)
		atomic_store(&job.rc, rc);
	errno = saved;
	sem_post(&job.done);
}

static bool has(const struct tids *t, pid_t tid)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->of[i] == tid)
			return true;
	return false;
}

static int add(struct tids *t, pid_t tid)
{
	unsigned size = t->size ? 2 * t->size : 64;
	pid_t *more = t->n < t->size ? t->of : realloc(t->of, size * sizeof(*t->of));

	if (!more)
		return -ENOMEM;
	if (more != t->of)
		t->size = size;
	t->of = more;
	t->of[t->n++] = tid;
	return 0;
}

static bool is_gone(pid_t tid)
{
	return syscall(SYS_tgkill, getpid(), tid, 0) < 0 && errno == ESRCH;
}

static bool answered(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += STEP_MS * 1000000l;
	if (until.tv_nsec >= 1000000000l) {
		until.tv_nsec -= 1000000000l;
		until.tv_sec++;
	}
	while (sem_timedwait(&job.done, &until) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

static int in_thread(pid_t tid)
{
	if (syscall(SYS_tgkill, getpid(), tid, EVERY_THREAD_SIGNAL) < 0)
		return errno == ESRCH ? 0 : -errno;
	for (int ms = 0; ms < EVERY_THREAD_MS; ms += STEP_MS) {
		if (answered())
			return atomic_load(&job.rc);
		if (is_gone(tid))
			return 0;
	}
	return -ETIMEDOUT;
}

/* One look: everybody who is there and has not done it. Returns how many were new. */
static int pass(struct tids *done)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	int rc = 0, n = 0;

	if (!dir)
		return -errno;
	while (rc == 0 && (e = readdir(dir))) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid <= 0 || has(done, tid))
			continue;
		n++;
		rc = in_thread(tid);
		if (rc == 0)
			rc = add(done, tid);
	}
	closedir(dir);
	return rc ? rc : n;
}

int every_thread(int (*fn)(void *arg), void *arg)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
	struct tids done = {NULL, 0, 0};
	int rc;

	job.fn = fn;
	job.arg = arg;
	atomic_store(&job.rc, 0);
	sem_init(&job.done, 0, 0);
	if (sigaction(EVERY_THREAD_SIGNAL, &sa, &before) < 0)
		return -errno;
	rc = add(&done, (pid_t)syscall(SYS_gettid));
	if (rc == 0)
		rc = fn(arg);
	if (rc == 0)
		while ((rc = pass(&done)) > 0)
			;
	/* A thread that did not answer may still come to it: then it does as the others. */
	if (rc != -ETIMEDOUT)
		sigaction(EVERY_THREAD_SIGNAL, &before, NULL);
	free(done.of);
	return rc;
}
