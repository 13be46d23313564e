/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/view.h"

#include <errno.h>
#include <stdlib.h>

#include "switch/internal.h"
#include "switch/owners.h"
#include "switch/watch.h"

#define ETH_AND_TAGS 22 /* bytes: header and two tags, what a port's MTU does not count */

static uint32_t len_max(const struct port *p)
{
	uint32_t mtu = p->kept->mtu ? p->kept->mtu : p->mtu_told;

	return mtu && mtu < FRAME_MAX - ETH_AND_TAGS ? mtu + ETH_AND_TAGS : FRAME_MAX;
}

static void view_port_fill(struct view_port *vp, struct port *p)
{
	vp->port = p;
	vp->ops = p->ops;
	vp->id = p->id;
	vp->vlan = p->kept->vlan;
	vp->len_max = len_max(p);
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (p->tx_mask >> q & 1)
			vp->txq[vp->n_txq++] = (uint8_t)q;
	if (p->peer)
		vp->n_txq = p->state == PORT_UP;
	vp->multi_queue = vp->n_txq > 1;
	vp->guard = p->kept->policy.guard;
	vp->guarded = vp->guard.checks;
	vp->isolated = p->kept->policy.isolated;
	vp->max_macs = p->kept->policy.max_macs;
}

static bool is_owner(const struct port *p)
{
	return p->kept->policy.guard.checks & GUARD_MAC;
}

/* Counts the owners of each bridge and lays out their slots: how many all have. */
static size_t owners_lay_out(struct switch_ *sw, struct view *v)
{
	uint64_t *next = v->owners;
	struct bridge *br;
	struct port *p;
	size_t sum = 0;

	TAILQ_FOREACH(p, &sw->ports, link)
		p->bridge->n_owners = 0;
	TAILQ_FOREACH(p, &sw->ports, link)
		p->bridge->n_owners += is_owner(p);
	TAILQ_FOREACH(br, &sw->bridges, link) {
		uint32_t n = br->n_ports && br->n_owners ? owners_slots(br->n_owners) : 0;

		sum += n;
		if (!next || !n)
			continue;
		v->bridges[br->index].owners = next;
		v->bridges[br->index].owners_mask = n - 1;
		next += n;
	}
	return sum;
}

static void owners_fill(struct switch_ *sw, struct view *v)
{
	struct port *p;

	owners_lay_out(sw, v);
	TAILQ_FOREACH(p, &sw->ports, link)
		if (is_owner(p))
			owners_put(&v->bridges[p->bridge->index], p->kept->policy.guard.mac, p->id);
}

/* Cycles that a byte takes at so many bits a second, times 65536. */
static uint64_t rate_cost(const struct switch_ *sw, uint64_t rate)
{
	return (uint64_t)((unsigned __int128)sw->tsc_hz * 8 * 65536 / rate);
}

/* A tenth of a second's worth at once, one at least. */
static void storm_fill(const struct switch_ *sw, struct view_port *vp, uint32_t storm)
{
	if (!storm)
		return;
	vp->storm_each = sw->tsc_hz / storm ? sw->tsc_hz / storm : 1;
	vp->storm_depth = sw->tsc_hz / 10 > vp->storm_each ? sw->tsc_hz / 10 : vp->storm_each;
}

static void view_sources_fill(struct switch_ *sw, struct view *v)
{
	struct view_source *next = v->sources;
	struct port *p;

	for (unsigned w = 0; w < v->n_workers; w++) {
		struct view_sources *s = &v->worker[w];

		s->s = next;
		TAILQ_FOREACH(p, &sw->ports, link)
			for (uint8_t q = 0; q < PORT_QUEUES_MAX; q++) {
				if (!(p->rx_mask >> q & 1) || p->rx_worker[q] != w)
					continue;
				next->port = v->by_id[p->id];
				next->port->source[q] = (uint16_t)s->n++;
				next->load = &p->load[q];
				next->q = q;
				next->polled_only = p->kick_fd[q] < 0;
				if (p->kept->policy.rate) {
					next->special = SOURCE_LIMITED;
					next->rate_cost = rate_cost(sw, p->kept->policy.rate);
				}
				s->polled_only |= next->polled_only;
				next++;
			}
	}
}

static void view_fill(struct switch_ *sw, struct view *v)
{
	struct view_port *vp = v->ports, **member = v->members;
	struct bridge *br;
	struct port *p;
	unsigned n = 0;

	TAILQ_FOREACH(br, &sw->bridges, link) {
		br->index = n++;
		v->bridges[br->index].fdb = br->fdb;
		v->bridges[br->index].forward_reserved = br->kept->opts.forward_reserved;
	}
	TAILQ_FOREACH(p, &sw->ports, link) {
		view_port_fill(vp, p);
		vp->bridge = &v->bridges[p->bridge->index];
		storm_fill(sw, vp, p->kept->policy.storm);
		v->by_id[p->id] = vp++;
	}
	TAILQ_FOREACH(p, &sw->ports, link)
		if (p->peer)
			v->by_id[p->id]->peer = v->by_id[p->peer->id];
	TAILQ_FOREACH(br, &sw->bridges, link) {
		v->bridges[br->index].members = member;
		member += br->n_ports;
	}
	TAILQ_FOREACH(p, &sw->ports, link) {
		struct view_bridge *vb = &v->bridges[p->bridge->index];

		if (v->by_id[p->id]->n_txq)
			vb->members[vb->n_members++] = v->by_id[p->id];
	}
	owners_fill(sw, v);
	view_sources_fill(sw, v);
	watch_view_fill(sw, v);
}

int view_build(struct switch_ *sw, struct view **out)
{
	unsigned n_ports = 0, n_sources = 0;
	struct port *p;
	struct view *v;

	TAILQ_FOREACH(p, &sw->ports, link) {
		n_ports++;
		n_sources += (unsigned)__builtin_popcount(p->rx_mask);
	}
	v = calloc(1, sizeof(*v) + sw->opts.n_workers * sizeof(v->worker[0]));
	if (!v)
		return -ENOMEM;
	v->n_workers = sw->opts.n_workers;
	v->seq = ++sw->view_seq;
	/* calloc(0) may be NULL: one more of each costs nothing. */
	v->ports = calloc(n_ports + 1, sizeof(*v->ports));
	v->bridges = calloc(sw->n_bridges + 1, sizeof(*v->bridges));
	v->members = calloc(n_ports + 1, sizeof(struct view_port *));
	v->sources = calloc(n_sources + 1, sizeof(*v->sources));
	v->owners = calloc(owners_lay_out(sw, v) + 1, sizeof(*v->owners));
	if (!v->owners || !v->ports || !v->bridges || !v->members || !v->sources) {
		view_free(v);
		return -ENOMEM;
	}
	view_fill(sw, v);
	*out = v;
	return 0;
}

void view_free(struct view *v)
{
	if (!v)
		return;
	free(v->ports);
	free(v->bridges);
	free(v->members);
	free(v->sources);
	free(v->owners);
	free(v);
}
