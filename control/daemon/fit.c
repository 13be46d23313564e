/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/fit.h"

#include <errno.h>
#include <string.h>

#include "switch/fit.h"
#include "vhost-user/vu_kept.h"

struct look {
	struct kept *kept;
	const struct port_type *const *types;
};

static int port_fits(void *arg, const char *type, const void *driver, struct err *err)
{
	const struct look *l = arg;

	if (!port_type_find(l->types, type, err))
		return -EPROTO;
	return strcmp(type, port_type_vhost_user.name) ? 0 : vu_kept_fits(driver, err);
}

static int fdb_of(void *arg, uint16_t bridge)
{
	const struct look *l = arg;

	return kept_look(l->kept, (struct keep_key){.kind = KEEP_FDB, .slot = bridge});
}

int fit_check(struct kept *k, const struct port_type *const *types, struct err *err)
{
	struct look l = {.kept = k, .types = types};
	const struct fit_ops ops = {.port = port_fits, .fdb = fdb_of, .arg = &l};
	int fd = kept_look(k, (struct keep_key){.kind = KEEP_ARENA});

	/* A switch that has none begins from the saved configuration. */
	return fd < 0 ? 0 : switch_fits(fd, &ops, err);
}
