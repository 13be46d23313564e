/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 64 /* a round; the rest is ready in the next one */

struct loop_fd {
	LIST_ENTRY(loop_fd) link;
	struct loop *loop;
	loop_fd_fn fn; /* NULL once deleted */
	void *arg;
	int fd;
};

struct loop_timer {
	LIST_ENTRY(loop_timer) link; /* in order of due_ns */
	struct loop *loop;
	struct loop_timer **slot;
	loop_fn fn;
	void *arg;
	uint64_t due_ns;
};

struct loop {
	int epfd;
	bool stopped;
	int result;
	LIST_HEAD(, loop_fd) fds;
	LIST_HEAD(, loop_fd) dead; /* deleted in this round; events may still name them */
	LIST_HEAD(, loop_timer) timers;
};

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * S_NS + (uint64_t)ts.tv_nsec;
}

int loop_create(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		int rc = -errno;

		free(l);
		return rc;
	}
	*out = l;
	return 0;
}

static void bury(struct loop *l)
{
	struct loop_fd *w;

	while ((w = LIST_FIRST(&l->dead))) {
		LIST_REMOVE(w, link);
		free(w);
	}
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	while (!LIST_EMPTY(&l->fds))
		loop_fd_del(LIST_FIRST(&l->fds));
	while (!LIST_EMPTY(&l->timers))
		loop_timer_del(LIST_FIRST(&l->timers));
	bury(l);
	close(l->epfd);
	free(l);
}

int loop_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_fn fn, void *arg,
		struct loop_fd **out)
{
	struct loop_fd *w = calloc(1, sizeof(*w));
	struct epoll_event ev = {.events = events, .data.ptr = w};

	if (!w)
		return -ENOMEM;
	w->loop = l;
	w->fn = fn;
	w->arg = arg;
	w->fd = fd;
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int rc = -errno;

		free(w);
		return rc;
	}
	LIST_INSERT_HEAD(&l->fds, w, link);
	*out = w;
	return 0;
}

int loop_fd_mod(struct loop_fd *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	return epoll_ctl(w->loop->epfd, EPOLL_CTL_MOD, w->fd, &ev) < 0 ? -errno : 0;
}

void loop_fd_del(struct loop_fd *w)
{
	if (!w)
		return;
	epoll_ctl(w->loop->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fn = NULL;
	LIST_REMOVE(w, link);
	LIST_INSERT_HEAD(&w->loop->dead, w, link);
}

int loop_timer_add(struct loop *l, uint64_t delay_ns, loop_fn fn, void *arg,
		   struct loop_timer **slot)
{
	struct loop_timer *t = calloc(1, sizeof(*t)), *at, *last = NULL;

	if (!t)
		return -ENOMEM;
	t->loop = l;
	t->slot = slot;
	t->fn = fn;
	t->arg = arg;
	t->due_ns = loop_now_ns() + delay_ns;
	LIST_FOREACH(at, &l->timers, link) {
		if (at->due_ns > t->due_ns)
			break;
		last = at;
	}
	if (last)
		LIST_INSERT_AFTER(last, t, link);
	else
		LIST_INSERT_HEAD(&l->timers, t, link);
	*slot = t;
	return 0;
}

void loop_timer_del(struct loop_timer *t)
{
	if (!t)
		return;
	*t->slot = NULL;
	LIST_REMOVE(t, link);
	free(t);
}

static void timers_run(struct loop *l)
{
	uint64_t now_ns = loop_now_ns();
	struct loop_timer *t;

	while ((t = LIST_FIRST(&l->timers)) && t->due_ns <= now_ns) {
		loop_fn fn = t->fn;
		void *arg = t->arg;

		loop_timer_del(t);
		fn(arg);
	}
}

static int wait_ms(struct loop *l, int timeout_ms)
{
	struct loop_timer *t = LIST_FIRST(&l->timers);
	uint64_t now_ns = loop_now_ns(), left_ms;

	if (!t)
		return timeout_ms;
	/* Rounded up: a timer that is called early would be called twice. */
	left_ms = t->due_ns <= now_ns ? 0 : (t->due_ns - now_ns + MS_NS - 1) / MS_NS;
	if (left_ms > 1000000)
		left_ms = 1000000;
	return timeout_ms >= 0 && (uint64_t)timeout_ms < left_ms ? timeout_ms : (int)left_ms;
}

int loop_once(struct loop *l, int timeout_ms)
{
	struct epoll_event evs[EVENTS_MAX];
	int n = epoll_wait(l->epfd, evs, EVENTS_MAX, wait_ms(l, timeout_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++) {
		struct loop_fd *w = evs[i].data.ptr;

		if (w->fn)
			w->fn(w->arg, w->fd, evs[i].events);
	}
	timers_run(l);
	bury(l);
	return 0;
}

int loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped) {
		int rc = loop_once(l, -1);

		if (rc < 0)
			return rc;
	}
	return l->result;
}

void loop_stop(struct loop *l, int result)
{
	l->stopped = true;
	l->result = result;
}
