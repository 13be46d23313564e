/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: the loop of a worker; see switch/worker.h. The sleep, and the look for kicks, are the places here
 * that make system calls.
 */
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>

#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

#include "switch/balance.h"
#include "switch/internal.h"
#include "switch/limit.h"
#include "switch/quarantine.h"
#include "switch/watched.h"
#include "switch/worker_internal.h"

/*
 * How long a worker polls on without frames before it sleeps: between SPIN_MIN_US and WORKER_SPIN_MAX_US,
 * doubled after a short sleep and halved after a long one.
 *
 * The least bridges the gaps between frames that one guest sends together. At 1,000 frames/s each 10 us more
 * would cost one per cent of a core. The most bridges the gaps of a busy ping-pong: a sleep shorter than
 * SLEEP_SHORT_US was not worth it, as waking up alone may take tens of microseconds.
 */
#define SPIN_MIN_US    2
#define SLEEP_SHORT_US 100

/* Between looks for kicks of quiet rings, which take about half a microsecond each. */
#define LOOK_US 50
/* A ring without a kick descriptor is looked at this often while everything else sleeps. */
#define POLLED_SLEEP_MS 1
/* A port with a debt is looked at as often, so that another limit for it counts soon. */
#define LIMITED_SLEEP_MS 1000

#define EVENTS_MAX 64 /* in one look; the rest is ready in the next one */

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
		worker_slot_use(w, w->n_held + 1);
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

		worker_slot_use(w, i);
		note_serving(w->note, s->port->id + 1u);
		if (unlikely(s->special & SOURCE_WATCHED))
			watch_hold_retry(&w->fw);
		else
			hold_retry(&w->fw);
		s->port->ops->rx_done(s->port->port, s->q, w->fw.burst);
		place_charge(w, r, (unsigned)(s - w->active.s->s), 0);
	}
	worker_slot_use(w, 0);
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
		if (evs[i].data.u64 != WORKER_WAKE)
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
		w->spin_cycles = RTE_MIN(2 * w->spin_cycles, WORKER_SPIN_MAX_US * w->us_cycles);
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
