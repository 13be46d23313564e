/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "switch/internal.h"
#include "switch/keep.h"

static int opts_check(const char *name, const struct bridge_opts *o, struct err *err)
{
	if (o->ageing_s < 1 || o->ageing_s > BRIDGE_AGEING_MAX_S)
		return err_set(err, -EINVAL, "bridge \"%s\": ageing %us is outside 1s-%us", name,
			       o->ageing_s, BRIDGE_AGEING_MAX_S);
	if (o->max_macs < BRIDGE_MACS_MIN || o->max_macs > BRIDGE_MACS_MAX)
		return err_set(err, -EINVAL, "bridge \"%s\": max-macs %u is outside %u-%u", name,
			       o->max_macs, BRIDGE_MACS_MIN, BRIDGE_MACS_MAX);
	if (o->forward_reserved & ~RESERVED_ALL)
		return err_set(err, -EINVAL,
			       "bridge \"%s\": pause frames (01:80:c2:00:00:01) are never forwarded",
			       name);
	return 0;
}

static struct keep_key keep_key_of(const struct bridge *br)
{
	return (struct keep_key){.kind = KEEP_FDB, .slot = br->slot};
}

/* From here on the table outlives this process, if anybody keeps it. */
static int fdb_put(struct bridge *br, struct fdb *t)
{
	int rc = keep_put(br->sw, keep_key_of(br), fdb_fd(t));

	fdb_fd_close(t);
	return rc;
}

static int fdb_make(struct bridge *br, const struct bridge_opts *opts)
{
	int rc = fdb_create(opts->max_macs, opts->ageing_s, &br->fdb);

	return rc < 0 ? rc : fdb_put(br, br->fdb);
}

/* -ENOSPC when a static entry finds no place in the new table; what was learned may find none. */
static int fdb_copy(const struct fdb *from, struct fdb *to, uint32_t now_s)
{
	struct fdb_entry e[64];
	uint64_t at = 0;

	do {
		unsigned n = fdb_read(from, &at, e, 64, now_s);

		for (unsigned i = 0; i < n; i++) {
			if (!e[i].is_static)
				fdb_learn(to, e[i].key, fdb_hash(e[i].key), e[i].port,
					  now_s - e[i].age_s);
			else if (fdb_add(to, e[i].key, e[i].port, now_s) < 0)
				return -ENOSPC;
		}
	} while (at);
	return 0;
}

/* The table that a predecessor left, or one like it where it was about to get another size. */
static int fdb_take(struct bridge *br, const struct bridge_opts *opts)
{
	int fd = keep_take(br->sw, keep_key_of(br)), rc;
	struct fdb *old = NULL;
	unsigned n_dropped = 0;

	rc = fd < 0 ? -ENOENT : fdb_adopt(fd, opts->ageing_s, &old, &n_dropped);
	if (rc < 0) {
		LOG_WARN("bridge \"%s\": its addresses are gone with the process before: %s", br->name,
			 strerror(-rc));
		if (fd >= 0)
			close(fd);
		return fdb_make(br, opts);
	}
	if (n_dropped)
		LOG_WARN("bridge \"%s\": %u addresses were not whole and are dropped", br->name, n_dropped);
	br->sweep_next_s = 0; /* nobody knows how old they are */
	if (fdb_max_macs(old) == opts->max_macs) {
		fdb_fd_close(old);
		br->fdb = old;
		return 0;
	}
	rc = fdb_make(br, opts);
	if (rc == 0 && fdb_copy(old, br->fdb, switch_now_s(br->sw)) < 0)
		LOG_WARN("bridge \"%s\": not all of its static addresses fit into max-macs %u", br->name,
			 opts->max_macs);
	fdb_destroy(old);
	return rc;
}

static int bridge_begin(struct switch_ *sw, struct arena_bridge *kept, bool adopt, struct bridge **out,
			struct err *err)
{
	struct bridge *br = calloc(1, sizeof(*br));
	int rc = -ENOMEM;

	if (br) {
		br->sw = sw;
		br->kept = kept;
		br->slot = (uint16_t)arena_bridge_index(sw->arena, kept);
		br->sweep_next_s = UINT32_MAX;
		memcpy(br->name, kept->name, sizeof(br->name));
		rc = adopt ? fdb_take(br, &kept->opts) : fdb_make(br, &kept->opts);
	}
	if (rc < 0) {
		err_set(err, rc, "bridge \"%s\": no memory for %u addresses: %s", kept->name,
			kept->opts.max_macs, strerror(-rc));
		if (br)
			fdb_destroy(br->fdb);
		free(br);
		return rc;
	}
	fdb_listen(br->fdb, &sw->moves);
	TAILQ_INSERT_TAIL(&sw->bridges, br, link);
	sw->n_bridges++;
	/* Nothing is on it: workers need not know before the first port joins. */
	switch_change_tell(sw, &(struct switch_change){.event = SWITCH_BRIDGE_MADE, .bridge = br});
	*out = br;
	return 0;
}

int bridge_add(struct switch_ *sw, const char *name, const struct bridge_opts *opts,
	       struct bridge **out, struct err *err)
{
	struct arena_bridge *k;
	int rc = opts_check(name, opts, err);

	if (rc < 0)
		return rc;
	if (strlen(name) >= SWITCH_NAME_MAX)
		return err_set(err, -EINVAL, "bridge name \"%.40s…\" is longer than %d characters",
			       name, SWITCH_NAME_MAX - 1);
	if (bridge_find(sw, name))
		return err_set(err, -EEXIST, "bridge \"%s\" exists already", name);
	if (sw->n_bridges >= SWITCH_BRIDGES_MAX)
		return err_set(err, -ENOSPC, "bridge \"%s\": there are %d bridges, the most there can be",
			       name, SWITCH_BRIDGES_MAX);
	/* There are as many slots as bridges. */
	k = arena_bridge_free(sw->arena);
	k->opts = *opts;
	memcpy(k->name, name, strlen(name) + 1);
	rc = bridge_begin(sw, k, false, out, err);
	if (rc == 0)
		arena_bridge_use(sw->arena, (*out)->slot);
	return rc;
}

int bridge_adopt(struct switch_ *sw, unsigned i, struct bridge **out, struct err *err)
{
	struct arena_bridge *k = arena_bridge(sw->arena, i);
	int rc = arena_bridge_used(sw->arena, i) ? opts_check(k->name, &k->opts, err)
						 : err_set(err, -ENOENT, "nothing is in slot %u", i);

	if (rc == 0 && bridge_find(sw, k->name))
		rc = err_set(err, -EEXIST, "bridge \"%s\" exists already", k->name);
	return rc < 0 ? rc : bridge_begin(sw, k, true, out, err);
}

int bridge_del(struct bridge *br, struct err *err)
{
	struct switch_ *sw = br->sw;

	if (br->n_ports) {
		err_set(err, -EBUSY, "bridge \"%s\" still has %u port%s", br->name, br->n_ports,
			br->n_ports == 1 ? "" : "s");
		return err_hint(err, "delete its ports first");
	}
	TAILQ_REMOVE(&sw->bridges, br, link);
	sw->n_bridges--;
	if (switch_publish(sw) < 0) {
		TAILQ_INSERT_TAIL(&sw->bridges, br, link);
		sw->n_bridges++;
		return err_set(err, -ENOMEM, "bridge \"%s\": out of memory", br->name);
	}
	switch_change_tell(sw, &(struct switch_change){.event = SWITCH_BRIDGE_GONE, .bridge = br});
	arena_bridge_drop(sw->arena, br->slot);
	if (!sw->closing)
		keep_drop(sw, keep_key_of(br));
	fdb_destroy(br->fdb);
	free(br);
	return 0;
}

int bridge_set(struct bridge *br, const struct bridge_opts *opts, struct err *err)
{
	struct bridge_opts old_opts = br->kept->opts;
	struct fdb *old = br->fdb;
	int rc = opts_check(br->name, opts, err);

	if (rc < 0)
		return rc;
	if (opts->max_macs != br->kept->opts.max_macs) {
		struct fdb *t;

		if (fdb_create(opts->max_macs, opts->ageing_s, &t) < 0)
			return err_set(err, -ENOMEM, "bridge \"%s\": no memory for %u addresses",
				       br->name, opts->max_macs);
		if (fdb_copy(old, t, switch_now_s(br->sw)) < 0) {
			fdb_destroy(t);
			err_set(err, -ENOSPC,
				"bridge \"%s\": its static addresses do not fit into max-macs %u",
				br->name, opts->max_macs);
			return err_hint(err, "delete some of them first, or choose a larger table");
		}
		fdb_listen(t, &br->sw->moves);
		br->fdb = t;
		br->n_left_out = 0;
		br->sweep_at = 0;
		br->sweeping = false;
	}
	br->kept->opts = *opts;
	if (switch_publish(br->sw) < 0) {
		if (br->fdb != old)
			fdb_destroy(br->fdb);
		br->fdb = old;
		br->kept->opts = old_opts;
		return err_set(err, -ENOMEM, "bridge \"%s\": out of memory", br->name);
	}
	if (br->fdb != old && fdb_put(br, br->fdb) < 0)
		LOG_WARN("bridge \"%s\": its addresses would not outlive a crash", br->name);
	fdb_ageing_set(br->fdb, opts->ageing_s);
	switch_sweep_soon(br->sw);
	if (br->fdb != old)
		fdb_destroy(old);
	return 0;
}

struct bridge *bridge_find(struct switch_ *sw, const char *name)
{
	struct bridge *br;

	TAILQ_FOREACH(br, &sw->bridges, link)
		if (!strcmp(br->name, name))
			return br;
	return NULL;
}

struct bridge *bridge_next(struct switch_ *sw, struct bridge *after)
{
	return after ? TAILQ_NEXT(after, link) : TAILQ_FIRST(&sw->bridges);
}

const char *bridge_name(const struct bridge *br)
{
	return br->name;
}

const struct bridge_opts *bridge_opts(const struct bridge *br)
{
	return &br->kept->opts;
}

unsigned bridge_n_ports(const struct bridge *br)
{
	return br->n_ports;
}

uint32_t bridge_n_macs(const struct bridge *br)
{
	return fdb_n_entries(br->fdb);
}

uint64_t bridge_n_macs_refused(const struct bridge *br)
{
	return fdb_n_full(br->fdb);
}

uint64_t bridge_n_macs_evicted(const struct bridge *br)
{
	return fdb_n_evicted(br->fdb);
}

void bridge_user_set(struct bridge *br, void *user)
{
	br->user = user;
}

int bridge_settings_set(struct bridge *br, const char *text)
{
	return arena_text_set(br->sw->arena, &br->kept->settings, text);
}

void bridge_owner_set(struct bridge *br, const char *lab, bool transient)
{
	snprintf(br->kept->owner.lab, sizeof(br->kept->owner.lab), "%s", lab ? lab : "");
	br->kept->owner.transient = transient;
}

void *bridge_user(const struct bridge *br)
{
	return br->user;
}

unsigned bridge_fdb_read(struct bridge *br, uint64_t *cursor, struct fdb_record *out, unsigned n)
{
	struct fdb_entry e[64];
	unsigned got, n_out = 0;

	got = fdb_read(br->fdb, cursor, e, n < 64 ? n : 64, switch_now_s(br->sw));
	for (unsigned i = 0; i < got; i++) {
		struct fdb_record *r = &out[n_out];

		r->port = br->sw->by_id[e[i].port];
		if (r->port && r->port->bridge != br)
			r->port = NULL;
		memcpy(r->mac, &e[i].key, 6);
		r->vid = e[i].key >> 48 & 0xfff;
		r->is_static = e[i].is_static;
		r->age_s = e[i].age_s;
		n_out++;
	}
	return n_out;
}

int bridge_fdb_add(struct bridge *br, const uint8_t mac[6], uint16_t vid, struct port *port,
		   struct err *err)
{
	const struct port *owner;

	if (mac[0] & 1)
		return err_set(err, -EINVAL, "bridge \"%s\": a group address cannot be on one port",
			       br->name);
	if (vid < 1 || vid > VLAN_VID_MAX)
		return err_set(err, -EINVAL, "bridge \"%s\": vlan %u is outside 1-%d", br->name,
			       vid, VLAN_VID_MAX);
	if (port->bridge != br)
		return err_set(err, -EINVAL, "port \"%s\" is on bridge \"%s\", not on \"%s\"",
			       port->name, port->bridge->name, br->name);
	if (!vlan_policy_carries(&port->kept->vlan, vid)) {
		err_set(err, -EINVAL, "port \"%s\" does not carry vlan %u", port->name, vid);
		return err_hint(err, "add the VLAN to the port first");
	}
	owner = port_policy_owner(br, mac, vid);
	if (owner) {
		err_set(err, -EEXIST,
			"bridge \"%s\": this address is guarded by port \"%s\", which alone has it in vlan %u",
			br->name, owner->name, vid);
		err_hint(err, owner == port ? "it needs no entry" : "give that port guard off first");
		return -EEXIST;
	}
	if (fdb_add(br->fdb, fdb_key_of(mac, vid), port->id, switch_now_s(br->sw)) < 0)
		return err_set(err, -ENOSPC,
			       "bridge \"%s\": the table has no room for this address", br->name);
	return 0;
}

int bridge_fdb_del(struct bridge *br, const uint8_t mac[6], uint16_t vid, struct err *err)
{
	if (fdb_del(br->fdb, fdb_key_of(mac, vid)) < 0)
		return err_set(err, -ENOENT,
			       "bridge \"%s\": no address %02x:%02x:%02x:%02x:%02x:%02x in vlan %u",
			       br->name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], vid);
	return 0;
}

unsigned bridge_fdb_flush(struct bridge *br, struct port *port)
{
	return fdb_flush(br->fdb, port ? port->id : FDB_NO_PORT, false);
}
