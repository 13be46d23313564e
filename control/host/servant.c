/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/servant.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "base/log.h"

#define SOCKET_FD 3
#define WAIT_MS	  3000 /* less than whoever asks the helper waits (HOST_WAIT_MS) */
#define WORDS_MAX 1024 /* bytes of a message */
#define WATCHES	  2
#define TURN	  64 /* messages, before others have theirs */

static struct watch {
	int sock;
	struct loop *loop;
	struct loop_fd *watch;
	void (*take)(const void *answer, int size);
	loop_fn lost;
} watches[WATCHES];

static unsigned n_watches;

int servant_start(const char *name, int (*serve)(int sock, void *arg), void *arg, int *sock,
		  struct err *err)
{
	int pair[2], rc = fd_msg_pair(pair);
	pid_t pid;

	if (rc < 0)
		return err_set(err, rc, "no socket for %s: %s", name, strerror(-rc));
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, name);
		rc = pair[1] == SOCKET_FD ? SOCKET_FD : dup2(pair[1], SOCKET_FD);
		syscall(SYS_close_range, SOCKET_FD + 1, ~0u, 0);
		_exit(rc < 0 ? EXIT_FAILURE : serve(SOCKET_FD, arg));
	}
	rc = -errno;
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_set(err, rc, "cannot start %s: %s", name, strerror(-rc));
	}
	*sock = pair[0];
	return 0;
}

static void on_words(void *arg, int fd, uint32_t events)
{
	struct watch *w = arg;
	_Alignas(8) char words[WORDS_MAX];
	int passed[1], size;
	unsigned n;

	for (unsigned i = 0; i < TURN; i++) {
		size = fd_msg_receive(fd, words, sizeof(words), passed, 1, &n, 0);
		if (size == -EAGAIN)
			return;
		fd_msg_close(passed, n);
		if (size > 0 && w->take)
			w->take(words, size);
		if (size < 0 && size != -EPROTO) {
			loop_fd_del(w->watch);
			w->watch = NULL;
			w->lost(w->loop);
			return;
		}
	}
}

int servant_watch(struct loop *loop, int sock, void (*take)(const void *answer, int size),
		  loop_fn lost)
{
	struct watch *w = &watches[n_watches];

	if (n_watches == WATCHES)
		return -ENOSPC;
	*w = (struct watch){.sock = sock, .loop = loop, .take = take, .lost = lost};
	n_watches++;
	return loop_fd_add(loop, sock, EPOLLIN, on_words, w, &w->watch);
}

struct head {
	uint32_t op, seq;
};

static int answer_await(int sock, const struct head *q, void *answer, int answer_size, int *out,
			void (*take)(const void *answer, int size))
{
	uint64_t now_ns, end_ns = loop_now_ns() + WAIT_MS * MS_NS;
	_Alignas(8) char words[WORDS_MAX];
	struct head a;
	unsigned n;
	int size;

	while ((now_ns = loop_now_ns()) < end_ns) {
		size = fd_msg_receive(sock, words, sizeof(words), out, 1, &n,
				      (int)((end_ns - now_ns) / MS_NS) + 1);
		if (size == -EAGAIN || size == -EPROTO)
			continue;
		if (size < 0)
			return size;
		memset(&a, 0, sizeof(a));
		memcpy(&a, words, (size_t)size < sizeof(a) ? (size_t)size : sizeof(a));
		if (size == answer_size && a.op == q->op && a.seq == q->seq) {
			memcpy(answer, words, (size_t)size);
			*out = n ? *out : -1;
			return 0;
		}
		fd_msg_close(out, n);
		if (take)
			take(words, size);
	}
	return -ETIMEDOUT;
}

int servant_ask(int sock, const void *question, int size, int fd, void *answer, int answer_size,
		int *out, void (*take)(const void *answer, int size), struct err *err)
{
	struct head q;
	int rc = fd_msg_send(sock, question, (size_t)size, &fd, fd >= 0, WAIT_MS);

	memcpy(&q, question, sizeof(q));
	*out = -1;
	if (rc == 0)
		rc = answer_await(sock, &q, answer, answer_size, out, take);
	return rc < 0 ? err_set(err, rc, "the host helper's other half does not answer: %s",
				strerror(-rc))
		      : 0;
}
