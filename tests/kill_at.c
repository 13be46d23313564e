/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kills a process before the Nth system call that one of its threads makes from now on.
 *
 * usage: kill_at TID N     says "ready", then "killed at NUMBER of N" once it has; a line on stdin gives up,
 *        which it says with the number of calls that there were: "only K"
 * How      The thread alone is traced; the signal goes to its process while it stands before the call.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#define LOOK_US 200

static void die(const char *what)
{
	fprintf(stderr, "kill_at: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool told_to_end(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&p, 1, 0) != 0;
}

/* The next stop; 0: somebody told us to end, or the thread has. */
static int next_stop(pid_t tid)
{
	int status;

	for (;;) {
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);

		if (got == tid)
			return WIFSTOPPED(status) ? status : 0;
		if (got < 0 || told_to_end())
			return 0;
		usleep(LOOK_US);
	}
}

int main(int argc, char **argv)
{
	pid_t tid = argc == 3 ? (pid_t)strtol(argv[1], NULL, 10) : 0;
	unsigned long n = 0, wanted = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	int status;

	if (tid <= 0 || !wanted) {
		fputs("usage: kill_at TID N\n", stderr);
		return 2;
	}
	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) < 0 ||
	    ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
		die("cannot trace");
	if (waitpid(tid, &status, __WALL) != tid || ptrace(PTRACE_SYSCALL, tid, 0, 0) < 0)
		die("cannot stop it");
	puts("ready");
	fflush(stdout);
	while ((status = next_stop(tid)) != 0) {
		struct ptrace_syscall_info info = {.op = 0};
		int sig = WSTOPSIG(status);

		if (sig == (SIGTRAP | 0x80)) {
			sig = 0;
			if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) > 0 &&
			    info.op == PTRACE_SYSCALL_INFO_ENTRY && ++n == wanted) {
				kill(tid, SIGKILL);
				printf("killed at %llu of %lu\n", (unsigned long long)info.entry.nr,
				       n);
				return 0;
			}
		} else if (status >> 16) {
			sig = 0; /* a stop of ptrace's own */
		}
		if (ptrace(PTRACE_SYSCALL, tid, 0, sig) < 0)
			break;
	}
	printf("only %lu\n", n);
	return 0;
}
