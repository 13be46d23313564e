/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links: a wire between two bridges, as two ports without rings.
 *
 * How      switch/forward.c goes on in the other bridge when a frame leaves by one end; there is
 *          nothing to receive, queue or copy here.
 * Threads  control only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "switch/internal.h"

struct link {
	struct port a, b;
};

static struct link *link_of(const struct port *p)
{
	return (struct link *)(p->link_first ? (void *)p : (void *)p->peer);
}

static int link_admin(struct port *p, bool up, struct err *err)
{
	enum port_state s = up ? PORT_UP : PORT_DOWN, old = p->state;

	/* A wire has one carrier: cut at one end, dead at both. */
	p->state = s;
	p->peer->state = s;
	if (switch_publish(p->sw) < 0) {
		p->state = old;
		p->peer->state = old;
		return err_set(err, -ENOMEM, "port \"%s\": out of memory", p->name);
	}
	p->state = old;
	port_state_set(p, s, "%s", up ? "" : "set down by the administrator");
	p->peer->state = old;
	port_state_set(p->peer, s, "%s", up ? "" : "set down by the administrator");
	return 0;
}

static void link_destroy(struct port *p)
{
	struct link *l = link_of(p);

	/* Neither end may be reached through the other while it goes. */
	l->a.peer = NULL;
	l->b.peer = NULL;
	port_fini(&l->b);
	port_fini(&l->a);
	free(l);
}

static const struct port_ops link_ops = {
	.type = "link",
	.admin = link_admin,
	.destroy = link_destroy,
};

int link_add(struct switch_ *sw, const struct port_opts *opts, struct bridge *peer_bridge,
	     struct port **out, struct err *err)
{
	struct port_opts other = *opts;
	char name[SWITCH_NAME_MAX];
	struct link *l;
	int rc;

	if (peer_bridge == opts->bridge)
		return err_set(err, -EINVAL,
			       "port \"%s\": a link joins two bridges, and both ends are on \"%s\"",
			       opts->name, peer_bridge->name);
	if (snprintf(name, sizeof(name), "%s~peer", opts->name) >= (int)sizeof(name))
		return err_set(err, -EINVAL, "port \"%s\": the name leaves no room for its other end's",
			       opts->name);
	rc = port_policy_link_check(opts->name, &opts->policy, err);
	if (rc < 0)
		return rc;
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(err, -ENOMEM, "port \"%s\": out of memory", opts->name);
	rc = port_init(&l->a, sw, opts, &link_ops, err);
	if (rc < 0) {
		free(l);
		return rc;
	}
	other.name = name;
	other.bridge = peer_bridge;
	other.slot = l->a.kept->peer;
	rc = port_init(&l->b, sw, &other, &link_ops, err);
	if (rc < 0) {
		port_fini(&l->a);
		free(l);
		return rc;
	}
	l->a.link_first = true;
	l->a.peer = &l->b;
	l->b.peer = &l->a;
	l->a.kept->peer = l->b.id;
	l->b.kept->peer = l->a.id;
	rc = link_admin(&l->a, !opts->down, err);
	if (rc < 0) {
		link_destroy(&l->a);
		return rc;
	}
	*out = &l->a;
	return 0;
}

struct port *link_peer(const struct port *p)
{
	return p->peer;
}

bool link_is_first(const struct port *p)
{
	return p->peer && p->link_first;
}
