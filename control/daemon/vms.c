/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/vms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/events.h"
#include "control/daemon/page.h"

static void state_publish(struct vm_seen *vm, const char *old)
{
	json_t *pid = vm->pid ? json_integer(vm->pid) : json_null();

	events_publish(vm->daemon->events, "vm.state", vm->name,
		       json_pack("{ss?sssoso}", "old", old, "new", vm->state, "reason",
				 json_text(vm->reason), "pid", pid));
}

static void vm_free(struct vm_seen *vm)
{
	free(vm->name);
	free(vm);
}

/* The supervisor has gone. */
static void on_gone(void *arg)
{
	struct vm_seen *vm = arg;
	char old[sizeof(vm->state)];

	LIST_REMOVE(vm, link);
	vm->daemon->version++;
	if (!vm->in_order) {
		memcpy(old, vm->state, sizeof(old));
		snprintf(vm->state, sizeof(vm->state), "gone");
		snprintf(vm->reason, sizeof(vm->reason), "its supervisor went away");
		vm->pid = 0;
		state_publish(vm, old);
	}
	vm_free(vm);
}

static const char *text_of(const json_t *params, const char *key)
{
	const char *text = json_string_value(json_object_get(params, key));

	return text ? text : "";
}

static int vm_make(struct daemon *d, struct rpc_call *call, const char *name, struct vm_seen **out,
		   struct err *err)
{
	struct vm_seen *vm = calloc(1, sizeof(*vm));
	int rc;

	if (vm)
		vm->name = strdup(name);
	if (!vm || !vm->name) {
		free(vm);
		return err_set(err, -ENOMEM, "out of memory");
	}
	rc = rpc_on_disconnect(call, on_gone, vm);
	if (rc < 0) {
		vm_free(vm);
		return err_set(err, rc, "this connection cannot be watched: %s", strerror(-rc));
	}
	vm->daemon = d;
	LIST_INSERT_HEAD(&d->vms, vm, link);
	d->version++;
	*out = vm;
	return 0;
}

static void vm_take(struct vm_seen *vm, const json_t *params)
{
	snprintf(vm->state, sizeof(vm->state), "%s", text_of(params, "state"));
	snprintf(vm->reason, sizeof(vm->reason), "%s", text_of(params, "reason"));
	snprintf(vm->lab, sizeof(vm->lab), "%s", text_of(params, "lab"));
	snprintf(vm->accel, sizeof(vm->accel), "%s", text_of(params, "accel"));
	vm->pid = (pid_t)json_integer_value(json_object_get(params, "pid"));
	vm->cpus = (unsigned)json_integer_value(json_object_get(params, "cpus"));
	vm->memory_bytes = (uint64_t)json_integer_value(json_object_get(params, "memory_bytes"));
	vm->ready = json_is_true(json_object_get(params, "ready"));
	vm->in_order = !strcmp(vm->state, "stopped") || !strcmp(vm->state, "failed");
}

int vms_report(struct daemon *d, struct rpc_call *call, const json_t *params, struct err *err)
{
	const char *name = text_of(params, "name");
	struct vm_seen *vm = rpc_has_disconnect(call, on_gone);
	char old[sizeof(vm->state)] = "";
	bool was_ready = false;
	int rc;

	if (vm && strcmp(vm->name, name))
		return err_set(err, -EINVAL, "vm \"%s\": this connection reports vm \"%s\"", name,
			       vm->name);
	if (vm) {
		memcpy(old, vm->state, sizeof(old));
		was_ready = vm->ready;
	} else {
		rc = vm_make(d, call, name, &vm, err);
		if (rc < 0)
			return rc;
	}
	vm_take(vm, params);
	if (strcmp(old, vm->state))
		state_publish(vm, old[0] ? old : NULL);
	if (was_ready != vm->ready)
		events_publish(d->events, "vm.ready", vm->name,
			       json_pack("{sb}", "ready", vm->ready));
	return 0;
}

json_t *vms_json(const struct daemon *d)
{
	json_t *list = json_array();
	const struct vm_seen *vm;

	LIST_FOREACH (vm, &d->vms, link)
		json_array_append_new(
			list, json_pack("{sssossss?sososbsisI}", "name", vm->name, "lab",
					vm->lab[0] ? json_string(vm->lab) : json_null(), "state",
					vm->state, "accel", vm->accel[0] ? vm->accel : NULL,
					"reason", json_text(vm->reason), "pid",
					vm->pid ? json_integer(vm->pid) : json_null(), "ready",
					vm->ready, "cpus", (int)vm->cpus, "memory_bytes",
					(json_int_t)vm->memory_bytes));
	return list;
}

void vms_forget(struct daemon *d)
{
	struct vm_seen *vm;

	while ((vm = LIST_FIRST(&d->vms))) {
		LIST_REMOVE(vm, link);
		vm_free(vm);
	}
}
