/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/program.h"

#define FDS_MAX 4

/* Relative to the folder of the running program, which in the build tree is control/cli. */
static const char *const places[] = {
	"",    "../libexec/lanyard/", "../sbin/",      "../../vm-launcher/",
	"../", "../daemon/",	      "../../control/", NULL};

int process_find(const char *name, char *path, size_t size, struct err *err)
{
	return program_find(places, LANYARD_LIBEXECDIR, "lanyard", name, path, size, err);
}

int process_in_path(const char *name)
{
	const char *dir = getenv("PATH");
	char path[PATH_MAX];

	while (dir && *dir) {
		size_t len = strcspn(dir, ":");

		snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, name);
		if (len && access(path, X_OK) == 0)
			return 1;
		dir += len + (dir[len] == ':');
	}
	return 0;
}

/* Between fork and exec: nothing that allocates. report_fd closes by itself when exec succeeds. */
static void child(char *const *argv, int log_fd, const int *fds, unsigned n_fds, int report_fd)
{
	int high[FDS_MAX], null_fd = open("/dev/null", O_RDONLY), error;
	sigset_t none;

	setsid();
	for (unsigned i = 0; i < n_fds; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 64);
	log_fd = fcntl(log_fd, F_DUPFD, 64);
	report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, 64);
	dup2(null_fd, STDIN_FILENO);
	dup2(log_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	for (unsigned i = 0; i < n_fds; i++)
		dup2(high[i], 3 + (int)i);
	/* What is not handed on is closed by exec. */
	syscall(SYS_close_range, 3 + n_fds, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	execv(argv[0], argv);
	error = errno;
	if (write(report_fd, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

int process_start(char *const *argv, const char *log_path, const int *fds, unsigned n_fds,
		  pid_t *pid, struct err *err)
{
	int log_fd, report[2], error = 0;

	if (n_fds > FDS_MAX)
		return err_set(err, -EINVAL, "program \"%s\": too many descriptors", argv[0]);
	log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (log_fd < 0)
		return err_set(err, -errno, "log \"%s\" cannot be opened: %s", log_path,
			       strerror(errno));
	if (pipe2(report, O_CLOEXEC) < 0) {
		close(log_fd);
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	}
	*pid = fork();
	if (*pid == 0)
		child(argv, log_fd, fds, n_fds, report[1]);
	error = *pid < 0 ? errno : 0;
	close(report[1]);
	close(log_fd);
	if (!error && read(report[0], &error, sizeof(error)) <= 0)
		error = 0;
	close(report[0]);
	if (error && *pid > 0)
		waitpid(*pid, NULL, 0);
	return error ? err_set(err, -error, "program \"%s\" cannot be started: %s", argv[0],
			       strerror(error))
		     : 0;
}
