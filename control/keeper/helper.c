/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "base/log.h"
#include "tap/host_msg.h"

#define SOCKET_FD 3
#define LOCKS_MAX 4
#define END_MS	  5000 /* that it may take to undo all */

struct helper {
	struct loop *loop;
	struct helper_opts opts;
	int fd, pidfd;
	pid_t pid; /* 0: none runs */
	struct loop_fd *questions, *exit;
};

static void on_question(void *arg, int fd, uint32_t events);

/* ---- the child ---- */

/* Rights of a keeper that is not root go on to what it executes only if they are ambient. */
static void rights_pass_on(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (geteuid() == 0 || syscall(SYS_capget, &header, data) < 0)
		return;
	for (unsigned i = 0; i < 2; i++)
		data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		return;
	for (unsigned cap = 0; cap < 64; cap++)
		if (data[cap / 32].permitted >> (cap % 32) & 1)
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
}

/* Between fork and exec. */
static void child(const struct helper *h)
{
	char *argv[] = {(char *)h->opts.program, (char *)h->opts.run_dir, NULL};
	int fds[1 + LOCKS_MAX] = {h->fd};
	unsigned n = 1;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (unsigned i = 0; i < h->opts.n_locks && i < LOCKS_MAX; i++)
		fds[n++] = h->opts.lock_fds[i];
	/* First out of the way of one another, without CLOEXEC. */
	for (unsigned i = 0; i < n; i++)
		fds[i] = fcntl(fds[i], F_DUPFD, SOCKET_FD + LOCKS_MAX + 1);
	for (unsigned i = 0; i < n; i++)
		dup2(fds[i], SOCKET_FD + (int)i);
	syscall(SYS_close_range, SOCKET_FD + n, ~0u, 0);
	rights_pass_on();
	execv(argv[0], argv);
	LOG_ERR("switch: cannot execute \"%s\": %s", argv[0], strerror(errno));
	_exit(127);
}

/* ---- lives ---- */

static void questions_watch(struct helper *h)
{
	if (!h->questions &&
	    loop_fd_add(h->loop, h->fd, EPOLLIN, on_question, h, &h->questions) < 0)
		LOG_ERR("switch: the host helper cannot be started again: out of memory");
}

/* Whoever waits for an answer waits no longer. */
static void lost_say(struct helper *h)
{
	struct host_answer gone = {.op = HOST_GONE};
	struct host_question q;
	int fds[FD_MSG_FDS];
	unsigned n;
	int size;

	while ((size = fd_msg_receive(h->fd, &q, sizeof(q), fds, FD_MSG_FDS, &n, 0)) > 0 ||
	       size == -EPROTO)
		fd_msg_close(fds, n);
	fd_msg_send(h->fd, &gone, sizeof(gone), NULL, 0, 0);
}

static void bury(struct helper *h)
{
	int status = 0;

	loop_fd_del(h->exit);
	h->exit = NULL;
	waitpid(h->pid, &status, 0);
	close(h->pidfd);
	if (WIFSIGNALED(status))
		LOG_WARN("switch: the host helper %d was killed by signal %d", (int)h->pid,
			 WTERMSIG(status));
	else if (WEXITSTATUS(status))
		LOG_WARN("switch: the host helper %d ended with status %d", (int)h->pid,
			 WEXITSTATUS(status));
	h->pid = 0;
	h->pidfd = -1;
}

static void on_exit_(void *arg, int fd, uint32_t events)
{
	struct helper *h = arg;

	bury(h);
	lost_say(h);
	questions_watch(h);
}

static int start(struct helper *h)
{
	pid_t pid = fork();
	int rc;

	if (pid == 0)
		child(h);
	if (pid < 0)
		return -errno;
	h->pid = pid;
	h->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	rc = h->pidfd < 0 ? -errno : loop_fd_add(h->loop, h->pidfd, EPOLLIN, on_exit_, h, &h->exit);
	if (rc == 0)
		return 0;
	kill(pid, SIGKILL);
	bury(h);
	return rc;
}

/* The first question since one ran. It is left to be read by the helper. */
static void on_question(void *arg, int fd, uint32_t events)
{
	struct helper *h = arg;
	int rc;

	loop_fd_del(h->questions);
	h->questions = NULL;
	if (events & EPOLLHUP)
		return;
	rc = start(h);
	if (rc == 0)
		return;
	LOG_ERR("switch: the host helper cannot be started: %s", strerror(-rc));
	lost_say(h);
	questions_watch(h);
}

int helper_create(struct loop *loop, const struct helper_opts *opts, struct helper **out,
		  int *client_fd)
{
	struct helper *h = calloc(1, sizeof(*h));
	int fds[2], rc = h ? fd_msg_pair(fds) : -ENOMEM;

	if (rc < 0) {
		free(h);
		return rc;
	}
	*h = (struct helper){.loop = loop, .opts = *opts, .fd = fds[0], .pidfd = -1};
	questions_watch(h);
	*client_fd = fds[1];
	*out = h;
	return 0;
}

void helper_image(const struct helper *h, struct helper_image *out)
{
	*out = (struct helper_image){.fd = h->fd, .pidfd = h->pidfd, .pid = h->pid};
}

int helper_adopt(struct loop *loop, const struct helper_opts *opts, const struct helper_image *was,
		 struct helper **out)
{
	struct helper *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	*h = (struct helper){
		.loop = loop, .opts = *opts, .fd = was->fd, .pidfd = was->pidfd, .pid = was->pid};
	*out = h;
	if (!h->pid) {
		questions_watch(h);
		return 0;
	}
	return loop_fd_add(loop, h->pidfd, EPOLLIN, on_exit_, h, &h->exit);
}

void helper_destroy(struct helper *h, bool leave)
{
	struct pollfd p;

	if (!h)
		return;
	loop_fd_del(h->questions);
	if (h->pid && leave)
		kill(h->pid, SIGKILL);
	/* Its end of file, whoever else still has the asking end. */
	shutdown(h->fd, SHUT_RDWR);
	if (h->pid) {
		p = (struct pollfd){.fd = h->pidfd, .events = POLLIN};
		if (poll(&p, 1, END_MS) <= 0)
			kill(h->pid, SIGKILL);
		bury(h);
	}
	close(h->fd);
	free(h);
}
