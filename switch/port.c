/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "switch/carrier.h"
#include "switch/internal.h"
#include "switch/keep.h"
#include "switch/quarantine.h"
#include "switch/tally.h"

#define MTU_MIN 68    /* RFC 791: every IPv4 host takes that much */
#define MTU_MAX 65535 /* FRAME_MAX less header and two tags */

const char *port_state_name(enum port_state s)
{
	static const char *const names[] = {
		[PORT_WAITING] = "waiting",	    [PORT_CONNECTING] = "connecting",
		[PORT_NEGOTIATING] = "negotiating", [PORT_UP] = "up",
		[PORT_DOWN] = "down",		    [PORT_ERRORED] = "errored",
	};

	return names[s];
}

static int mtu_check(const char *name, uint32_t mtu, struct err *err)
{
	if (mtu && (mtu < MTU_MIN || mtu > MTU_MAX))
		return err_set(err, -EINVAL, "port \"%s\": mtu %u is outside %d-%d", name, mtu,
			       MTU_MIN, MTU_MAX);
	return 0;
}

static int id_take(struct switch_ *sw, struct port *p, const struct port_opts *opts)
{
	if (opts->adopt) {
		sw->by_id[opts->slot] = p;
		p->id = opts->slot;
		return 0;
	}
	/* A used slot without a port awaits its adoption. */
	for (unsigned id = 0; id < SWITCH_PORTS_MAX; id++)
		if (!sw->by_id[id] && !arena_port_used(sw->arena, id)) {
			sw->by_id[id] = p;
			p->id = (uint16_t)id;
			return 0;
		}
	return -ENOSPC;
}

static bool slot_fits(const struct switch_ *sw, const struct port_opts *opts, const struct port_ops *ops)
{
	const struct arena_port *k;

	if (opts->slot >= SWITCH_PORTS_MAX || !arena_port_used(sw->arena, opts->slot) || sw->by_id[opts->slot])
		return false;
	k = arena_port(sw->arena, opts->slot);
	return !strcmp(k->name, opts->name) && !strcmp(k->type, ops->type);
}

/* What the driver has agreed with its other side stays, but for a port that shall not go on there. Its
 * listening socket is no party to that: closed, it could still be in the way of the next one at its path. */
static void kept_adopt(struct port *p, const struct port_opts *opts)
{
	struct arena_port *k = p->kept;

	/* A crash on the way is laid to it. */
	port_serve(p);
	if (k->quarantined) {
		keep_drop_slot(p->sw, p->id, KEEP_OF_PORT & ~KEEP_BIT(KEEP_LISTEN));
		memset(k->driver, 0, sizeof(k->driver));
	} else {
		k->down = opts->down;
	}
	k->bridge = p->bridge->slot;
	k->vlan = opts->vlan;
	k->policy = opts->policy;
	k->mtu = opts->mtu;
}

static void kept_fill(struct port *p, const struct port_opts *opts)
{
	struct arena_port *k = p->kept;

	/* Whatever was kept here was another port's, which did not live to say so. */
	keep_drop_slot(p->sw, p->id, KEEP_OF_PORT);
	memset(k, 0, sizeof(*k));
	memcpy(k->name, p->name, sizeof(k->name));
	snprintf(k->type, sizeof(k->type), "%s", p->ops->type);
	k->bridge = p->bridge->slot;
	k->peer = ARENA_NONE;
	k->vlan = opts->vlan;
	k->policy = opts->policy;
	k->mtu = opts->mtu;
	k->down = opts->down;
	arena_port_use(p->sw->arena, p->id);
}

void port_change_tell(struct port *p, enum switch_event event, enum port_state was)
{
	struct switch_change change = {.event = event,
				       .bridge = p->bridge,
				       .port = p,
				       .type = p->ops->type,
				       .was = was,
				       .is = p->state,
				       .carrier = p->carrier,
				       .mtu = p->kept->mtu,
				       .reason = p->reason};

	switch_change_tell(p->sw, &change);
}

int port_init(struct port *p, struct switch_ *sw, const struct port_opts *opts,
	      const struct port_ops *ops, struct err *err)
{
	int rc;

	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		p->kick_fd[q] = -1;
	if (strlen(opts->name) >= sizeof(p->name))
		return err_set(err, -EINVAL, "port name \"%.40s…\" is longer than %zu characters",
			       opts->name, sizeof(p->name) - 1);
	if (port_find(sw, opts->name))
		return err_set(err, -EEXIST, "port \"%s\" exists already", opts->name);
	rc = vlan_policy_check(&opts->vlan, err);
	if (rc < 0) {
		err_prefix(err, "port \"%s\"", opts->name);
		return rc;
	}
	rc = mtu_check(opts->name, opts->mtu, err);
	if (rc == 0)
		rc = port_policy_allowed(opts->bridge, opts->name, NULL, &opts->vlan, &opts->policy, err);
	if (rc < 0)
		return rc;
	if (opts->adopt && !slot_fits(sw, opts, ops))
		return err_set(err, -EPROTO, "port \"%s\": slot %u has another port", opts->name,
			       opts->slot);
	if (id_take(sw, p, opts) < 0)
		return err_set(err, -ENOSPC, "port \"%s\": there are %d ports, the most there can be",
			       opts->name, SWITCH_PORTS_MAX);
	p->counters = tally_blocks(sw->tally, p->id, opts->adopt);
	memcpy(p->name, opts->name, strlen(opts->name) + 1);
	p->sw = sw;
	p->ops = ops;
	p->bridge = opts->bridge;
	p->kept = arena_port(sw->arena, p->id);
	if (opts->adopt)
		kept_adopt(p, opts);
	else
		kept_fill(p, opts);
	p->bridge->n_ports++;
	TAILQ_INSERT_TAIL(&sw->ports, p, link);
	switch_publish(sw);
	port_policy_settle(p);
	port_change_tell(p, SWITCH_PORT_MADE, p->state);
	carrier_update(p->bridge, p);
	return 0;
}

void port_fini(struct port *p)
{
	struct switch_ *sw = p->sw;

	port_change_tell(p, SWITCH_PORT_GONE, p->state);
	port_stop_all(p);
	watch_port_gone(sw, p);
	TAILQ_REMOVE(&sw->ports, p, link);
	/* Without a new view the old one would name freed memory: memory must come. */
	while (switch_publish(sw) < 0)
		usleep(1000);
	watch_ports_ended(sw);
	/* No worker can learn on it any more: forget it before the id is somebody else's. */
	if (!sw->closing)
		fdb_flush(p->bridge->fdb, p->id, true);
	p->bridge->n_ports--;
	sw->by_id[p->id] = NULL;
	arena_port_drop(sw->arena, p->id);
	if (!sw->closing)
		keep_drop_slot(sw, p->id, KEEP_OF_PORT);
	p->counters = NULL;
	carrier_update(p->bridge, NULL);
}

void port_grace_period(struct port *p)
{
	switch_grace_period(p->sw);
}

void port_state_set(struct port *p, enum port_state s, const char *fmt, ...)
{
	enum port_state was = p->state;
	char reason[PORT_REASON_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	if (p->kept->quarantined) {
		s = PORT_ERRORED;
		snprintf(reason, sizeof(reason), "quarantined: the switch crashed twice within %llu s while it "
			 "served this port; `lanyard port up %s` lets it in again",
			 QUARANTINE_WITHIN_NS / S_NS, p->name);
	}
	if (s == p->state && !strcmp(reason, p->reason))
		return;
	p->state = s;
	memcpy(p->reason, reason, sizeof(reason));
	LOG_INFO_RL("port \"%s\": %s%s%s", p->name, port_state_name(s), reason[0] ? ": " : "",
		    reason);
	port_change_tell(p, SWITCH_PORT_STATE, was);
	carrier_update(p->bridge, p);
}

void port_serve(struct port *p)
{
	note_serving(arena_note(p->sw->arena, 0), p->id + 1u);
}

void port_served(struct port *p)
{
	note_serving(arena_note(p->sw->arena, 0), 0);
}

void port_fault_raise(struct port *p)
{
	atomic_store(&p->fault_raised, true);
	switch_notice(p->sw, NOTICE_FAULT);
}

const char *port_name(const struct port *p)
{
	return p->name;
}

struct port *port_find(struct switch_ *sw, const char *name)
{
	struct port *p;

	TAILQ_FOREACH(p, &sw->ports, link)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

struct port *port_next(struct switch_ *sw, struct port *after)
{
	return after ? TAILQ_NEXT(after, link) : TAILQ_FIRST(&sw->ports);
}

void port_info(const struct port *p, struct port_info *info)
{
	memset(info, 0, sizeof(*info));
	info->name = p->name;
	info->type = p->ops->type;
	info->bridge = p->bridge;
	info->state = p->state;
	info->reason = p->reason;
	info->vlan = p->kept->vlan;
	info->policy = &p->kept->policy;
	info->mtu = p->kept->mtu ? p->kept->mtu : p->mtu_told;
	info->carrier = p->carrier;
	if (p->ops->info)
		p->ops->info(p, info);
}

void port_counters_read(const struct port *p, struct port_counters *sum)
{
	/* All members are counters: a block is summed as an array of them. */
	const size_t n = sizeof(*sum) / sizeof(uint64_t);
	uint64_t *to = (uint64_t *)sum;

	memset(sum, 0, sizeof(*sum));
	for (unsigned block = 0; block < port_scratch_block(p->sw); block++) {
		const uint64_t *from = (const uint64_t *)&p->counters[block];

		for (size_t i = 0; i < n; i++)
			to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	}
}

struct port_counters *port_helper_counters(const struct port *p, unsigned h)
{
	return &p->counters[p->sw->opts.n_workers + h];
}

unsigned port_scratch_block(const struct switch_ *sw)
{
	return tally_n_summed(sw);
}

void port_user_set(struct port *p, void *user)
{
	p->user = user;
}

void port_owner_set(struct port *p, const char *lab, bool transient)
{
	struct arena_owner *o = &p->kept->owner;

	snprintf(o->lab, sizeof(o->lab), "%s", lab ? lab : "");
	o->transient = transient;
	if (p->peer)
		p->peer->kept->owner = *o;
}

int port_settings_set(struct port *p, const char *text)
{
	const struct port *first = p->peer && !p->link_first ? p->peer : p;

	return arena_text_set(p->sw->arena, &first->kept->settings, text);
}

void *port_user(const struct port *p)
{
	return p->user;
}

int port_del(struct port *p, struct err *err)
{
	p->ops->destroy(p);
	return 0;
}

int port_vlan_set(struct port *p, const struct vlan_policy *vlan, struct err *err)
{
	struct vlan_policy old = p->kept->vlan;
	int rc = vlan_policy_check(vlan, err);

	if (rc < 0) {
		err_prefix(err, "port \"%s\"", p->name);
		return rc;
	}
	rc = port_policy_allowed(p->bridge, p->name, p, vlan, &p->kept->policy, err);
	if (rc < 0)
		return rc;
	p->kept->vlan = *vlan;
	if (p->peer)
		p->peer->kept->vlan = *vlan;
	if (switch_publish(p->sw) < 0) {
		p->kept->vlan = old;
		if (p->peer)
			p->peer->kept->vlan = old;
		return err_set(err, -ENOMEM, "port \"%s\": out of memory", p->name);
	}
	port_policy_settle(p);
	return 0;
}

int port_mtu_set(struct port *p, uint32_t mtu, struct err *err)
{
	uint32_t old = p->kept->mtu;
	int rc = mtu_check(p->name, mtu, err);

	if (rc == 0 && p->ops->mtu)
		rc = p->ops->mtu(p, mtu, err);
	if (rc < 0)
		return rc;
	p->kept->mtu = mtu;
	if (p->peer)
		p->peer->kept->mtu = mtu;
	if (switch_publish(p->sw) < 0) {
		p->kept->mtu = old;
		if (p->peer)
			p->peer->kept->mtu = old;
		return err_set(err, -ENOMEM, "port \"%s\": out of memory", p->name);
	}
	port_change_tell(p, SWITCH_PORT_MTU, p->state);
	return 0;
}

void port_carrier_retell(struct port *p)
{
	port_change_tell(p, SWITCH_PORT_CARRIER, p->state);
}

void port_mtu_tell(struct port *p, uint32_t mtu)
{
	if (mtu == p->mtu_told)
		return;
	/* Out of memory leaves the old view, whose limit is as good as none. */
	p->mtu_told = mtu;
	if (!p->kept->mtu)
		switch_publish(p->sw);
}

int port_admin_set(struct port *p, bool up, struct err *err)
{
	int rc;

	if (up)
		quarantine_lift(p->kept);
	rc = p->ops->admin(p, up, err);

	if (rc == 0) {
		/* Shut out, it is not down by the administrator's word. */
		p->kept->down = !up && !p->kept->quarantined;
		if (p->peer)
			p->peer->kept->down = !up;
		carrier_update(p->bridge, p);
		if (p->peer)
			carrier_update(p->peer->bridge, p->peer);
	}
	return rc;
}
