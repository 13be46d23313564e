/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define CHANNEL_FD 3
#define ARGS_MAX   64

/* Between fork and exec. */
static void child(const char *program, char *const *argv, int channel, pid_t keeper)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* It may have died before that. */
	if (getppid() != keeper)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* dup2() of a descriptor to itself would leave it to be closed by exec. */
	if (channel == CHANNEL_FD)
		channel = dup(channel);
	dup2(channel, CHANNEL_FD);
	syscall(SYS_close_range, CHANNEL_FD + 1, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */);
	execv(program, argv);
	LOG_ERR("switch: cannot execute \"%s\": %s", program, strerror(errno));
	_exit(127);
}

/* The keeper's arguments and where the channel is. */
static int args_make(const char *program, char *const *argv, char **out, struct err *err)
{
	unsigned n = 0;

	for (; argv[n]; n++) {
		if (n + 3 >= ARGS_MAX)
			return err_set(err, -E2BIG, "more than %d arguments", ARGS_MAX - 3);
		out[n] = n ? argv[n] : (char *)program;
	}
	out[n++] = (char *)"--channel";
	out[n++] = (char *)"3";
	out[n] = NULL;
	return 0;
}

int packet_start(const char *program, char *const *argv, struct packet **out, struct err *err)
{
	struct packet *p = calloc(1, sizeof(*p));
	char *args[ARGS_MAX];
	pid_t keeper = getpid();
	int pair[2], rc;

	if (!p)
		return err_set(err, -ENOMEM, "out of memory");
	rc = args_make(program, argv, args, err);
	if (rc == 0 && channel_pair(pair) < 0)
		rc = err_set(err, -errno, "no socket pair for the packet process: %s",
			     strerror(errno));
	if (rc < 0) {
		free(p);
		return rc;
	}
	p->pid = fork();
	if (p->pid == 0)
		child(program, args, pair[1], keeper);
	rc = p->pid < 0 ? -errno : 0;
	close(pair[1]);
	p->channel = pair[0];
	p->pidfd = rc < 0 ? -1 : (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (rc == 0 && p->pidfd < 0) {
		rc = -errno;
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	if (rc < 0) {
		close(p->channel);
		free(p);
		return err_set(err, rc, "cannot start the packet process: %s", strerror(-rc));
	}
	*out = p;
	return 0;
}

int packet_watch(struct packet *p, struct loop *loop, loop_fd_fn on_exit, loop_fd_fn on_channel, void *arg)
{
	int rc;

	packet_unwatch(p);
	rc = loop_fd_add(loop, p->pidfd, EPOLLIN, on_exit, arg, &p->exit_watch);
	if (rc == 0)
		rc = loop_fd_add(loop, p->channel, EPOLLIN, on_channel, arg, &p->channel_watch);
	if (rc < 0)
		packet_unwatch(p);
	return rc;
}

void packet_unwatch(struct packet *p)
{
	loop_fd_del(p->exit_watch);
	loop_fd_del(p->channel_watch);
	p->exit_watch = p->channel_watch = NULL;
}

static void packet_free(struct packet *p)
{
	packet_unwatch(p);
	close(p->pidfd);
	close(p->channel);
	free(p);
}

void packet_kill(struct packet *p)
{
	if (!p)
		return;
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	packet_free(p);
}

/* Signals that a process brings upon itself, when nobody else sends them. */
static bool is_own_doing(int sig)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGSYS, SIGTRAP};

	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (sig == own[i])
			return true;
	return false;
}

static void killed_by(int sig, enum keep_end *end, char *text, size_t size)
{
	*end = is_own_doing(sig) ? KEEP_CRASHED : KEEP_KILLED;
	snprintf(text, size, "killed by signal %d (%s)", sig, strsignal(sig));
}

int packet_bury(struct packet *p, enum keep_end *end, char *text, size_t size)
{
	siginfo_t si = {0};
	int status = 1;

	*end = KEEP_KILLED;
	if (waitid(P_PID, (id_t)p->pid, &si, WEXITED) < 0) {
		snprintf(text, size, "gone");
	} else if (si.si_code == CLD_EXITED) {
		status = si.si_status;
		snprintf(text, size, "ended with status %d", status);
	} else {
		status = 128 + si.si_status;
		killed_by(si.si_status, end, text, size);
	}
	packet_free(p);
	return status;
}

#define EXIT_CODE_FIELD 52 /* of /proc/PID/stat, see proc(5); as waitpid(2) gives it */
#define STATE_FIELD	3  /* the first one after the name, which may hold anything */

/* A file of /proc/PID; empty when it cannot be read. */
static void proc_read(const struct packet *p, const char *file, char *text, size_t size)
{
	char path[32];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)p->pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
}

bool packet_cause(const struct packet *p, enum keep_end *end, char *text, size_t size)
{
	char line[1024], *at;
	int code = 0;

	proc_read(p, "stat", line, sizeof(line));
	at = strrchr(line, ')');
	at = at ? at + 1 : NULL;
	for (unsigned field = STATE_FIELD; at && field < EXIT_CODE_FIELD; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%d", &code) != 1 || !WIFSIGNALED(code))
		return false;
	killed_by(WTERMSIG(code), end, text, size);
	return true;
}

bool packet_is_stopped(const struct packet *p)
{
	siginfo_t si = {0};

	return waitid(P_PID, (id_t)p->pid, &si, WSTOPPED | WNOHANG | WNOWAIT) == 0 && si.si_pid;
}

bool packet_is_dumping(const struct packet *p)
{
	char text[4096];

	proc_read(p, "status", text, sizeof(text));
	return strstr(text, "\nCoreDumping:\t1") != NULL;
}
