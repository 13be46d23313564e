/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/switch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "base/log.h"
#include "switch/internal.h"
#include "switch/pulse.h"
#include "switch/quarantine.h"
#include "switch/rebalance.h"
#include "switch/tally.h"
#include "switch/worker.h"

/* Workers hide expired addresses themselves: a sweep takes their places back, and comes before an age,
 * modulo 2^16 seconds, begins anew. */
#define SWEEP_PAUSE_S	    5 /* between sweeps, at least */
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

	if (sw->closing || sw->adopting)
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

void switch_notice(struct switch_ *sw, uint32_t notice)
{
	uint64_t one = 1;

	/* Whoever set it has written, or is about to. */
	if (atomic_fetch_or(&sw->notices, notice) & notice)
		return;
	/* Cannot fill up: control reads it back to zero. */
	if (write(sw->notice_fd, &one, sizeof(one)) < 0)
		return;
}

/* Calls the drivers whose workers met a violation. */
static void faults_handle(struct switch_ *sw)
{
	struct port *p, *next;

	for (p = TAILQ_FIRST(&sw->ports); p; p = next) {
		next = TAILQ_NEXT(p, link);
		if (atomic_exchange(&p->fault_raised, false) && p->ops->fault)
			p->ops->fault(p);
	}
}

/* ---- ageing: a timer only while there are addresses that can expire ---- */

static void sweep(void *arg);

static void sweep_in(struct switch_ *sw, uint64_t delay_ns)
{
	loop_timer_del(sw->sweep_timer);
	/* Out of memory: not planned, so that a worker asks again. */
	atomic_store(&sw->sweep_planned,
		     loop_timer_add(sw->loop, delay_ns, sweep, sw, &sw->sweep_timer) == 0);
}

/* Seconds until an address that is there may expire, or UINT32_MAX. */
static uint32_t sweep_due_s(struct switch_ *sw)
{
	uint32_t due_s = UINT32_MAX;
	struct bridge *br;

	TAILQ_FOREACH(br, &sw->bridges, link) {
		if (!fdb_n_learned(br->fdb))
			continue;
		/* What was learned behind the sweep's back is younger than the ageing time. */
		due_s = RTE_MIN(due_s, RTE_MIN(br->sweep_next_s, br->kept->opts.ageing_s + 1));
	}
	return due_s == UINT32_MAX ? due_s : RTE_MAX(due_s, SWEEP_PAUSE_S);
}

static void sweep_plan(struct switch_ *sw)
{
	uint32_t due_s = sweep_due_s(sw);

	if (due_s == UINT32_MAX) {
		atomic_store(&sw->sweep_planned, false);
		/* A worker that learned before that has not asked, and will not. */
		due_s = sweep_due_s(sw);
	}
	if (due_s != UINT32_MAX)
		sweep_in(sw, due_s * S_NS);
}

static void sweep(void *arg)
{
	struct switch_ *sw = arg;
	bool more = false;
	struct bridge *br;

	TAILQ_FOREACH(br, &sw->bridges, link)
		more |= br->sweeping;
	if (!more)
		TAILQ_FOREACH(br, &sw->bridges, link) {
			br->sweeping = fdb_n_learned(br->fdb) > 0;
			br->sweep_next_s = UINT32_MAX;
		}
	more = false;
	TAILQ_FOREACH(br, &sw->bridges, link) {
		if (!br->sweeping)
			continue;
		fdb_sweep(br->fdb, &br->sweep_at, SWEEP_BUCKETS, switch_now_s(sw),
			  &br->sweep_next_s);
		br->sweeping = br->sweep_at != 0;
		more |= br->sweeping;
	}
	if (more)
		sweep_in(sw, 10 * MS_NS);
	else
		sweep_plan(sw);
}

void switch_sweep_soon(struct switch_ *sw)
{
	if (sw->sweep_timer)
		sweep_in(sw, S_NS);
}

static void notices_handle(void *arg, int fd, uint32_t events)
{
	struct switch_ *sw = arg;
	uint32_t notices;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;
	notices = atomic_exchange(&sw->notices, 0);
	if (notices & NOTICE_FAULT)
		faults_handle(sw);
	if (notices & NOTICE_SWEEP && !sw->sweep_timer)
		sweep_plan(sw);
	if (notices & NOTICE_BUSY)
		rebalance(sw);
	if (notices & NOTICE_MOVES)
		moves_handle(sw);
}

void switch_on_change(struct switch_ *sw, switch_change_fn fn, void *arg)
{
	sw->change_fn = fn;
	sw->change_arg = arg;
}

void switch_change_tell(struct switch_ *sw, const struct switch_change *change)
{
	if (sw->change_fn && !sw->closing)
		sw->change_fn(sw->change_arg, change);
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
	moves_init(sw);
	TAILQ_INIT(&sw->watches);
	sw->notice_fd = -1;
	rc = adopt_begin(sw, err);
	if (rc == 0)
		rc = tally_create(sw, &sw->tally, err);
	if (rc < 0)
		goto fail;
	sw->notice_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sw->notice_fd < 0 || qsbr_create(sw) < 0 || switch_publish(sw) < 0) {
		rc = err_set(err, -ENOMEM, "switch: cannot make its event descriptor or view");
		goto fail;
	}
	rc = loop_fd_add(sw->loop, sw->notice_fd, EPOLLIN, notices_handle, sw, &sw->notice_watch);
	if (rc < 0) {
		err_set(err, rc, "switch: cannot watch its event descriptor: %s", strerror(-rc));
		goto fail;
	}
	if (opts->pulse)
		atomic_store(&opts->pulse->n_workers, opts->n_workers);
	rc = workers_start(sw, err);
	if (rc < 0)
		goto fail;
	sw->adopting = sw->adopted;
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

bool switch_settled(const struct switch_ *sw)
{
	const struct port *p;

	TAILQ_FOREACH (p, &sw->ports, link)
		if (p->unsettled)
			return false;
	return true;
}

void switch_yield(struct switch_ *sw)
{
	struct port *p;

	workers_join(sw);
	sw->closing = true;
	TAILQ_FOREACH (p, &sw->ports, link)
		if (p->ops->yield)
			p->ops->yield(p);
}

void switch_destroy(struct switch_ *sw)
{
	if (!sw)
		return;
	/* Without workers nobody reads views: thousands of ports go in the time of one. */
	workers_join(sw);
	sw->closing = true;
	while (!TAILQ_EMPTY(&sw->watches))
		watch_del(TAILQ_FIRST(&sw->watches));
	while (!TAILQ_EMPTY(&sw->ports))
		port_del(TAILQ_FIRST(&sw->ports), NULL);
	while (!TAILQ_EMPTY(&sw->bridges))
		bridge_del(TAILQ_FIRST(&sw->bridges), NULL);
	for (unsigned i = 0; sw->workers && i < sw->opts.n_workers; i++)
		worker_destroy(sw->workers[i]);
	free(sw->workers);
	loop_timer_del(sw->sweep_timer);
	loop_timer_del(sw->moves_timer);
	loop_fd_del(sw->notice_watch);
	if (sw->notice_fd >= 0)
		close(sw->notice_fd);
	view_free(atomic_load(&sw->view));
	free(sw->qsbr);
	quarantine_thread(NULL);
	tally_destroy(sw->tally);
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

uint64_t switch_tsc_hz(const struct switch_ *sw)
{
	return sw->tsc_hz;
}
