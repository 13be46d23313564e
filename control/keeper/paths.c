/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "base/log.h"
#include "control/keeper/paths_msg.h"

#define TURN 64 /* questions, before others have theirs */

struct paths {
	int fd;
	struct loop_fd *watch;
};

/* As many descriptors as it needs, and a path where it has one. */
static bool is_whole(const struct paths_question *q, int size, unsigned n_fds)
{
	bool has_path = q->op == PATHS_BIND || q->op == PATHS_CONNECT || q->op == PATHS_PEER;
	bool has_fd = q->op == PATHS_PEER || q->op == PATHS_IS_THERE || q->op == PATHS_UNLINK;

	if (size != sizeof(*q) || (!has_path && !has_fd) || n_fds != has_fd)
		return false;
	if (q->op == PATHS_BIND && q->type != SOCK_STREAM && q->type != SOCK_DGRAM)
		return false;
	if (!memchr(q->owner, '\0', sizeof(q->owner)) || !memchr(q->group, '\0', sizeof(q->group)) ||
	    !memchr(q->mode, '\0', sizeof(q->mode)))
		return false;
	return !has_path || (q->path[0] == '/' && memchr(q->path, '\0', sizeof(q->path)));
}

/* Returns the descriptor that goes back with the answer, or -1. */
static int question_do(const struct paths_question *q, int fd, struct paths_answer *a)
{
	const struct unix_path_words whose = {q->owner, q->group, q->mode};
	const struct unix_path_ops *direct = &unix_path_direct;
	int out = -1;

	switch (q->op) {
	case PATHS_BIND:
		a->result = direct->bind(q->path, q->type, &whose, &out, &a->err);
		break;
	case PATHS_CONNECT:
		out = direct->connect(q->path);
		a->result = out < 0 ? out : 0;
		break;
	case PATHS_PEER:
		a->result = direct->peer(fd, q->path);
		break;
	case PATHS_IS_THERE:
		a->result = direct->is_there(fd);
		break;
	case PATHS_UNLINK:
		direct->unlink(fd);
		break;
	}
	return a->result < 0 ? -1 : out;
}

static void question_answer(struct paths *p, const struct paths_question *q, int fd)
{
	struct paths_answer a = {.op = q->op, .seq = q->seq};
	int out = question_do(q, fd, &a);

	if (fd_msg_send(p->fd, &a, sizeof(a), &out, out >= 0, 0) < 0)
		LOG_WARN_RL("switch: the packet process does not take an answer about a socket");
	if (out >= 0)
		close(out);
}

static void questions_ready(void *arg, int fd, uint32_t events)
{
	struct paths *p = arg;

	for (unsigned i = 0; i < TURN; i++) {
		struct paths_question q = {0};
		unsigned n_fds;
		int passed, size = fd_msg_receive(fd, &q, sizeof(q), &passed, 1, &n_fds, 0);

		if (size == -EAGAIN)
			return;
		if (size < 0 && size != -EPROTO) {
			loop_fd_del(p->watch);
			p->watch = NULL;
			return;
		}
		if (size > 0 && is_whole(&q, size, n_fds))
			question_answer(p, &q, n_fds ? passed : -1);
		else
			LOG_WARN_RL(
				"switch: the packet process asks for a socket in no way that there is");
		fd_msg_close(&passed, n_fds);
	}
}

int paths_fd(const struct paths *p)
{
	return p->fd;
}

int paths_adopt(struct loop *loop, int fd, struct paths **out)
{
	struct paths *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return -ENOMEM;
	p->fd = fd;
	rc = loop_fd_add(loop, fd, EPOLLIN, questions_ready, p, &p->watch);
	if (rc < 0) {
		free(p);
		return rc;
	}
	*out = p;
	return 0;
}

int paths_create(struct loop *loop, struct paths **out, int *client_fd)
{
	struct paths *p = calloc(1, sizeof(*p));
	int fds[2], rc = p ? fd_msg_pair(fds) : -ENOMEM;

	if (rc < 0) {
		free(p);
		return rc;
	}
	p->fd = fds[0];
	rc = loop_fd_add(loop, p->fd, EPOLLIN, questions_ready, p, &p->watch);
	if (rc < 0) {
		close(fds[1]);
		paths_destroy(p);
		return rc;
	}
	*out = p;
	*client_fd = fds[1];
	return 0;
}

void paths_destroy(struct paths *p)
{
	if (!p)
		return;
	loop_fd_del(p->watch);
	close(p->fd);
	free(p);
}
