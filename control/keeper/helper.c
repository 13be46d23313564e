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
#define LOST_MAX  4096 /* questions: more than its socket holds; whoever goes on asking meanwhile does not hold us up */

#define QUICK	  (1 * S_NS) /* a life that ends sooner may end so each time */
#define QUICK_MAX 8	     /* of these in a row, until the next one waits that long, too */

struct helper {
	struct loop *loop;
	struct helper_opts opts;
	int fd, pidfd; /* fd: the answering end; -1: nobody asks yet */
	int next;      /* where the helper that runs is told the next one; -1 */
	pid_t pid;     /* 0: none runs */
	struct loop_fd *questions, *exit;
	struct loop_timer *later;
	uint64_t start_ns;
	unsigned n_quick;
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
static void child(const struct helper *h, int next)
{
	char *argv[] = {(char *)h->opts.program, (char *)h->opts.run_dir, NULL};
	int fds[2 + LOCKS_MAX] = {h->fd, next};
	unsigned n = 2;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (unsigned i = 0; i < h->opts.n_locks && i < LOCKS_MAX; i++)
		fds[n++] = h->opts.lock_fds[i];
	/* First out of the way of one another, without CLOEXEC. */
	for (unsigned i = 0; i < n; i++)
		fds[i] = fcntl(fds[i], F_DUPFD, SOCKET_FD + LOCKS_MAX + 2);
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

	for (unsigned i = 0; i < LOST_MAX; i++) {
		size = fd_msg_receive(h->fd, &q, sizeof(q), fds, FD_MSG_FDS, &n, 0);
		if (size < 0 && size != -EPROTO)
			break;
		fd_msg_close(fds, n);
	}
	fd_msg_send(h->fd, &gone, sizeof(gone), NULL, 0, 0);
}

static void bury(struct helper *h)
{
	int status = 0;

	loop_fd_del(h->exit);
	h->exit = NULL;
	waitpid(h->pid, &status, 0);
	close(h->pidfd);
	close(h->next);
	h->next = -1;
	if (WIFSIGNALED(status))
		LOG_WARN("switch: the host helper %d was killed by signal %d", (int)h->pid,
			 WTERMSIG(status));
	else if (WEXITSTATUS(status))
		LOG_WARN("switch: the host helper %d ended with status %d", (int)h->pid,
			 WEXITSTATUS(status));
	h->pid = 0;
	h->pidfd = -1;
}

static void on_later(void *arg)
{
	struct helper *h = arg;

	lost_say(h);
	questions_watch(h);
}

static void on_exit_(void *arg, int fd, uint32_t events)
{
	struct helper *h = arg;

	bury(h);
	lost_say(h);
	/* One that cannot live is not to keep us busy for whoever goes on asking. */
	h->n_quick = loop_now_ns() - h->start_ns < QUICK ? h->n_quick + 1 : 0;
	if (h->n_quick < QUICK_MAX || loop_timer_add(h->loop, QUICK, on_later, h, &h->later) < 0)
		questions_watch(h);
}

static int start(struct helper *h)
{
	int next[2], rc = fd_msg_pair(next);
	pid_t pid;

	if (rc < 0)
		return rc;
	pid = fork();
	if (pid == 0)
		child(h, next[1]);
	rc = -errno;
	close(next[1]);
	if (pid < 0) {
		close(next[0]);
		return rc;
	}
	h->next = next[0];
	h->pid = pid;
	h->start_ns = loop_now_ns();
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

int helper_create(struct loop *loop, const struct helper_opts *opts, struct helper **out)
{
	struct helper *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	*h = (struct helper){.loop = loop, .opts = *opts, .fd = -1, .pidfd = -1, .next = -1};
	*out = h;
	return 0;
}

int helper_renew(struct helper *h, int *client_fd)
{
	int fds[2], rc = fd_msg_pair(fds);

	if (rc < 0)
		return rc;
	loop_fd_del(h->questions);
	h->questions = NULL;
	if (h->fd >= 0)
		close(h->fd);
	h->fd = fds[0];
	*client_fd = fds[1];
	/* One that does not hear it does not hear anything. */
	if (h->pid && fd_msg_send(h->next, "", 1, &h->fd, 1, 0) < 0)
		kill(h->pid, SIGKILL);
	if (!h->pid && !h->later)
		questions_watch(h);
	return 0;
}

void helper_image(const struct helper *h, struct helper_image *out)
{
	*out = (struct helper_image){.fd = h->fd, .pidfd = h->pidfd, .next = h->next, .pid = h->pid};
}

int helper_adopt(struct loop *loop, const struct helper_opts *opts, const struct helper_image *was,
		 struct helper **out)
{
	struct helper *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	*h = (struct helper){
		.loop = loop, .opts = *opts, .fd = was->fd, .pidfd = was->pidfd, .next = was->next, .pid = was->pid};
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
	loop_timer_del(h->later);
	if (h->pid && leave)
		kill(h->pid, SIGKILL);
	/* Its end of file, whoever else still has the asking end; and nobody comes next. */
	if (h->next >= 0)
		shutdown(h->next, SHUT_RDWR);
	if (h->fd >= 0)
		shutdown(h->fd, SHUT_RDWR);
	if (h->pid) {
		p = (struct pollfd){.fd = h->pidfd, .events = POLLIN};
		if (poll(&p, 1, END_MS) <= 0)
			kill(h->pid, SIGKILL);
		bury(h);
	}
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}
