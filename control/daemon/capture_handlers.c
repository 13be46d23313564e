/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "control/daemon/handlers.h"
#include "control/daemon/mirror.h"
#include "control/daemon/watch_params.h"

static void capture_end(void *arg)
{
	watch_del(arg);
	mirrors_retry();
}

static json_t *capture_json(const struct daemon *d, const struct watch *w,
			    const struct watch_params *p)
{
	json_t *ports = json_array();
	uint64_t tsc, time_ns, hz;

	for (unsigned i = 0; i < p->opts.n_ports; i++) {
		struct port_info info;

		port_info(p->ports[i], &info);
		json_array_append_new(ports,
				      json_pack("{ssssss}", "name", info.name, "bridge",
						bridge_name(info.bridge), "type", info.type));
	}
	watch_clock(d->sw, &tsc, &time_ns, &hz);
	return json_pack("{si sI sI sI sI so}", "rings", (int)switch_n_workers(d->sw), "ring_bytes",
			 (json_int_t)watch_ring_size(w), "tsc", (json_int_t)tsc, "time_ns",
			 (json_int_t)time_ns, "tsc_hz", (json_int_t)hz, "ports", ports);
}

/* Of a capture that nobody reads, only its place would be taken. */
static int caller_check(const struct rpc_call *call, struct err *err)
{
	if (!rpc_has_answer(call))
		return err_set(err, -EINVAL, "a capture's memory goes with the answer, and a request "
					     "without an id has none");
	if (!rpc_has_disconnect(call, capture_end))
		return 0;
	err_set(err, -EBUSY, "this connection has a capture already, which lasts as long as it does");
	err_hint(err, "connect once more for another");
	return -EBUSY;
}

int do_capture_start(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	struct watch_params p;
	struct watch *w = NULL;
	int rc = caller_check(call, err);

	if (rc < 0)
		return rc;
	rc = watch_params_read(d, params, json_object_get(params, "ports"), &p, err);

	if (rc == 0)
		rc = watch_add(d->sw, &p.opts, &w, err);
	if (rc == 0) {
		rc = rpc_give_fd(call, watch_fd(w));
		if (rc == 0)
			rc = rpc_on_disconnect(call, capture_end, w);
		if (rc < 0) {
			watch_del(w);
			err_set(err, rc, "the capture's memory cannot be passed on: %s",
				strerror(-rc));
		}
	}
	if (rc == 0)
		*result = capture_json(d, w, &p);
	watch_params_free(&p);
	return rc;
}
