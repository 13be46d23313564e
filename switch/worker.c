/* SPDX-License-Identifier: BSD-3-Clause */
/* Control's side of a worker: made and ended, woken, read. The worker's own is switch/worker_run.c. */
#include "switch/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "switch/decided.h"
#include "switch/internal.h"
#include "switch/pages.h"
#include "switch/watched.h"
#include "switch/worker_internal.h"

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
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = WORKER_WAKE};
	struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);

	if (!w)
		return err_set(err, -ENOMEM, "worker %u: out of memory", id);
	memset(w, 0, sizeof(*w));
	w->sw = sw;
	w->id = id;
	w->cpu = lcore_cpu(lcore);
	w->pulse = sw->opts.pulse && id < PULSE_WORKERS_MAX ? &sw->opts.pulse->workers[id] : &w->unseen;
	w->note = id + 1 < ARENA_NOTES ? arena_note(sw->arena, id + 1) : &w->unnoted;
	w->fw.worker = id;
	w->fw.lock_tx = sw->opts.n_workers > 1;
	w->fw.decided = pages_alloc(DECIDED_SETS * sizeof(*w->fw.decided), true);
	if (!w->fw.decided) {
		free(w);
		return err_set(err, -ENOMEM, "worker %u: out of memory", id);
	}
	w->active.polls = sw->opts.mode == SWITCH_POLL;
	w->fw.hold_cycles = sw->tsc_hz / 1000;
	w->fw.rooms = w->rooms;
	worker_slot_use(w, 0);
	w->us_cycles = sw->tsc_hz / 1000000;
	shares_init(&w->shares, calloc(SOURCES_MAX, sizeof(struct share)), w->us_cycles);
	w->spin_cycles = WORKER_SPIN_MAX_US * w->us_cycles;
	w->epfd = epoll_create1(EPOLL_CLOEXEC);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (active_create(&w->active) < 0 || !w->shares.of || w->epfd < 0 || w->wake_fd < 0 ||
	    epoll_ctl(w->epfd, EPOLL_CTL_ADD, w->wake_fd, &ev) < 0) {
		int rc = err_set(err, -errno, "worker %u: cannot make its event descriptors or lists: %s",
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
	pages_free(w->fw.decided, DECIDED_SETS * sizeof(*w->fw.decided));
	watch_room_destroy(w->fw.room);
	active_destroy(&w->active);
	free(w->shares.of);
	free(w);
}

int worker_room_make(struct worker *w)
{
	return w->fw.room ? 0 : watch_room_create(&w->fw.room);
}

int worker_watch(struct worker *w, int fd, unsigned port_id, unsigned q)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = WORKER_KICK(port_id, q)};

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

unsigned worker_busy_permille(const struct worker *w)
{
	uint64_t busy = atomic_load_explicit(&w->busy_cycles, memory_order_relaxed);
	uint64_t since_tsc = atomic_load_explicit(&w->newer_tsc, memory_order_relaxed);
	uint64_t since_busy = atomic_load_explicit(&w->newer_busy, memory_order_relaxed);
	uint64_t tsc = rte_rdtsc();

	/* Later than that, it sleeps. */
	if (tsc - since_tsc < w->sw->tsc_hz) {
		since_tsc = atomic_load_explicit(&w->older_tsc, memory_order_relaxed);
		since_busy = atomic_load_explicit(&w->older_busy, memory_order_relaxed);
	}
	/* Read while the worker was setting them, the two may not belong together. */
	if (busy <= since_busy || tsc <= since_tsc)
		return 0;
	return (unsigned)RTE_MIN((busy - since_busy) * 1000 / (tsc - since_tsc), (uint64_t)1000);
}

void worker_stats_read(const struct worker *w, struct worker_stats *out)
{
	out->busy_permille = worker_busy_permille(w);
	out->id = w->id;
	out->cpu = w->cpu;
	out->busy_cycles = atomic_load_explicit(&w->busy_cycles, memory_order_relaxed);
	out->frames = atomic_load_explicit(&w->frames, memory_order_relaxed);
	out->polls = atomic_load_explicit(&w->polls, memory_order_relaxed);
	out->sleeps = atomic_load_explicit(&w->sleeps, memory_order_relaxed);
}
