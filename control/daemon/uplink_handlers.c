/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers that wait for a device which another process opens (control/daemon/opener.h): of port.add and port.up.
 *
 * How      What can be said without the device is said at once. A device that does not open is the answer, and nothing
 *          was made or saved. One that does is open in the process that goes on in a moment: the port is made and
 *          saved here, the client has its answer, and finds the port up at its next question.
 * Threads  control only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/handlers.h"
#include "control/daemon/objects.h"
#include "control/daemon/opener.h"
#include "tap/ethdev.h"
#include "tap/uplink.h"

/* A call that waits. */
struct later {
	struct daemon *d;
	struct rpc_call *call;
	json_t *params;
	int (*now)(struct daemon *d, const json_t *params, struct err *err);
};

static bool on_tried(void *arg, int rc, struct err *err)
{
	struct later *l = arg;
	const char *name = json_string_value(json_object_get(l->params, "name"));

	if (rc < 0 && strncmp(err->text, "port \"", 6))
		err_prefix(err, "port \"%s\"", name);
	if (rc == 0)
		rc = l->now(l->d, l->params, err);
	if (rc == 0)
		rc = daemon_save(l->d, err);
	if (rc < 0)
		rpc_fail(l->call, err);
	else
		rpc_reply(l->call, NULL);
	json_decref(l->params);
	free(l);
	return rc == 0;
}

static int later(struct rpc_call *call, const json_t *params, const struct device_want *w,
		 int (*now)(struct daemon *d, const json_t *params, struct err *err), struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	struct later *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return err_set(err, -ENOMEM, "out of memory");
	*l = (struct later){d, call, json_deep_copy(params), now};
	rc = l->params ? opener_try(d->opener, w, 1, on_tried, l, err) : err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		return RPC_DEFERRED;
	json_decref(l->params);
	free(l);
	return rc;
}

int uplink_add_later(struct rpc_call *call, const json_t *params, struct err *err)
{
	const char *type = json_string_value(json_object_get(params, "type"));
	const char *device = json_string_value(json_object_get(params, "device"));
	struct daemon *d = rpc_ctx(call);
	struct device_want w;
	int rc;

	if (!d->opener || strcmp(type ? type : "", port_type_uplink.name) || !device ||
	    json_is_true(json_object_get(params, "down")) || strlen(device) >= sizeof(w.device))
		return 0;
	rc = port_make_check(d, params, err);
	if (rc == 0 && !json_object_get(params, "lab") && !json_is_true(json_object_get(params, "transient")))
		rc = changes_allowed(d, err);
	if (rc == 0) {
		rc = ethdev_free_check(device, err);
		if (rc < 0)
			err_prefix(err, "port \"%s\"", json_string_value(json_object_get(params, "name")));
	}
	if (rc < 0)
		return rc;
	device_want_read(&w, params);
	return later(call, params, &w, port_add_now, err);
}

int uplink_up_later(struct rpc_call *call, const json_t *params, struct port *p, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	struct device_want w;

	return d->opener && uplink_wants(p, &w) ? later(call, params, &w, port_up_now, err) : 0;
}
