/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/qemu_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/users.h"

#define HIGH 64 /* out of the way of the numbers that they shall get */

static void fds_place(const struct qemu_exec *x)
{
	int null_fd = open("/dev/null", O_RDONLY), high[QEMU_FD_END];

	for (int i = QEMU_FD_QMP; i < QEMU_FD_END; i++)
		high[i] = x->fds[i] >= 0 ? fcntl(x->fds[i], F_DUPFD, HIGH) : -1;
	dup2(null_fd, STDIN_FILENO);
	dup2(x->err_fd, STDOUT_FILENO);
	dup2(x->err_fd, STDERR_FILENO);
	for (int i = QEMU_FD_QMP; i < QEMU_FD_END; i++)
		if (high[i] >= 0)
			dup2(high[i], i);
		else
			close(i);
	syscall(SYS_close_range, QEMU_FD_END, ~0u, 0);
}

static void fail(const struct qemu_exec *x, int error)
{
	dprintf(STDERR_FILENO, "%s cannot be started%s%s: %s\n", x->argv[0],
		x->user->change ? " as user " : "", x->user->change ? x->user->name : "",
		strerror(error));
	_exit(127);
}

static void become(const struct qemu_exec *x)
{
	const struct rlimit none = {0, 0}, threads = {x->n_threads, x->n_threads};
	int rc;

	/* It could write one nowhere; a program that core_pattern names gets it all the same, without guest memory. */
	setrlimit(RLIMIT_CORE, &none);
	if (x->n_threads)
		setrlimit(RLIMIT_NPROC, &threads);
	umask(0077);
	rc = users_become(x->user->uid, x->user->gid, x->kvm_group);
	if (rc < 0)
		fail(x, -rc);
}

void qemu_exec(const struct qemu_exec *x)
{
	sigset_t none;
	char go;

	if (read(x->go_fd, &go, 1) != 1)
		_exit(126);
	fds_place(x);
	if (chdir(x->folder) < 0)
		fail(x, errno);
	if (x->user->change)
		become(x);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(x->argv[0], x->argv);
	fail(x, errno);
	_exit(127);
}
