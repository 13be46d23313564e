/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "control/daemon/events.h"
#include "control/daemon/handlers.h"
#include "control/daemon/vms.h"
#include "control/rpc/event_kinds.h"

int do_events_subscribe(struct rpc_call *call, const json_t *params, json_t **result,
			struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	int rc = event_kinds_check(json_object_get(params, "kinds"), err);

	if (rc < 0)
		return rc;
	if (!d->events)
		return err_set(err, -ENOTSUP, "this switch tells of no events");
	return events_subscribe(d->events, call, json_object_get(params, "kinds"),
				json_object_get(params, "objects"), err);
}

int do_vm_report(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	return vms_report(rpc_ctx(call), call, params, err);
}

int do_vm_seen(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	*result = json_pack("{so}", "vms", vms_json(rpc_ctx(call)));
	return 0;
}
