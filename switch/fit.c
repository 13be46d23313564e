/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/fit.h"

#include <errno.h>
#include <string.h>

#include "switch/arena.h"
#include "switch/fdb.h"

static int bridges_fit(struct arena *a, const struct fit_ops *ops, struct err *err)
{
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++) {
		int fd = arena_bridge_used(a, i) ? ops->fdb(ops->arg, (uint16_t)i) : -1;

		if (fd >= 0 && !fdb_fits(fd))
			return err_set(err, -EPROTO,
				       "bridge \"%.*s\": its forwarding database is of another version",
				       SWITCH_NAME_MAX - 1, arena_bridge(a, i)->name);
	}
	return 0;
}

static int ports_fit(struct arena *a, const struct fit_ops *ops, struct err *err)
{
	for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++) {
		const struct arena_port *p = arena_port(a, i);
		char name[SWITCH_NAME_MAX], type[sizeof(p->type)];

		if (!arena_port_used(a, i))
			continue;
		memcpy(name, p->name, sizeof(name));
		memcpy(type, p->type, sizeof(type));
		name[sizeof(name) - 1] = type[sizeof(type) - 1] = '\0';
		if (ops->port(ops->arg, type, p->driver, err) < 0) {
			err_prefix(err, "port \"%s\"", name);
			return -EPROTO;
		}
	}
	return 0;
}

int switch_fits(int arena_fd, const struct fit_ops *ops, struct err *err)
{
	struct arena *a;
	int rc = arena_look(arena_fd, &a, err);

	if (rc < 0)
		return rc;
	rc = bridges_fit(a, ops, err);
	if (rc == 0)
		rc = ports_fit(a, ops, err);
	arena_look_end(a);
	return rc;
}
