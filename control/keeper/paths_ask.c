/* SPDX-License-Identifier: BSD-3-Clause */
/* The packet process's side of control/keeper/paths.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "base/loop.h"
#include "control/keeper/paths.h"
#include "control/keeper/paths_msg.h"

static int sock = -1;
static uint32_t seq;

/* What a predecessor asked for, or we no longer wait for, is nobody's. Returns the answer's size, or -errno. */
static int answer_await(const struct paths_question *q, struct paths_answer *a, int *out)
{
	uint64_t end_ns = loop_now_ns() + PATHS_WAIT_MS * MS_NS;
	unsigned n;
	int size;

	do {
		uint64_t now_ns = loop_now_ns();

		if (now_ns >= end_ns)
			return -ETIMEDOUT;
		size = fd_msg_receive(sock, a, sizeof(*a), out, 1, &n,
				      (int)((end_ns - now_ns) / MS_NS) + 1);
		if (size == sizeof(*a) && a->seq == q->seq && a->op == q->op)
			return n ? 0 : (*out = -1, 0);
		if (size > 0)
			fd_msg_close(out, n);
	} while (size > 0 || size == -EAGAIN || size == -EPROTO);
	return size;
}

/* Returns the answer's result. fd: goes with the question, or -1. *out: what came back, or -1. */
static int ask(struct paths_question *q, int fd, int *out, struct err *err)
{
	struct paths_answer a = {0};
	int rc;

	*out = -1;
	q->seq = ++seq;
	rc = fd_msg_send(sock, q, sizeof(*q), &fd, fd >= 0, 0);
	if (rc == 0)
		rc = answer_await(q, &a, out);
	if (rc < 0)
		return err_set(err, rc, "the keeper does not open sockets: %s", strerror(-rc));
	if (a.result < 0 && err) {
		a.err.text[sizeof(a.err.text) - 1] = a.err.hint[sizeof(a.err.hint) - 1] = '\0';
		*err = a.err;
	}
	return a.result;
}

static struct paths_question question(enum paths_op op, const char *path)
{
	struct paths_question q = {.op = op};

	memcpy(q.path, path, strnlen(path, sizeof(q.path) - 1));
	return q;
}

static void word_copy(char *to, size_t size, const char *word)
{
	if (word)
		memcpy(to, word, strnlen(word, size - 1));
}

static int ask_bind(const char *path, int type, const struct unix_path_words *whose, int *fd, struct err *err)
{
	struct paths_question q = question(PATHS_BIND, path);
	int rc;

	if (whose) {
		word_copy(q.owner, sizeof(q.owner), whose->owner);
		word_copy(q.group, sizeof(q.group), whose->group);
		word_copy(q.mode, sizeof(q.mode), whose->mode);
	}
	q.type = type;
	rc = ask(&q, -1, fd, err);
	if (rc == 0 && *fd < 0)
		rc = err_set(err, -EPROTO, "the keeper has bound %s, but not handed it on", path);
	return rc;
}

static int ask_connect(const char *path)
{
	struct paths_question q = question(PATHS_CONNECT, path);
	int fd, rc = ask(&q, -1, &fd, NULL);

	return rc < 0 ? rc : fd < 0 ? -EPROTO : fd;
}

static int ask_peer(int fd, const char *path)
{
	struct paths_question q = question(PATHS_PEER, path);
	int out, rc = ask(&q, fd, &out, NULL);

	fd_msg_close(&out, 1);
	return rc;
}

static bool ask_is_there(int fd)
{
	struct paths_question q = question(PATHS_IS_THERE, "");
	int out, rc = ask(&q, fd, &out, NULL);

	fd_msg_close(&out, 1);
	return rc > 0;
}

static void ask_unlink(int fd)
{
	struct paths_question q = question(PATHS_UNLINK, "");
	int out;

	ask(&q, fd, &out, NULL);
	fd_msg_close(&out, 1);
}

static const struct unix_path_ops by_keeper = {
	.bind = ask_bind,
	.connect = ask_connect,
	.peer = ask_peer,
	.is_there = ask_is_there,
	.unlink = ask_unlink,
};

void paths_ask_by(int fd)
{
	sock = fd;
	/* Other than a predecessor's, whose last answer may still come. */
	seq = (uint32_t)loop_now_ns() ^ (uint32_t)getpid() << 16;
	unix_path_ops_set(&by_keeper);
}

void paths_ask_end(void)
{
	unix_path_ops_set(&unix_path_direct);
	if (sock >= 0)
		close(sock);
	sock = -1;
}
