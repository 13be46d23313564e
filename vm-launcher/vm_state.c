/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "vm-launcher/file.h"
#include "vm-launcher/process_id.h"
#include "vm-launcher/vm.h"
#include "vm-launcher/vm_status.h"

static const char *const state_names[] = {
	[VM_STARTING] = "starting", [VM_RUNNING] = "running", [VM_PAUSED] = "paused",
	[VM_STOPPING] = "stopping", [VM_STOPPED] = "stopped", [VM_FAILED] = "failed",
};

bool vm_is_over(const struct vm *vm)
{
	return vm->state == VM_STOPPED || vm->state == VM_FAILED;
}

json_t *vm_status(const struct vm *vm)
{
	json_t *doc = vm_status_of_spec(&vm->spec);
	json_t *pid = vm->qemu_pid ? json_integer(vm->qemu_pid) : json_null();
	json_t *reason = json_string(vm->reason);

	for (unsigned i = 0; i < vm->spec.n_nics; i++)
		json_object_set_new(json_array_get(json_object_get(doc, "nics"), i), "carrier",
				    json_boolean(!vm->no_carrier[i]));
	if (vm->user.name[0])
		json_object_update_new(doc, json_pack("{s:s,s:s}", "user", vm->user.name, "user_reason",
						      vm->user.why));
	json_object_update_new(
		doc, json_pack("{s:s,s:o,s:o,s:b,s:b,s:b,s:f,s:I,s:i,s:s}", "state",
			       state_names[vm->state], "reason", reason ? reason : json_string(""), "pid", pid, "ready",
			       vm->ready, "timed_out", vm->timed_out, "no_memory", vm->no_memory, "ready_s", vm->ready_s,
			       "started_at", (json_int_t)vm->started_at, "supervisor_pid",
			       (int)getpid(), "switch", switch_link_state(vm->link)));
	return doc;
}

void vm_report(struct vm *vm)
{
	json_t *report = json_pack("{s:s,s:s,s:s,s:i,s:I,s:b}", "name", vm->spec.name, "state",
				   state_names[vm->state], "accel", vm->spec.accel, "cpus",
				   (int)vm->spec.cpus, "memory_bytes",
				   (json_int_t)vm->spec.memory_bytes, "ready",
				   vm->ready && !vm_is_over(vm));
	json_t *reason = json_string(vm->reason);

	if (report && reason)
		json_object_set(report, "reason", reason);
	if (report && vm->spec.lab[0])
		json_object_set_new(report, "lab", json_string(vm->spec.lab));
	if (report && vm->qemu_pid > 0)
		json_object_set_new(report, "pid", json_integer(vm->qemu_pid));
	json_decref(reason);
	switch_link_report(vm->link, report);
}

int vm_save(const struct vm *vm)
{
	struct err err = ERR_NONE;
	char path[VM_FILE_BYTES];
	json_t *doc =
		json_pack("{s:o,s:o,s:o,s:o}", "spec", vm_spec_to_json(&vm->spec), "status",
			  vm_status(vm), "supervisor",
			  process_json(getpid(), process_start_time(getpid())), "guard",
			  process_json(vm->guard_pid, vm->guard_start));
	int rc = -ENOMEM;

	if (doc && vm->qemu_pid > 0)
		json_object_set_new(doc, "qemu", process_json(vm->qemu_pid, vm->qemu_start));
	if (doc && vm->user.name[0])
		json_object_set_new(doc, "user", vm_user_to_json(&vm->user));
	if (doc)
		rc = file_write_json(vm_path(path, vm->run_dir, vm->id, "json"), doc, &err);
	if (rc < 0)
		LOG_WARN_RL("%s", doc ? err.text : "state not saved: out of memory");
	json_decref(doc);
	return rc;
}

static enum vm_state state_of(const char *name)
{
	for (unsigned i = 0; name && i < sizeof(state_names) / sizeof(state_names[0]); i++)
		if (!strcmp(state_names[i], name))
			return (enum vm_state)i;
	return VM_STARTING;
}

bool vm_take_up(struct vm *vm, const json_t *doc)
{
	const json_t *status = json_object_get(doc, "status"), *qemu = json_object_get(doc, "qemu");
	const json_t *nics = json_object_get(status, "nics");
	enum vm_state state = state_of(json_string_value(json_object_get(status, "state")));
	const char *reason = json_string_value(json_object_get(status, "reason"));

	vm->state = state;
	if (!qemu || vm_is_over(vm))
		return false;
	vm->adopted = true;
	vm->end_wanted = state == VM_STOPPING;
	vm_reason_set(vm, "%s", reason ? reason : "");
	vm->qemu_pid = (pid_t)json_integer_value(json_object_get(qemu, "pid"));
	vm->qemu_start = (uint64_t)json_integer_value(json_object_get(qemu, "start"));
	vm_user_from_json(&vm->user, json_object_get(doc, "user"));
	vm->was_ready = json_is_true(json_object_get(status, "ready"));
	vm->ready_s = json_number_value(json_object_get(status, "ready_s"));
	vm->started_at = json_integer_value(json_object_get(status, "started_at"));
	for (unsigned i = 0; i < vm->spec.n_nics; i++)
		vm->no_carrier[i] = json_is_false(
			json_object_get(json_array_get(nics, i), "carrier"));
	return true;
}

static void waiter_free(struct vm_waiter *w)
{
	loop_timer_del(w->timer);
	LIST_REMOVE(w, link);
	free(w);
}

static bool waiter_done(const struct vm *vm, const struct vm_waiter *w)
{
	if (w->what == VM_AWAIT_STOPPED)
		return vm_is_over(vm);
	if (w->what == VM_AWAIT_READY)
		return vm->ready;
	return vm->state == VM_RUNNING || vm->state == VM_PAUSED;
}

/* Answers everybody whose wait is over, one way or the other. */
static void waiters_tell(struct vm *vm)
{
	struct vm_waiter *w, *after;
	struct err err = ERR_NONE;

	for (w = LIST_FIRST(&vm->waiters); w; w = after) {
		struct rpc_call *call = w->call;

		after = LIST_NEXT(w, link);
		if (waiter_done(vm, w)) {
			waiter_free(w);
			rpc_reply(call, vm_status(vm));
		} else if (vm_is_over(vm)) {
			waiter_free(w);
			err_set(&err, -ESRCH, "vm \"%s\" %s: %.250s", vm->spec.name,
				vm->state == VM_FAILED ? "failed" : "stopped", vm->reason);
			rpc_fail(call, &err);
		}
	}
}

static void on_waiter_timeout(void *arg)
{
	struct vm_waiter *w = arg;
	struct rpc_call *call = w->call;
	const struct vm *vm = w->vm;
	struct err err = ERR_NONE;

	err_set(&err, -ETIMEDOUT, "vm \"%s\" is not %s after %g s: it is %s%s%.200s", vm->spec.name,
		w->what == VM_AWAIT_READY ? "ready"
					  : (w->what == VM_AWAIT_STOPPED ? "stopped" : "running"),
		w->timeout_s, state_names[vm->state], vm->reason[0] ? ", " : "", vm->reason);
	if (w->what == VM_AWAIT_READY && vm->state == VM_RUNNING)
		err_hint(&err, "see what it says: lanyard vm log %s", vm->spec.name);
	waiter_free(w);
	rpc_fail(call, &err);
}

int vm_await(struct vm *vm, struct rpc_call *call, int what, double timeout_s)
{
	struct vm_waiter *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	w->vm = vm;
	w->call = call;
	w->what = what;
	w->timeout_s = timeout_s;
	rc = loop_timer_add(vm->loop, (uint64_t)(timeout_s * (double)S_NS), on_waiter_timeout, w,
			    &w->timer);
	if (rc < 0) {
		free(w);
		return rc;
	}
	LIST_INSERT_HEAD(&vm->waiters, w, link);
	return 0;
}

static void reason_set(struct vm *vm, const char *fmt, va_list ap)
{
	vsnprintf(vm->reason, sizeof(vm->reason), fmt, ap);
	text_clean(vm->reason);
}

void vm_reason_set(struct vm *vm, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reason_set(vm, fmt, ap);
	va_end(ap);
}

void vm_state_set(struct vm *vm, enum vm_state state, const char *fmt, ...)
{
	va_list ap;

	vm->state = state;
	va_start(ap, fmt);
	reason_set(vm, fmt, ap);
	va_end(ap);
	if (vm_is_over(vm))
		vm->ready = false;
	LOG_INFO("%s%s%s", state_names[state], vm->reason[0] ? ": " : "", vm->reason);
	vm_report(vm);
	vm_save(vm);
	waiters_tell(vm);
}

void vm_ready_set(struct vm *vm, bool ready)
{
	if (vm->ready == ready)
		return;
	vm->ready = ready;
	if (ready) {
		if (vm->ready_s == 0)
			vm->ready_s = (double)(loop_now_ns() - vm->start_ns) / (double)S_NS;
		LOG_INFO("ready %.1f s after its start", vm->ready_s);
	}
	vm_report(vm);
	vm_save(vm);
	waiters_tell(vm);
}
