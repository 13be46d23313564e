/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/switch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "base/log.h"
#include "switch/internal.h"
#include "switch/worker.h"

/* Workers hide expired addresses themselves; the sweep only takes their memory back. */
#define SWEEP_EVERY_S	    5
#define SWEEP_BUCKETS	    65536 /* a turn: well under a millisecond */
#define GRACE_POLL_NS	    10000 /* between looks at QSBR: a burst lasts a few microseconds */

uint32_t switch_now_s(const struct switch_ *sw)
{
	return (uint32_t)((rte_rdtsc() - sw->tsc_start) / sw->tsc_hz);
}

struct loop *switch_loop(struct switch_ *sw)
{
	return sw->loop;
}

enum switch_mode switch_mode(const struct switch_ *sw)
{
	return sw->opts.mode;
}

/* Not rte_rcu_qsbr_synchronize(): it spins, and the worker may need this very core to come to its
 * quiescent state. */
void switch_grace_period(struct switch_ *sw)
{
	uint64_t token = rte_rcu_qsbr_start(sw->qsbr);
	const struct timespec ts = {.tv_nsec = GRACE_POLL_NS};

	while (!rte_rcu_qsbr_check(sw->qsbr, token, false))
		nanosleep(&ts, NULL);
}

int switch_publish(struct switch_ *sw)
{
	struct view *v, *old;
	int rc;

	if (sw->closing)
		return 0;
	rc = view_build(sw, &v);
	if (rc < 0) {
		LOG_ERR("switch: out of memory for a new view; the last change is not in effect");
		return rc;
	}
	old = atomic_exchange(&sw->view, v);
	for (unsigned i = 0; i < sw->n_workers_started; i++)
		worker_wake(sw->workers[i]);
	if (old)
		switch_grace_period(sw);
	view_free(old);
	return 0;
}

/* Calls the drivers whose workers met a violation. */
static void faults_handle(void *arg, int fd, uint32_t events)
{
	struct switch_ *sw = arg;
	struct port *p, *next;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;
	for (p = TAILQ_FIRST(&sw->ports); p; p = next) {
		next = TAILQ_NEXT(p, link);
		if (atomic_exchange(&p->fault_raised, false) && p->ops->fault)
			p->ops->fault(p);
	}
}

static void sweep(void *arg)
{
	struct switch_ *sw = arg;
	bool more = false;
	struct bridge *br;

	TAILQ_FOREACH(br, &sw->bridges, link) {
		if (!fdb_n_entries(br->fdb) && !br->sweep_at)
			continue;
		fdb_sweep(br->fdb, &br->sweep_at, SWEEP_BUCKETS, switch_now_s(sw));
		more |= br->sweep_at != 0;
	}
	loop_timer_add(sw->loop, more ? 10 * MS_NS : SWEEP_EVERY_S * S_NS, sweep, sw,
		       &sw->sweep_timer);
}

static int qsbr_create(struct switch_ *sw)
{
	size_t size = rte_rcu_qsbr_get_memsize(sw->opts.n_workers);

	sw->qsbr = aligned_alloc(64, (size + 63) / 64 * 64);
	if (!sw->qsbr)
		return -ENOMEM;
	return rte_rcu_qsbr_init(sw->qsbr, sw->opts.n_workers) ? -EINVAL : 0;
}

static int workers_start(struct switch_ *sw, struct err *err)
{
	unsigned lcore = rte_get_next_lcore(-1, 1, 0);

	sw->workers = calloc(sw->opts.n_workers, sizeof(*sw->workers));
	if (!sw->workers)
		return err_set(err, -ENOMEM, "switch: out of memory");
	for (unsigned i = 0; i < sw->opts.n_workers; i++) {
		int rc;

		if (lcore >= RTE_MAX_LCORE)
			return err_set(err, -EINVAL, "switch: %u workers wanted, EAL has %u lcores for them",
				       sw->opts.n_workers, i);
		rc = worker_create(sw, i, lcore, &sw->workers[i], err);
		if (rc < 0)
			return rc;
		rc = rte_eal_remote_launch(worker_run, sw->workers[i], lcore);
		if (rc < 0)
			return err_set(err, rc, "worker %u: cannot start on lcore %u: %s", i, lcore,
				       strerror(-rc));
		sw->n_workers_started++;
		lcore = rte_get_next_lcore(lcore, 1, 0);
	}
	return 0;
}

int switch_create(const struct switch_opts *opts, struct switch_ **out, struct err *err)
{
	struct switch_ *sw = calloc(1, sizeof(*sw));
	int rc;

	if (!sw)
		return err_set(err, -ENOMEM, "switch: out of memory");
	sw->loop = opts->loop;
	sw->opts = *opts;
	/* Or each look of a grace period comes 50 us later than asked for. */
	prctl(PR_SET_TIMERSLACK, 1);
	TAILQ_INIT(&sw->bridges);
	TAILQ_INIT(&sw->ports);
	sw->tsc_start = rte_rdtsc();
	sw->tsc_hz = rte_get_tsc_hz();
	sw->fault_fd = -1;
	rc = arena_create(&sw->arena, err);
	if (rc < 0)
		goto fail;
	sw->fault_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sw->fault_fd < 0 || qsbr_create(sw) < 0 || switch_publish(sw) < 0) {
		rc = err_set(err, -ENOMEM, "switch: cannot make its event descriptor or view");
		goto fail;
	}
	rc = loop_fd_add(sw->loop, sw->fault_fd, EPOLLIN, faults_handle, sw, &sw->fault_watch);
	if (rc < 0) {
		err_set(err, rc, "switch: cannot watch its event descriptor: %s", strerror(-rc));
		goto fail;
	}
	rc = workers_start(sw, err);
	if (rc < 0)
		goto fail;
	sweep(sw);
	*out = sw;
	return 0;
fail:
	switch_destroy(sw);
	return rc;
}

static void workers_join(struct switch_ *sw)
{
	atomic_store(&sw->stop, true);
	for (unsigned i = 0; i < sw->n_workers_started; i++)
		worker_wake(sw->workers[i]);
	if (sw->n_workers_started)
		rte_eal_mp_wait_lcore();
	sw->n_workers_started = 0;
}

void switch_destroy(struct switch_ *sw)
{
	if (!sw)
		return;
	/* Without workers nobody reads views: thousands of ports go in the time of one. */
	workers_join(sw);
	sw->closing = true;
	while (!TAILQ_EMPTY(&sw->ports))
		port_del(TAILQ_FIRST(&sw->ports), NULL);
	while (!TAILQ_EMPTY(&sw->bridges))
		bridge_del(TAILQ_FIRST(&sw->bridges), NULL);
	for (unsigned i = 0; sw->workers && i < sw->opts.n_workers; i++)
		worker_destroy(sw->workers[i]);
	free(sw->workers);
	loop_timer_del(sw->sweep_timer);
	loop_fd_del(sw->fault_watch);
	if (sw->fault_fd >= 0)
		close(sw->fault_fd);
	view_free(atomic_load(&sw->view));
	free(sw->qsbr);
	arena_destroy(sw->arena);
	free(sw);
}

int switch_arena_fd(const struct switch_ *sw)
{
	return arena_fd(sw->arena);
}

unsigned switch_n_workers(const struct switch_ *sw)
{
	return sw->opts.n_workers;
}

void switch_worker_stats(const struct switch_ *sw, unsigned worker, struct worker_stats *out)
{
	worker_stats_read(sw->workers[worker], out);
}
