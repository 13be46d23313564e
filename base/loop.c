/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/loop.h"

#include <errno.h>
#include <stdatomic.h>
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
	size_t at; /* its place in loop->timers */
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
	_Atomic uint64_t *since_ns; /* or NULL */
	struct loop_timer **timers; /* a binary heap: the earliest one first */
	size_t n_timers, timers_size;
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
	while (l->n_timers)
		loop_timer_del(l->timers[0]);
	free(l->timers);
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

static void heap_put(struct loop *l, size_t at, struct loop_timer *t)
{
	l->timers[at] = t;
	t->at = at;
}

/* Moves t, which belongs at place at or nearer to the first, to where it is in order. */
static void heap_up(struct loop *l, size_t at, struct loop_timer *t)
{
	for (; at && l->timers[(at - 1) / 2]->due_ns > t->due_ns; at = (at - 1) / 2)
		heap_put(l, at, l->timers[(at - 1) / 2]);
	heap_put(l, at, t);
}

static void heap_down(struct loop *l, size_t at, struct loop_timer *t)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < l->n_timers &&
		    l->timers[child + 1]->due_ns < l->timers[child]->due_ns)
			child++;
		if (child >= l->n_timers || l->timers[child]->due_ns >= t->due_ns)
			break;
		heap_put(l, at, l->timers[child]);
		at = child;
	}
	heap_put(l, at, t);
}

static int heap_grow(struct loop *l)
{
	size_t size = l->timers_size ? 2 * l->timers_size : 16;
	struct loop_timer **timers;

	if (l->n_timers < l->timers_size)
		return 0;
	timers = reallocarray(l->timers, size, sizeof(struct loop_timer *));
	if (!timers)
		return -ENOMEM;
	l->timers = timers;
	l->timers_size = size;
	return 0;
}

int loop_timer_add(struct loop *l, uint64_t delay_ns, loop_fn fn, void *arg,
		   struct loop_timer **slot)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (!t || heap_grow(l) < 0) {
		free(t);
		return -ENOMEM;
	}
	t->loop = l;
	t->slot = slot;
	t->fn = fn;
	t->arg = arg;
	t->due_ns = loop_now_ns() + delay_ns;
	heap_up(l, l->n_timers++, t);
	*slot = t;
	return 0;
}

void loop_timer_del(struct loop_timer *t)
{
	struct loop *l;
	struct loop_timer *last;

	if (!t)
		return;
	l = t->loop;
	*t->slot = NULL;
	last = l->timers[--l->n_timers];
	if (last != t) {
		/* The last one takes its place, and moves whichever way is right. */
		if (last->due_ns < t->due_ns)
			heap_up(l, t->at, last);
		else
			heap_down(l, t->at, last);
	}
	free(t);
}

static void timers_run(struct loop *l)
{
	uint64_t now_ns = loop_now_ns();
	struct loop_timer *t;

	while (l->n_timers && (t = l->timers[0])->due_ns <= now_ns) {
		loop_fn fn = t->fn;
		void *arg = t->arg;

		loop_timer_del(t);
		fn(arg);
	}
}

static int wait_ms(struct loop *l, int timeout_ms)
{
	uint64_t now_ns = loop_now_ns(), left_ms;
	const struct loop_timer *t;

	if (!l->n_timers)
		return timeout_ms;
	t = l->timers[0];
	/* Rounded up: a timer that is called early would be called twice. */
	left_ms = t->due_ns <= now_ns ? 0 : (t->due_ns - now_ns + MS_NS - 1) / MS_NS;
	if (left_ms > 1000000)
		left_ms = 1000000;
	return timeout_ms >= 0 && (uint64_t)timeout_ms < left_ms ? timeout_ms : (int)left_ms;
}

void loop_pulse(struct loop *l, _Atomic uint64_t *since_ns)
{
	l->since_ns = since_ns;
}

static void pulse(struct loop *l, uint64_t since_ns)
{
	if (l->since_ns)
		atomic_store_explicit(l->since_ns, since_ns, memory_order_relaxed);
}

int loop_once(struct loop *l, int timeout_ms)
{
	struct epoll_event evs[EVENTS_MAX];
	int n = epoll_wait(l->epfd, evs, EVENTS_MAX, wait_ms(l, timeout_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	pulse(l, l->since_ns ? loop_now_ns() : 0);
	for (int i = 0; i < n; i++) {
		struct loop_fd *w = evs[i].data.ptr;

		if (w->fn)
			w->fn(w->arg, w->fd, evs[i].events);
	}
	timers_run(l);
	bury(l);
	pulse(l, 0);
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
