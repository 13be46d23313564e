/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking over what a predecessor left: arena, clock, secret; then bridges and ports from their slots.
 *
 * How      The arena is kept under KEEP_ARENA, each bridge's forwarding database under KEEP_FDB, what
 *          ports need under kinds of their own (switch/keep.h). While it is taken over no view is built,
 *          so that restarting with thousands of ports takes one, and no worker forwards by half of
 *          them. A crash meanwhile leaves all slots as they are for the next successor.
 * Threads  control only.
 * Trust    as arena_adopt() and fdb_adopt().
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "base/log.h"
#include "switch/internal.h"
#include "switch/keep.h"
#include "switch/quarantine.h"

static const struct keep_key arena_key = {.kind = KEEP_ARENA};

/* A predecessor's, if there is one and it is good. */
static void arena_take(struct switch_ *sw)
{
	struct err err = ERR_NONE;
	unsigned n_dropped;
	int fd = keep_take(sw, arena_key);

	if (fd < 0)
		return;
	if (arena_adopt(fd, &sw->arena, &n_dropped, &err) < 0) {
		LOG_ERR("%s; bridges and ports are made anew", err.text);
		close(fd);
		/* Whose they were nobody can tell, and paths are wanted again. */
		for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++)
			keep_drop_slot(sw, (uint16_t)i, KEEP_OF_PORT);
		return;
	}
	sw->adopted = true;
	if (n_dropped)
		LOG_ERR("switch: %u bridges and ports of the process before were damaged and are dropped",
			n_dropped);
}

static int arena_make(struct switch_ *sw, struct err *err)
{
	int rc = arena_create(&sw->arena, err);

	if (rc < 0)
		return rc;
	rc = keep_put(sw, arena_key, arena_fd(sw->arena));
	return rc < 0 ? err_set(err, rc, "switch: cannot have its memory kept: %s", strerror(-rc)) : 0;
}

static void secret_share(struct switch_ *sw)
{
	uint64_t *secret = arena_secret(sw->arena);

	if (sw->adopted && !fdb_secret[1] && secret[1])
		memcpy(fdb_secret, secret, sizeof(fdb_secret));
	fdb_secret_make();
	memcpy(secret, fdb_secret, sizeof(fdb_secret));
}

/* Seconds go on where the predecessor counted them, whatever rate it had measured. */
static void clock_share(struct switch_ *sw)
{
	struct arena_clock *c = arena_clock(sw->arena);
	uint64_t now = rte_rdtsc(), age;

	sw->tsc_hz = rte_get_tsc_hz();
	sw->tsc_start = now;
	if (sw->adopted && c->tsc_hz > sw->tsc_hz / 2 && c->tsc_hz < sw->tsc_hz * 2 && c->tsc_start < now) {
		age = now - c->tsc_start;
		sw->tsc_start = now - (age / c->tsc_hz * sw->tsc_hz +
				       (uint64_t)((double)(age % c->tsc_hz) / (double)c->tsc_hz *
						  (double)sw->tsc_hz));
	}
	*c = (struct arena_clock){.tsc_start = sw->tsc_start, .tsc_hz = sw->tsc_hz};
}

int adopt_begin(struct switch_ *sw, struct err *err)
{
	int rc = 0;

	arena_take(sw);
	if (!sw->arena)
		rc = arena_make(sw, err);
	if (rc < 0)
		return rc;
	if (sw->adopted)
		quarantine_judge(sw->arena, sw->opts.end, loop_now_ns());
	quarantine_thread(arena_note(sw->arena, 0));
	secret_share(sw);
	clock_share(sw);
	return 0;
}

bool switch_adopting(const struct switch_ *sw)
{
	return sw->adopting;
}

static void owner_info(const struct arena_owner *o, struct slot_info *info)
{
	info->lab = o->lab[0] ? o->lab : NULL;
	info->transient = o->transient;
}

bool bridge_slot(struct switch_ *sw, unsigned i, struct slot_info *info)
{
	const struct arena_bridge *b = arena_bridge(sw->arena, i);

	if (!arena_bridge_used(sw->arena, i))
		return false;
	*info = (struct slot_info){.name = b->name, .settings = arena_text(sw->arena, b->settings)};
	owner_info(&b->owner, info);
	return true;
}

bool port_slot(struct switch_ *sw, unsigned i, struct slot_info *info)
{
	const struct arena_port *p = arena_port(sw->arena, i);

	if (!arena_port_used(sw->arena, i))
		return false;
	*info = (struct slot_info){.name = p->name,
				   .settings = arena_text(sw->arena, p->settings),
				   .quarantined = p->quarantined,
				   .second = p->peer != ARENA_NONE && !p->settings};
	owner_info(&p->owner, info);
	return true;
}

const void *port_slot_driver(struct switch_ *sw, uint16_t slot)
{
	if (slot >= SWITCH_PORTS_MAX || !arena_port_used(sw->arena, slot) ||
	    arena_port(sw->arena, slot)->quarantined)
		return NULL;
	return arena_port(sw->arena, slot)->driver;
}

void switch_slots_drop(struct switch_ *sw)
{
	bool has_bridge[SWITCH_BRIDGES_MAX] = {false};
	struct bridge *br;

	if (!sw->adopting)
		return;
	TAILQ_FOREACH (br, &sw->bridges, link)
		has_bridge[arena_bridge_index(sw->arena, br->kept)] = true;
	for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++)
		if (arena_port_used(sw->arena, i) && !sw->by_id[i]) {
			LOG_WARN("port \"%s\": it could not be taken over", arena_port(sw->arena, i)->name);
			arena_port_drop(sw->arena, i);
			keep_drop_slot(sw, (uint16_t)i, KEEP_OF_PORT);
		}
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (arena_bridge_used(sw->arena, i) && !has_bridge[i]) {
			LOG_WARN("bridge \"%s\": it could not be taken over",
				 arena_bridge(sw->arena, i)->name);
			arena_bridge_drop(sw->arena, i);
			keep_drop(sw, (struct keep_key){.kind = KEEP_FDB, .slot = (uint16_t)i});
		}
}

static bool is_on(const void *arg, uint16_t port)
{
	const struct bridge *br = arg;
	const struct port *p = br->sw->by_id[port];

	return p && p->bridge == br;
}

void switch_adopt_end(struct switch_ *sw)
{
	struct bridge *br;

	if (!sw->adopting)
		return;
	switch_slots_drop(sw);
	TAILQ_FOREACH (br, &sw->bridges, link)
		fdb_keep(br->fdb, is_on, br);
	sw->adopting = false;
	note_serving(arena_note(sw->arena, 0), 0);
	/* Nobody forwards until there is a view: memory must come. */
	while (switch_publish(sw) < 0)
		usleep(1000);
	switch_notice(sw, NOTICE_SWEEP);
}
