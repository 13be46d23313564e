/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/traffic.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS	  64  /* between looks at the clock and at the ports that only listen */
#define QUIET_S	  0.1 /* nothing in flight any more */
#define LEARN_S	  60  /* a switch that has not taken the addresses by then takes none */

static inline bool takes(const struct ends *l, unsigned i)
{
	return (int)i != l->o->stall;
}

unsigned traffic_receive(struct ends *l, bool listeners)
{
	unsigned n = 0, n_ends = listeners || l->copies > 1 ? l->o->n_ports : l->o->n_busy;

	for (unsigned i = 0; i < n_ends; i++)
		if (takes(l, i))
			n += end_receive(l, &l->all[i]);
	return n;
}

static inline struct sender *sender_at(struct ends *l, unsigned i)
{
	return &l->all[i / l->o->n_pairs].senders[i % l->o->n_pairs];
}

/* One port after the other, so that what one sends is on its way while the next is served. */
static void round_fast(struct ends *l)
{
	for (unsigned i = 0; i < l->o->n_busy; i++) {
		struct end *e = &l->all[i];

		if (takes(l, i))
			end_receive(l, e);
		for (unsigned p = 0; p < l->o->n_pairs; p++)
			if (e->senders[p].n_flows)
				end_send(l, &e->senders[p], BURST, l->o->touch);
	}
	/* Copies go to all ports alike. */
	for (unsigned i = l->o->n_busy; l->copies > 1 && i < l->o->n_ports; i++)
		end_receive(l, &l->all[i]);
}

double traffic_run(struct ends *l, double seconds)
{
	uint64_t start = tsc(), end = start + (uint64_t)(seconds * l->tsc_hz);

	while (tsc() < end) {
		for (unsigned i = 0; i < ROUNDS; i++)
			round_fast(l);
		traffic_receive(l, true);
	}
	return (double)(tsc() - start) / l->tsc_hz;
}

double traffic_run_paced(struct ends *l, double rate, double seconds, uint64_t *refused)
{
	uint64_t start = tsc(), end = start + (uint64_t)(seconds * l->tsc_hz), now, issued = 0;
	unsigned n_senders = l->o->n_busy * l->o->n_pairs, at = 0;
	double per_cycle = rate / l->tsc_hz;

	for (uint64_t n = 0; (now = tsc()) < end; n++) {
		uint64_t due = (uint64_t)((double)(now - start) * per_cycle) - issued;

		while (due) {
			unsigned want = due < BURST ? (unsigned)due : BURST;
			struct sender *s = sender_at(l, at);

			at = at + 1 == n_senders ? 0 : at + 1;
			if (!s->n_flows)
				continue;
			*refused += want - end_send(l, s, want, l->o->touch);
			issued += want;
			due -= want;
		}
		traffic_receive(l, n % ROUNDS == 0);
	}
	return (double)(tsc() - start) / l->tsc_hz;
}

void traffic_drain(struct ends *l)
{
	uint64_t wait = (uint64_t)(QUIET_S * l->tsc_hz), quiet = tsc() + wait;

	while (tsc() < quiet)
		if (traffic_receive(l, true))
			quiet = tsc() + wait;
}

/* ---- learning ---- */

static unsigned in_flight(const struct sender *s)
{
	return (uint16_t)(s->r->next_avail -
			  __atomic_load_n(&s->r->used->idx, __ATOMIC_ACQUIRE));
}

/* Sends each port's addresses once, from its first queue, to an address that is known already. */
static void addresses_send(struct ends *l, struct flow **lists, uint32_t n)
{
	double rate = l->o->learn_rate, per_cycle = rate / l->tsc_hz;
	uint64_t start = tsc(), limit = start + (uint64_t)(LEARN_S * l->tsc_hz);
	bool busy = true;

	for (unsigned i = 0; i < l->o->n_busy; i++) {
		struct sender *s = &l->all[i].senders[0];

		s->flows = lists[i];
		s->n_flows = n + BURST; /* never starts again */
		s->first = l->n_flows;
		s->cursor = 0;
	}
	while (busy && tsc() < limit) {
		uint64_t due = rate ? (uint64_t)((double)(tsc() - start) * per_cycle) : UINT64_MAX;

		busy = false;
		for (unsigned i = 0; i < l->o->n_busy; i++) {
			struct sender *s = &l->all[i].senders[0];
			uint32_t left = n - s->cursor;

			if (left && (uint64_t)s->cursor * l->o->n_busy < due)
				end_send(l, s, left < BURST ? left : BURST, TOUCH_FIRST);
			busy |= left || in_flight(s);
		}
		traffic_receive(l, true);
	}
}

static struct flow *list_make(const struct ends *l, unsigned port, uint32_t n, bool broadcast)
{
	struct flow *list = calloc(n + BURST, sizeof(*list));

	for (uint32_t a = 0; list && a < n; a++) {
		frame_address(list[a].addresses, broadcast ? 0xff : (port + 1) % l->o->n_busy, 0);
		frame_address(list[a].addresses + 6, port, a);
	}
	return list;
}

static void lists_send(struct ends *l, uint32_t n, bool broadcast)
{
	struct flow *lists[PORTS_MAX];

	for (unsigned i = 0; i < l->o->n_busy; i++)
		lists[i] = list_make(l, i, n, broadcast);
	addresses_send(l, lists, n);
	for (unsigned i = 0; i < l->o->n_busy; i++)
		free(lists[i]);
}

/* Every flow once, slowly enough that no receiver loses one: strays are what a switch floods. */
static void flows_send_once(struct ends *l)
{
	uint64_t limit = tsc() + (uint64_t)(LEARN_S * l->tsc_hz);

	for (unsigned i = 0; i < l->o->n_busy; i++)
		for (unsigned p = 0; p < l->o->n_pairs; p++) {
			struct sender *s = &l->all[i].senders[p];

			for (uint32_t left = s->n_flows; (left || in_flight(s)) && tsc() < limit;) {
				if (left && !in_flight(s))
					left -= end_send(l, s, left < BURST ? left : BURST,
							 TOUCH_FIRST);
				traffic_receive(l, true);
			}
		}
}

void traffic_learn(struct ends *l, struct learning *result)
{
	struct sender saved[PORTS_MAX];
	struct sums before, after;
	uint64_t start;

	for (unsigned i = 0; i < l->o->n_busy; i++)
		saved[i] = l->all[i].senders[0];
	lists_send(l, 1, true);
	traffic_drain(l);
	start = tsc();
	lists_send(l, l->n_addresses, false);
	result->seconds = (double)(tsc() - start) / l->tsc_hz;
	result->n_addresses = (uint64_t)l->n_addresses * l->o->n_busy;
	traffic_drain(l);
	for (unsigned i = 0; i < l->o->n_busy; i++) {
		struct sender *s = &l->all[i].senders[0];

		s->flows = saved[i].flows;
		s->n_flows = saved[i].n_flows;
		s->first = saved[i].first;
		s->cursor = 0;
	}
	result->can_tell = l->o->n_ports > l->o->n_busy && l->copies == 1 &&
			   l->o->touch != TOUCH_NONE && l->o->send == KIND_OFF;
	if (result->can_tell) {
		traffic_sums(l, &before);
		flows_send_once(l);
		traffic_drain(l);
		traffic_sums(l, &after);
		result->n_flooded = (after.stray - before.stray) / (l->o->n_ports - l->o->n_busy);
	}
	/* --touch none takes the buffers as they are. */
	for (unsigned i = 0; i < l->o->n_busy && l->o->touch == TOUCH_NONE; i++)
		for (unsigned p = 0; p < l->o->n_pairs; p++)
			if (l->all[i].senders[p].n_flows)
				sender_fill(l, &l->all[i].senders[p]);
}

/* ---- sums ---- */

void traffic_sums(const struct ends *l, struct sums *t)
{
	uint32_t n_payload = l->o->size - TCP_HEADERS;

	memset(t, 0, sizeof(*t));
	for (unsigned i = 0; i < l->o->n_ports; i++) {
		const struct end *e = &l->all[i];

		for (unsigned p = 0; p < l->o->n_pairs; p++) {
			t->sent += e->senders[p].n_sent;
			t->tries += e->senders[p].n_tries;
			t->full += e->senders[p].n_full;
		}
		if ((int)i == l->o->stall)
			t->stalled = e->fe->rings[0].used->idx;
		t->received += l->o->send != KIND_OFF ? e->tally.payload / n_payload :
							    e->tally.n_frames - e->tally.n_stray;
		t->bytes += e->tally.n_bytes;
		t->gaps += e->tally.n_gaps;
		t->late += e->tally.n_late;
		t->duplicates += e->tally.n_duplicates;
		t->stray += e->tally.n_stray;
		t->gso += e->tally.n_gso;
	}
	for (uint32_t f = 0; l->o->stall >= 0 && f < l->n_flows; f++)
		if (l->flows[f].addresses[2] == l->o->stall)
			t->to_stalled += l->flows[f].n_sent;
}

struct sums sums_since(const struct sums *now, const struct sums *before)
{
	struct sums d;
	const uint64_t *a = (const uint64_t *)now, *b = (const uint64_t *)before;
	uint64_t *out = (uint64_t *)&d;

	for (unsigned i = 0; i < sizeof(d) / sizeof(*out); i++)
		out[i] = a[i] - b[i];
	return d;
}

int64_t sums_lost(const struct ends *l, const struct sums *s)
{
	return (int64_t)((s->sent - s->to_stalled) * l->copies - s->received);
}
