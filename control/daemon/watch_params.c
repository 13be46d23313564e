/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/watch_params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/filter.h"
#include "control/daemon/owner.h"

static int ports_read(struct daemon *d, const json_t *names, struct watch_params *out,
		      struct err *err)
{
	const json_t *name;
	size_t i;

	if (!json_array_size(names))
		return err_set(err, -EINVAL, "no port is named");
	json_array_foreach ((json_t *)names, i, name) {
		struct port *p;
		int rc = port_resolve(d, json_string_value(name), NULL, &p, err);

		for (unsigned k = 0; rc == 0 && k < out->opts.n_ports; k++)
			if (out->ports[k] == p)
				rc = err_set(err, -EINVAL, "port \"%s\" is named twice",
					     port_name(p));
		if (rc == 0 && out->opts.n_ports == CAPTURE_PORTS_MAX)
			rc = err_set(err, -EINVAL, "more than %d ports are named",
				     CAPTURE_PORTS_MAX);
		if (rc < 0)
			return rc;
		out->ports[out->opts.n_ports++] = p;
	}
	return 0;
}

int watch_params_read(struct daemon *d, const json_t *params, const json_t *names,
		      struct watch_params *out, struct err *err)
{
	const char *way = json_string_value(json_object_get(params, "direction"));
	const json_t *snaplen = json_object_get(params, "snaplen");
	int rc;

	memset(out, 0, sizeof(*out));
	out->opts.ports = out->ports;
	out->opts.ways = !way || !strcmp(way, "both") ? WATCH_IN | WATCH_OUT
			 : !strcmp(way, "in")	      ? WATCH_IN
						      : WATCH_OUT;
	out->opts.drops = json_is_true(json_object_get(params, "drops"));
	out->opts.snaplen =
		snaplen ? (uint32_t)json_integer_value(snaplen) : FRAME_MAX + 2 * VLAN_TAG;
	rc = ports_read(d, names, out, err);
	if (rc == 0)
		rc = filter_compile(json_string_value(json_object_get(params, "f")), &out->insns,
				    &out->opts.n_filter, err);
	out->opts.filter = out->insns;
	return rc;
}

void watch_params_free(struct watch_params *p)
{
	free(p->insns);
}
