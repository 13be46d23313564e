/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "bench/latency.h"
#include "bench/traffic.h"

#define LOST_S 0.1

/* The bare wake's other side. */
struct sleeper {
	int event_fd, epoll_fd;
	_Atomic uint64_t woke; /* TSC; 0: not yet */
	atomic_bool ends;
	pthread_t thread;
};

static void *sleeper_run(void *arg)
{
	struct sleeper *s = arg;
	struct epoll_event ev;
	uint64_t count;

	while (!atomic_load(&s->ends)) {
		if (epoll_wait(s->epoll_fd, &ev, 1, -1) != 1)
			continue;
		if (read(s->event_fd, &count, sizeof(count)) == sizeof(count))
			atomic_store(&s->woke, tsc());
	}
	return NULL;
}

static int sleeper_start(struct sleeper *s, int cpu, struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN};
	pthread_attr_t attr;
	cpu_set_t set;
	int rc;

	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->event_fd < 0 || s->epoll_fd < 0 ||
	    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->event_fd, &ev) < 0)
		return err_set(err, -errno, "no eventfd to wake: %s", strerror(errno));
	pthread_attr_init(&attr);
	if (cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET((size_t)cpu, &set);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	rc = pthread_create(&s->thread, &attr, sleeper_run, s);
	pthread_attr_destroy(&attr);
	return rc ? err_set(err, -rc, "no thread on CPU %d to wake: %s", cpu, strerror(rc)) : 0;
}

static void wake(struct sleeper *s)
{
	uint64_t one = 1;

	if (write(s->event_fd, &one, sizeof(one)) < 0)
		return;
}

/* Cycles from the write to the other thread's first instruction after epoll; 0: none came. */
static uint64_t bare_wake(struct ends *l, struct sleeper *s)
{
	uint64_t start = tsc(), limit = start + (uint64_t)(LOST_S * l->tsc_hz), woke;

	atomic_store(&s->woke, 0);
	wake(s);
	while (!(woke = atomic_load(&s->woke)) && tsc() < limit)
		;
	return woke ? woke - start : 0;
}

static uint64_t first_frame(struct ends *l)
{
	uint64_t start = tsc(), limit = start + (uint64_t)(LOST_S * l->tsc_hz);

	end_send(l, &l->all[0].senders[0], 1, TOUCH_FIRST);
	while (tsc() < limit)
		if (traffic_receive(l, false))
			return tsc() - start;
	return 0;
}

static void pause_for(double ms)
{
	struct timespec t = {(time_t)(ms / 1e3), (long)((ms - 1e3 * (double)(time_t)(ms / 1e3)) * 1e6)};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static struct latency times(const struct ends *l, const struct histogram *h)
{
	double us = 1e6 / l->tsc_hz;

	return (struct latency){
		.p50_us = (double)histogram_at(h, 0.5) * us,
		.p99_us = (double)histogram_at(h, 0.99) * us,
		.p999_us = (double)histogram_at(h, 0.999) * us,
		.n = h->n,
	};
}

int idle_measure(struct ends *l, struct idle *out, struct err *err)
{
	struct histogram *h = calloc(2, sizeof(*h));
	struct sleeper s = {0};
	int rc = h ? sleeper_start(&s, l->o->wake_cpu, err) : err_set(err, -ENOMEM, "no memory");

	*out = (struct idle){0};
	if (rc < 0) {
		free(h);
		return rc;
	}
	for (unsigned i = 0; i < l->o->samples; i++) {
		uint64_t cycles;

		pause_for(l->o->idle_gap_ms);
		cycles = first_frame(l);
		if (cycles)
			histogram_add(&h[0], cycles);
		else
			out->n_lost++;
		pause_for(l->o->idle_gap_ms);
		cycles = bare_wake(l, &s);
		if (cycles)
			histogram_add(&h[1], cycles);
	}
	atomic_store(&s.ends, true);
	wake(&s);
	pthread_join(s.thread, NULL);
	close(s.event_fd);
	close(s.epoll_fd);
	out->frame = times(l, &h[0]);
	out->bare = times(l, &h[1]);
	free(h);
	return 0;
}
