/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: meters, by which a port gets no more than its rate.
 *
 * What     meter_take() lets through as many of n equal things as there are tokens for; meter_open() and
 *          meter_pay() are for what is paid for once its size is known, and may leave a debt.
 * How      A token bucket that is kept as one moment: when all that was taken will have been earned. While that
 *          moment lies in the past there are tokens, as many as have been earned since, but at most `depth`.
 *          Tokens are counted in TSC cycles, so nothing has to be refilled.
 * Threads  any workers at once: one atomic word.
 */
#ifndef SWITCH_METER_H
#define SWITCH_METER_H

#include <stdatomic.h>
#include <stdint.h>

struct meter {
	_Atomic uint64_t due;  /* TSC */
	_Atomic uint64_t mean; /* cycles that one frame of the last payment cost; a hint */
};

/* How many of n things that cost `each` cycles may pass now. depth >= each. */
static inline unsigned meter_take(struct meter *m, uint64_t now, uint64_t each, uint64_t depth,
				  unsigned n)
{
	uint64_t was = atomic_load_explicit(&m->due, memory_order_relaxed), due, room;

	do {
		due = was > now ? was : now;
		room = due - now < depth ? (depth - (due - now)) / each : 0;
		if (room < n)
			n = (unsigned)room;
		if (!n)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(
		&m->due, &was, due + n * each, memory_order_relaxed, memory_order_relaxed));
	return n;
}

/* Whether there is no debt; otherwise *due is when it will be paid. */
static inline int meter_open(const struct meter *m, uint64_t now, uint64_t *due)
{
	*due = atomic_load_explicit(&m->due, memory_order_relaxed);
	return *due <= now;
}

/* Pays `cost` cycles for n frames. Of the time since the last debt was paid, `depth` counts. */
static inline void meter_pay(struct meter *m, uint64_t now, uint64_t cost, uint64_t depth,
			     unsigned n)
{
	uint64_t was = atomic_load_explicit(&m->due, memory_order_relaxed), due;

	do
		due = was + depth < now ? now - depth : was;
	while (!atomic_compare_exchange_weak_explicit(&m->due, &was, due + cost,
						      memory_order_relaxed, memory_order_relaxed));
	atomic_store_explicit(&m->mean, cost / n, memory_order_relaxed);
}

/* How many frames like those of the last payment are worth the tokens there are, or `least` cycles. The
 * first time that is one: nobody knows how long they are. At least 1, at most n_max. */
static inline unsigned meter_frames(const struct meter *m, uint64_t now, uint64_t least,
				    uint64_t depth, unsigned n_max)
{
	uint64_t mean = atomic_load_explicit(&m->mean, memory_order_relaxed);
	uint64_t tokens = now - atomic_load_explicit(&m->due, memory_order_relaxed), n;

	if (tokens > depth)
		tokens = depth;
	n = mean ? (tokens > least ? tokens : least) / mean : 1;
	return n < 1 ? 1 : n > n_max ? n_max : (unsigned)n;
}

static inline void meter_reset(struct meter *m)
{
	atomic_store_explicit(&m->due, 0, memory_order_relaxed);
	atomic_store_explicit(&m->mean, 0, memory_order_relaxed);
}

#endif
