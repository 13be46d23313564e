/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/switch_leave.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "control/rpc/switch_end.h"
#include "control/rpc/switch_find.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_status.h"

#define CONNECT_TIMEOUT_MS 2000
#define OTHERS_NS	   (500 * MS_NS) /* a supervisor lets go of its lease a moment after its VM's end */
#define PAUSE_NS	   (20 * MS_NS)
#define END_MS		   10000

void switch_leave_begin(struct switch_leave *l, const char *run_dir, const char *name)
{
	json_t *lease = NULL;
	int rc;

	*l = (struct switch_leave){.process = -1};
	if (switch_connect(run_dir, CONNECT_TIMEOUT_MS, &l->c, NULL) < 0) {
		l->c = NULL;
		return;
	}
	/* Nobody comes back for it: it need not wait for another lease. */
	rc = rpc_call(l->c, "lease.hold", json_pack("{s:s,s:b}", "name", name, "last", 1), &lease, NULL);
	/* -ESHUTDOWN: it is about to end. */
	if (rc == -ESHUTDOWN || json_is_true(json_object_get(lease, "until_unused")))
		l->process = switch_end_watch(l->c);
	json_decref(lease);
}

static bool any_vm_lives(const char *run_dir)
{
	json_t *vms = NULL;
	bool lives = false;

	if (vm_client_list(run_dir, NULL, &vms, NULL) < 0)
		return false;
	for (size_t i = 0; i < json_array_size(vms); i++)
		lives |= !vm_status_is_over(json_array_get(vms, i));
	json_decref(vms);
	return lives;
}

/* Whether somebody else holds a lease. One that does not answer is ending, or is not worth waiting for. */
static bool has_others(struct rpc_client *c)
{
	json_t *status = NULL;
	bool has = false;

	if (rpc_call(c, "daemon.status", NULL, &status, NULL) == 0)
		has = json_integer_value(json_object_get(json_object_get(status, "daemon"), "leases")) > 1;
	json_decref(status);
	return has;
}

static bool is_needed(const struct switch_leave *l, const char *run_dir)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t end_ns = loop_now_ns() + OTHERS_NS;

	if (any_vm_lives(run_dir))
		return true;
	while (has_others(l->c)) {
		if (loop_now_ns() > end_ns)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

void switch_leave_end(struct switch_leave *l, const char *run_dir)
{
	bool ends = l->process >= 0 && !is_needed(l, run_dir);

	rpc_close(l->c);
	if (ends && switch_end_await(l->process, END_MS) < 0)
		fprintf(stderr,
			"lanyard: the switch that was started for it is still ending after %d s; see "
			"%s/switch.log\n",
			END_MS / 1000, run_dir);
	if (!ends && l->process >= 0)
		close(l->process);
	*l = (struct switch_leave){.process = -1};
}
