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
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_rcu_qsbr.h>

#include "switch/active.h"
#include "switch/balance.h"
#include "switch/decided.h"
#include "switch/forward.h"
#include "switch/hold.h"
#include "switch/internal.h"
#include "switch/limit.h"
#include "switch/pages.h"
#include "switch/pulse.h"
#include "switch/quarantine.h"
#include "switch/share.h"
#include "switch/watched.h"

/* A few microseconds, where sleeps are long, bridge the gaps within what one guest sends; more would
 * cost 1,000 frames/s a per cent of a core for each 10 us. A sleep below SLEEP_SHORT_US was not worth
 * it, as waking up alone may take tens of them: then up to the gaps of a busy ping-pong. */
#define SPIN_MIN_US    2
#define SPIN_MAX_US    50
#define SLEEP_SHORT_US 100
/* Between looks for kicks of quiet rings: about half a microsecond each. */
#define LOOK_US 50
/* A ring without a kick descriptor is looked at this often while everything else sleeps. */
#define POLLED_SLEEP_MS 1
/* A port with a debt is looked at as often, so that another limit for it counts soon. */
#define LIMITED_SLEEP_MS 1000

/* What epoll says of a kick descriptor: its port's id and queue; of wake_fd: WAKE. */
#define KICK(id, q) ((uint64_t)(id) * PORT_QUEUES_MAX + (q))
#define WAKE	    UINT64_MAX
#define EVENTS_MAX  64 /* a look; the rest is ready in the next one */

/* A burst, and what of it is tried again at the end of the round. */
struct slot {
	struct burst burst;
	struct hold hold;
	const struct view_source *source;
};

struct worker {
	struct forward fw;
	struct hold_room rooms[SWITCH_PORTS_MAX];
	struct slot slots[HOLDS_MAX + 1]; /* those held, then the one that is worked on */
	unsigned n_held;
	struct switch_ *sw;
	unsigned id;
	struct active active;
	struct shares shares;
	int epfd, wake_fd;
	int cpu;
	struct arena_note *note, unnoted; /* the arena's, or nobody's */
	struct pulse_worker *pulse, unseen; /* the one of switch/pulse.h, or nobody's */
	uint64_t next_second_tsc, next_look_tsc;
	uint64_t us_cycles, spin_cycles;
	uint64_t frames_told; /* to sweep_ask() */
	/* worker: rw, ctl: ro */
	_Atomic uint64_t busy_cycles, frames, polls, sleeps;
	/* Two moments a second or so apart, and busy_cycles then: to see the share of late. */
	_Atomic uint64_t older_tsc, older_busy, newer_tsc, newer_busy;
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

/* The slot that the next burst goes into; the last one is not held. */
static void slot_use(struct worker *w, unsigned i)
{
	w->n_held = i;
	w->fw.burst = &w->slots[i].burst;
	w->fw.slot = i;
	w->fw.hold = i < HOLDS_MAX ? &w->slots[i].hold : NULL;
}

int worker_create(struct switch_ *sw, unsigned id, unsigned lcore, struct worker **out,
		  struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = WAKE};
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
	slot_use(w, 0);
	w->us_cycles = sw->tsc_hz / 1000000;
	shares_init(&w->shares, calloc(SOURCES_MAX, sizeof(struct share)), w->us_cycles);
	w->spin_cycles = SPIN_MAX_US * w->us_cycles;
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
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = KICK(port_id, q)};

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

/* One writer: a plain load and store, no locked instruction. */
static inline void add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* special: s->special, which is 0 for most sources. */
hot_inline unsigned burst_take(struct worker *w, const struct view_source *s, unsigned n_unwanted,
			       unsigned special)
{
	const struct view_port *vp = s->port;
	struct burst *b = w->fw.burst;

	note_serving(w->note, vp->id + 1u);
	b->n_segs = 0;
	b->n_unwanted = n_unwanted;
	b->n = vp->ops->rx_burst(vp->port, s->q, b);
	if (!b->n)
		return 0;
	if (special & SOURCE_LIMITED)
		limit_pay(s, b, w->fw.tsc, w->us_cycles);
	if (special & SOURCE_WATCHED)
		forward_burst_watched(&w->fw, vp, s->q);
	else
		forward_burst(&w->fw, vp, s->q);
	if (unlikely(w->fw.hold && w->fw.hold->n)) {
		w->slots[w->n_held].source = s;
		slot_use(w, w->n_held + 1);
		return b->n;
	}
	vp->ops->rx_done(vp->port, s->q, b);
	return b->n;
}

static unsigned special_poll(struct worker *w, const struct view_source *s, unsigned n_unwanted)
{
	uint64_t due;
	unsigned n;

	if (!(s->special & SOURCE_LIMITED))
		return burst_take(w, s, n_unwanted, SOURCE_WATCHED);
	n = limit_frames(s, w->fw.tsc, w->us_cycles, &due);
	if (!n)
		return 0;
	if (BURST_MAX - n > n_unwanted)
		n_unwanted = BURST_MAX - n;
	return burst_take(w, s, n_unwanted, s->special);
}

static inline unsigned source_poll(struct worker *w, const struct view_source *s, unsigned n_unwanted)
{
	if (unlikely(s->special))
		return special_poll(w, s, n_unwanted);
	return burst_take(w, s, n_unwanted, 0);
}

/* What poll_round() has moved. */
struct round {
	uint64_t tsc, busy;
	unsigned n;
};

/* Cycles since r->tsc were spent on the ring at place, of which n frames came now. */
static inline void place_charge(struct worker *w, struct round *r, unsigned place, unsigned n)
{
	uint64_t cycles = rte_rdtsc() - r->tsc;

	r->tsc += cycles;
	r->busy += cycles;
	add(&w->active.s->s[place].load->busy_cycles, cycles);
	share_charge(&w->shares, place, cycles, n, w->active.n > 1);
}

/* Second tries for what found no room in this round. */
static void held_finish(struct worker *w, struct round *r)
{
	for (unsigned i = 0, n = w->n_held; i < n; i++) {
		const struct view_source *s = w->slots[i].source;

		slot_use(w, i);
		note_serving(w->note, s->port->id + 1u);
		if (unlikely(s->special & SOURCE_WATCHED))
			watch_hold_retry(&w->fw);
		else
			hold_retry(&w->fw);
		s->port->ops->rx_done(s->port->port, s->q, w->fw.burst);
		place_charge(w, r, (unsigned)(s - w->active.s->s), 0);
	}
	slot_use(w, 0);
}

static inline bool place_poll(struct worker *w, struct round *r, unsigned place)
{
	unsigned n = source_poll(w, &w->active.s->s[place], w->shares.of[place].n_unwanted);

	if (n)
		place_charge(w, r, place, n);
	else
		r->tsc = rte_rdtsc();
	r->n += n;
	return n;
}

/* Of a worker that never sleeps: some of the quiet rings. */
static void visit(struct worker *w, struct round *r)
{
	struct active *a = &w->active;

	for (unsigned i = 0; i < ACTIVE_VISITS; i++) {
		unsigned place = a->next_visit < a->s->n ? a->next_visit : 0;

		a->next_visit = place + 1;
		if (a->looks[place] == ACTIVE_QUIET && place_poll(w, r, place))
			active_found(a, place);
	}
}

/* One round over the active rings. Returns the frames it moved, and through *tsc the time after it. */
static unsigned poll_round(struct worker *w, uint64_t *tsc)
{
	struct active *a = &w->active;
	struct round r = {.tsc = *tsc};

	for (unsigned i = 0; i < a->n; i++)
		if (share_may(&w->shares, a->list[i]) && place_poll(w, &r, a->list[i]))
			active_seen(a, a->list[i]);
	if (a->polls && !active_all(a))
		visit(w, &r);
	if (unlikely(w->n_held))
		held_finish(w, &r);
	shares_round(&w->shares);
	*tsc = r.tsc;
	if (r.n) {
		add(&w->busy_cycles, r.busy);
		add(&w->frames, r.n);
	}
	return r.n;
}

/* Takes the kicks that there are, or that come within timeout_ms (-1: whenever). */
static void kicks_take(struct worker *w, struct active *a, int timeout_ms)
{
	struct epoll_event evs[EVENTS_MAX];
	int n = epoll_wait(w->epfd, evs, EVENTS_MAX, timeout_ms);
	const struct view *v;

	if (timeout_ms) {
		rte_rcu_qsbr_thread_online(w->sw->qsbr, w->id);
		v = atomic_load_explicit(&w->sw->view, memory_order_acquire);
		/* Whatever was kicked is active in another view. */
		if (v->seq != a->view_seq)
			return;
	}
	if (n < 0 && errno != EINTR)
		sched_yield();
	for (int i = 0; i < n; i++)
		if (evs[i].data.u64 != WAKE)
			active_kicked(a, (unsigned)(evs[i].data.u64 / PORT_QUEUES_MAX),
				      (unsigned)(evs[i].data.u64 % PORT_QUEUES_MAX));
}

/* Some rings are busy: do others deserve to be looked at, or not any more? */
static void look(struct worker *w, uint64_t tsc)
{
	w->next_look_tsc = tsc + LOOK_US * w->us_cycles;
	add(&w->pulse->n_looks, 1);
	active_age(&w->active);
	if (!w->active.polls && !active_all(&w->active))
		kicks_take(w, &w->active, 0);
}

/* Learned addresses age only while somebody comes to look after them. */
static void sweep_ask(struct worker *w)
{
	uint64_t frames = atomic_load_explicit(&w->frames, memory_order_relaxed);

	if (frames == w->frames_told)
		return;
	w->frames_told = frames;
	/* Either this sees that nobody will come, or whoever has just said so sees what was learned. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&w->sw->sweep_planned, memory_order_relaxed))
		switch_notice(w->sw, NOTICE_SWEEP);
}

/* Who sleeps has not hung. */
static void pulse_set(struct worker *w, bool awake)
{
	add(&w->pulse->n_looks, 1);
	atomic_store_explicit(&w->pulse->awake, awake, memory_order_relaxed);
}

/* -1: whenever. A port's debt may end in the middle of a millisecond: what it has then gathered it may send. */
static int sleep_ms(const struct worker *w, uint64_t now, uint64_t due)
{
	uint64_t ms = due > now ? (due - now) / (1000 * w->us_cycles) + 1 : 1;

	if (w->active.s->polled_only)
		return POLLED_SLEEP_MS;
	return due == UINT64_MAX ? -1 : (int)RTE_MIN(ms, (uint64_t)LIMITED_SLEEP_MS);
}

/* Sleeps until a kick or a wake-up, unless frames came while arming. Returns the time after it. */
static uint64_t nap(struct worker *w)
{
	uint64_t before = rte_rdtsc(), due = UINT64_MAX, after;
	int timeout_ms;

	if (!active_rest(&w->active, before, &due))
		return rte_rdtsc();
	sweep_ask(w);
	add(&w->sleeps, 1);
	note_serving(w->note, 0);
	pulse_set(w, false);
	before = rte_rdtsc();
	timeout_ms = sleep_ms(w, before, due);
	rte_rcu_qsbr_thread_offline(w->sw->qsbr, w->id);
	/* A view that came since the last round has written to wake_fd, which ends the wait at once. */
	kicks_take(w, &w->active, timeout_ms);
	pulse_set(w, true);
	after = rte_rdtsc();
	if (after - before < SLEEP_SHORT_US * w->us_cycles)
		w->spin_cycles = RTE_MIN(2 * w->spin_cycles, SPIN_MAX_US * w->us_cycles);
	else
		w->spin_cycles = RTE_MAX(w->spin_cycles / 2, SPIN_MIN_US * w->us_cycles);
	return after;
}

/* Once a second, or after the sleep that was longer. */
static void window_move(struct worker *w, uint64_t tsc)
{
	uint64_t busy = atomic_load_explicit(&w->busy_cycles, memory_order_relaxed);
	uint64_t newer_tsc = atomic_load_explicit(&w->newer_tsc, memory_order_relaxed);
	uint64_t newer_busy = atomic_load_explicit(&w->newer_busy, memory_order_relaxed);

	/* It slept from then on: the last second was idle. */
	if (tsc - newer_tsc > 2 * w->sw->tsc_hz) {
		newer_tsc = tsc - w->sw->tsc_hz;
		newer_busy = busy;
	}
	atomic_store_explicit(&w->older_tsc, newer_tsc, memory_order_relaxed);
	atomic_store_explicit(&w->older_busy, newer_busy, memory_order_relaxed);
	atomic_store_explicit(&w->newer_tsc, tsc, memory_order_relaxed);
	atomic_store_explicit(&w->newer_busy, busy, memory_order_relaxed);
	if (w->sw->opts.n_workers > 1 && worker_busy_permille(w) > BALANCE_HIGH)
		switch_notice(w->sw, NOTICE_BUSY);
}

static void clock_set(struct worker *w, uint64_t tsc)
{
	struct switch_ *sw = w->sw;

	sweep_ask(w);
	window_move(w, tsc);

	w->fw.now_s = (uint32_t)((tsc - sw->tsc_start) / sw->tsc_hz);
	w->next_second_tsc = sw->tsc_start + ((uint64_t)w->fw.now_s + 1) * sw->tsc_hz;
}

static void view_take(struct worker *w, const struct view *v)
{
	active_take(&w->active, v, w->id);
	shares_restart(&w->shares, w->active.s->n);
}

int worker_run(void *arg)
{
	struct worker *w = arg;
	struct switch_ *sw = w->sw;
	uint64_t tsc = rte_rdtsc(), last_busy = tsc;
	unsigned n_idle = 0;

	rte_rcu_qsbr_thread_register(sw->qsbr, w->id);
	rte_rcu_qsbr_thread_online(sw->qsbr, w->id);
	pulse_set(w, true);
	quarantine_thread(w->note);
	if (w->pulse != &w->unseen)
		pulse_live(&w->pulse->life);
	while (!atomic_load_explicit(&sw->stop, memory_order_relaxed)) {
		const struct view *v = atomic_load_explicit(&sw->view, memory_order_acquire);

		tsc = rte_rdtsc();
		if (__builtin_expect(tsc >= w->next_second_tsc, 0))
			clock_set(w, tsc);
		if (__builtin_expect(v->seq != w->active.view_seq, 0))
			view_take(w, v);
		w->fw.view = v;
		w->fw.tsc = tsc;
		add(&w->polls, 1);
		if (poll_round(w, &tsc)) {
			last_busy = tsc;
			n_idle = 0;
		} else if (++n_idle > 8) {
			/* Leaves the core's other thread, and the guests' caches, alone. */
			rte_pause();
		}
		if (!w->active.polls && tsc - last_busy > w->spin_cycles) {
			last_busy = nap(w);
			n_idle = 0;
		} else if (tsc >= w->next_look_tsc) {
			look(w, tsc);
		}
		rte_rcu_qsbr_quiescent(sw->qsbr, w->id);
	}
	rte_rcu_qsbr_thread_offline(sw->qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(sw->qsbr, w->id);
	pulse_set(w, false);
	quarantine_thread(NULL);
	if (w->pulse != &w->unseen)
		pulse_leave(&w->pulse->life);
	return 0;
}
