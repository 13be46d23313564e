/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: worker_run() and poll(); see switch/worker.h. The sleep is the one place here that
 * makes system calls.
 */
#include "switch/worker.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_rcu_qsbr.h>

#include "switch/decided.h"
#include "switch/forward.h"
#include "switch/internal.h"

/* Long enough to bridge the gaps of a busy ping-pong, short enough that 1,000 frames/s do not keep a
 * core awake. */
#define IDLE_US 20
/* A ring without a kick descriptor is looked at this often while everything else sleeps. */
#define POLLED_SLEEP_MS 1

struct worker {
	struct forward fw; /* first: its burst is what the worker works on */
	struct switch_ *sw;
	unsigned id;
	int epfd, wake_fd;
	int cpu;
	uint64_t next_second_tsc;
	/* worker: rw, ctl: ro */
	_Atomic uint64_t busy_cycles, frames, polls, sleeps;
};

/* The one CPU of an lcore, or -1 where it may run on several. */
static int lcore_cpu(unsigned lcore)
{
	rte_cpuset_t set = rte_lcore_cpuset(lcore);

	if (CPU_COUNT(&set) != 1)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			return cpu;
	return -1;
}

int worker_create(struct switch_ *sw, unsigned id, unsigned lcore, struct worker **out,
		  struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);

	if (!w)
		return err_set(err, -ENOMEM, "worker %u: out of memory", id);
	memset(w, 0, sizeof(*w));
	w->sw = sw;
	w->id = id;
	w->cpu = lcore_cpu(lcore);
	w->fw.worker = id;
	w->fw.lock_tx = sw->opts.n_workers > 1;
	w->fw.decided = mmap(NULL, DECIDED_SETS * sizeof(*w->fw.decided), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->fw.decided == MAP_FAILED) {
		free(w);
		return err_set(err, -ENOMEM, "worker %u: out of memory", id);
	}
	w->epfd = epoll_create1(EPOLL_CLOEXEC);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->epfd < 0 || w->wake_fd < 0 ||
	    epoll_ctl(w->epfd, EPOLL_CTL_ADD, w->wake_fd, &ev) < 0) {
		int rc = err_set(err, -errno, "worker %u: cannot make its event descriptors: %s",
				 id, strerror(errno));

		worker_destroy(w);
		return rc;
	}
	*out = w;
	return 0;
}

void worker_destroy(struct worker *w)
{
	if (!w)
		return;
	if (w->epfd >= 0)
		close(w->epfd);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	munmap(w->fw.decided, DECIDED_SETS * sizeof(*w->fw.decided));
	free(w);
}

int worker_watch(struct worker *w, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	return epoll_ctl(w->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void worker_unwatch(struct worker *w, int fd)
{
	epoll_ctl(w->epfd, EPOLL_CTL_DEL, fd, NULL);
}

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	/* Full only after 2^64 - 2 wake-ups. */
	if (write(w->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void worker_stats_read(const struct worker *w, struct worker_stats *out)
{
	out->id = w->id;
	out->cpu = w->cpu;
	out->busy_cycles = atomic_load_explicit(&w->busy_cycles, memory_order_relaxed);
	out->frames = atomic_load_explicit(&w->frames, memory_order_relaxed);
	out->polls = atomic_load_explicit(&w->polls, memory_order_relaxed);
	out->sleeps = atomic_load_explicit(&w->sleeps, memory_order_relaxed);
}

/* One writer: a plain load and store, no locked instruction. */
static inline void add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline unsigned source_poll(struct worker *w, const struct view_source *s)
{
	const struct view_port *vp = s->port;
	struct burst *b = &w->fw.burst;

	b->n_segs = 0;
	b->n = vp->ops->rx_burst(vp->port, s->q, b);
	if (!b->n)
		return 0;
	forward_burst(&w->fw, vp, s->q);
	vp->ops->rx_done(vp->port, s->q, b);
	return b->n;
}

/* One round over all sources. Returns the frames it moved, and through *tsc the time after it. */
static unsigned poll_round(struct worker *w, const struct view_sources *s, uint64_t *tsc)
{
	uint64_t before = *tsc, busy = 0;
	unsigned n_all = 0;

	for (unsigned i = 0; i < s->n; i++) {
		unsigned n = source_poll(w, &s->s[i]);
		uint64_t after = rte_rdtsc();

		if (n)
			busy += after - before;
		before = after;
		n_all += n;
	}
	*tsc = before;
	if (n_all) {
		add(&w->busy_cycles, busy);
		add(&w->frames, n_all);
	}
	return n_all;
}

static bool arm_all(const struct view_sources *s)
{
	bool waiting = false;

	for (unsigned i = 0; i < s->n; i++)
		waiting |= s->s[i].port->ops->arm(s->s[i].port->port, s->s[i].q);
	return waiting;
}

static void disarm_all(const struct view_sources *s)
{
	for (unsigned i = 0; i < s->n; i++)
		s->s[i].port->ops->disarm(s->s[i].port->port, s->s[i].q);
}

/* Sleeps until a kick or a wake-up, unless frames came while arming. */
static void nap(struct worker *w, const struct view *v, const struct view_sources *s)
{
	struct rte_rcu_qsbr *qsbr = w->sw->qsbr;
	struct epoll_event evs[16];

	if (!arm_all(s)) {
		bool polled_only = s->polled_only;

		add(&w->sleeps, 1);
		rte_rcu_qsbr_thread_offline(qsbr, w->id);
		/* A view that came after arming writes to wake_fd, which ends the wait at once.
		 * Events are hints: whoever is awake polls everything. */
		if (epoll_wait(w->epfd, evs, 16, polled_only ? POLLED_SLEEP_MS : -1) < 0 &&
		    errno != EINTR)
			sched_yield();
		rte_rcu_qsbr_thread_online(qsbr, w->id);
		/* The view that was armed may be gone; rings of the new one start disarmed or are
		 * disarmed with it. */
		v = atomic_load_explicit(&w->sw->view, memory_order_acquire);
		s = &v->worker[w->id];
	}
	disarm_all(s);
}

static void clock_set(struct worker *w, uint64_t tsc)
{
	struct switch_ *sw = w->sw;

	w->fw.now_s = (uint32_t)((tsc - sw->tsc_start) / sw->tsc_hz);
	w->next_second_tsc = sw->tsc_start + ((uint64_t)w->fw.now_s + 1) * sw->tsc_hz;
}

int worker_run(void *arg)
{
	struct worker *w = arg;
	struct switch_ *sw = w->sw;
	uint64_t idle_cycles = sw->tsc_hz / 1000000 * IDLE_US, tsc = rte_rdtsc(), last_busy = tsc;
	unsigned n_idle = 0;

	rte_rcu_qsbr_thread_register(sw->qsbr, w->id);
	rte_rcu_qsbr_thread_online(sw->qsbr, w->id);
	while (!atomic_load_explicit(&sw->stop, memory_order_relaxed)) {
		const struct view *v = atomic_load_explicit(&sw->view, memory_order_acquire);
		const struct view_sources *s = &v->worker[w->id];

		tsc = rte_rdtsc();
		if (__builtin_expect(tsc >= w->next_second_tsc, 0))
			clock_set(w, tsc);
		w->fw.view = v;
		add(&w->polls, 1);
		if (poll_round(w, s, &tsc)) {
			last_busy = tsc;
			n_idle = 0;
		} else if (sw->opts.mode == SWITCH_ADAPTIVE && tsc - last_busy > idle_cycles) {
			nap(w, v, s);
			last_busy = rte_rdtsc();
			n_idle = 0;
		} else if (++n_idle > 8) {
			/* Leaves the core's other thread, and the guests' caches, alone. */
			rte_pause();
		}
		rte_rcu_qsbr_quiescent(sw->qsbr, w->id);
	}
	rte_rcu_qsbr_thread_offline(sw->qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(sw->qsbr, w->id);
	return 0;
}
