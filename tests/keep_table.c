/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/keep_table.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd_msg.h"

#define KEPT_MAX 4096
#define SEND_MS	 10000

struct kept {
	struct keep_key key;
	int fd;
};

struct keep_table {
	struct kept kept[KEPT_MAX];
	unsigned n;
	int tell; /* in the process that will die; else -1 */
};

enum verb { PUT, DROP, DROP_SLOT };

struct message {
	enum verb verb;
	struct keep_key key;
	uint32_t kinds;
};

struct keep_table *keep_table_create(void)
{
	struct keep_table *t = calloc(1, sizeof(*t));

	t->tell = -1;
	return t;
}

void keep_table_destroy(struct keep_table *t)
{
	for (unsigned i = 0; i < t->n; i++)
		close(t->kept[i].fd);
	free(t);
}

unsigned keep_table_n(const struct keep_table *t)
{
	return t->n;
}

static void forget(struct keep_table *t, unsigned i)
{
	close(t->kept[i].fd);
	t->kept[i] = t->kept[--t->n];
}

static bool same(struct keep_key a, struct keep_key b)
{
	return a.kind == b.kind && a.slot == b.slot && a.index == b.index;
}

static void obey(struct keep_table *t, const struct message *m, int fd)
{
	for (unsigned i = t->n; i-- > 0;)
		if (m->verb == DROP_SLOT ? m->key.slot == t->kept[i].key.slot &&
						   KEEP_BIT(t->kept[i].key.kind) & m->kinds
					 : same(m->key, t->kept[i].key))
			forget(t, i);
	if (m->verb == PUT) {
		if (t->n == KEPT_MAX)
			abort();
		t->kept[t->n++] = (struct kept){m->key, fd};
	}
}

static void tell(struct keep_table *t, const struct message *m, int fd)
{
	obey(t, m, fd >= 0 ? dup(fd) : -1);
	if (t->tell >= 0 && fd_msg_send(t->tell, m, sizeof(*m), &fd, fd >= 0, SEND_MS) < 0) {
		perror("keep_table");
		abort();
	}
}

static int put(void *arg, struct keep_key key, int fd)
{
	tell(arg, &(struct message){PUT, key, 0}, fd);
	return 0;
}

static void drop(void *arg, struct keep_key key)
{
	tell(arg, &(struct message){DROP, key, 0}, -1);
}

static void drop_slot(void *arg, uint16_t slot, uint32_t kinds)
{
	tell(arg, &(struct message){DROP_SLOT, {.slot = slot}, kinds}, -1);
}

static int take(void *arg, struct keep_key key)
{
	struct keep_table *t = arg;

	for (unsigned i = 0; i < t->n; i++)
		if (same(key, t->kept[i].key))
			return dup(t->kept[i].fd);
	return -1;
}

const struct keep_ops keep_table_ops = {
	.put = put, .drop = drop, .drop_slot = drop_slot, .take = take};

/* One message; false: all has been said. */
static bool hear(struct keep_table *t, int from)
{
	struct message m;
	unsigned n_fds;
	int fd = -1;

	if (fd_msg_receive(from, &m, sizeof(m), &fd, 1, &n_fds, -1) != sizeof(m))
		return false;
	obey(t, &m, n_fds ? fd : -1);
	return true;
}

static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGSYS};

int keep_table_life(struct keep_table *t, void (*fn)(void *arg), void *arg)
{
	int ends[2], status = 0;
	pid_t pid;

	if (fd_msg_pair(ends) < 0)
		abort();
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		t->tell = ends[1];
		/* Not the test's own: they would begin the next test in this process. */
		for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
			signal(fatal[i], SIG_DFL);
		fn(arg);
		fflush(NULL);
		_exit(0);
	}
	close(ends[1]);
	while (hear(t, ends[0]))
		;
	close(ends[0]);
	waitpid(pid, &status, 0);
	return status;
}
