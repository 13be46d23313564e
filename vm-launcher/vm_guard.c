/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_guard.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"

/* The supervisor's end, when it has ended: its wait status. Others are children that it has left. */
static int children_reap(pid_t supervisor, int *status)
{
	int one, found = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &one, WNOHANG)) > 0)
		if (pid == supervisor) {
			*status = one;
			found = 1;
		}
	return found;
}

/* Returns the wait status of the supervisor, to which it passes on what ends a VM: *told is that signal, or was. */
static int watch(pid_t supervisor, const sigset_t *set, int *told)
{
	int status;

	if (*told)
		kill(supervisor, *told);
	for (;;) {
		int sig = sigwaitinfo(set, NULL);

		if (sig == SIGTERM || sig == SIGINT) {
			*told = sig;
			kill(supervisor, sig);
		}
		if (children_reap(supervisor, &status))
			return status;
	}
}

unsigned vm_guard(int report_fd)
{
	uint64_t began[VM_GUARD_TRIES] = {0};
	sigset_t set, before;
	int told = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, &before);
	/* A supervisor that is told to end before it can listen to that hears of it then. */
	sigaddset(&before, SIGTERM);
	sigaddset(&before, SIGINT);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (unsigned n = 0;; n++) {
		uint64_t now = loop_now_ns(), *slot = &began[n % VM_GUARD_TRIES];
		pid_t pid;
		int status;

		if (*slot && now - *slot < VM_GUARD_WITHIN_S * S_NS) {
			LOG_ERR("the supervisor was ended %d times within %d s: it is not started again",
				VM_GUARD_TRIES, VM_GUARD_WITHIN_S);
			_exit(1);
		}
		*slot = now;
		pid = fork();
		if (pid == 0) {
			sigprocmask(SIG_SETMASK, &before, NULL);
			return n;
		}
		if (n == 0)
			close(report_fd);
		if (pid < 0) {
			LOG_ERR("no supervisor can be started: %s", strerror(errno));
			_exit(1);
		}
		status = watch(pid, &set, &told);
		if (WIFEXITED(status))
			_exit(WEXITSTATUS(status));
		LOG_WARN("the supervisor was ended by signal %d (%s); starting another one",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	}
}
