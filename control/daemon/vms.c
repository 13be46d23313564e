/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/vms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/daemon/events.h"
#include "control/daemon/page.h"
#include "control/rpc/text_of.h"

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

/* What a process is to others. False when there is none. */
static bool process_read(pid_t pid, pid_t *parent, uid_t *uid, bool *is_qemu)
{
	bool has_parent = false, has_uid = false;
	char path[32], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	*is_qemu = false;
	while (fgets(line, sizeof(line), f)) {
		*is_qemu |= !strncmp(line, "Name:\tqemu-system", 17);
		has_parent |= sscanf(line, "PPid: %d", parent) == 1;
		has_uid |= sscanf(line, "Uid: %u", uid) == 1;
	}
	fclose(f);
	return has_parent && has_uid;
}

/* Takes the process out of params into *pid. One that has ended meanwhile is none. */
static int pid_check(struct rpc_call *call, const char *name, const json_t *params, pid_t *pid,
		     struct err *err)
{
	pid_t asked = (pid_t)json_integer_value(json_object_get(params, "pid")), parent;
	struct ucred peer;
	bool is_qemu;
	uid_t uid;
	int rc;

	*pid = 0;
	if (!asked)
		return 0;
	rc = rpc_peer(call, &peer);
	if (rc < 0)
		return err_set(err, rc, "vm \"%s\": who reports it is not known: %s", name,
			       strerror(-rc));
	if (!process_read(asked, &parent, &uid, &is_qemu))
		return 0;
	*pid = asked;
	/* A supervisor that has adopted a QEMU is not its parent, and root's runs as a user of its own. */
	if (asked == peer.pid || parent == peer.pid || (peer.uid ? uid == peer.uid : is_qemu))
		return 0;
	LOG_INFO_RL("vm \"%s\": process %d reports the foreign process %d", name, (int)peer.pid,
		    (int)asked);
	err_set(err, -EPERM, "vm \"%s\": process %d is none of process %d, which reports it", name,
		(int)asked, (int)peer.pid);
	err_hint(err, "report your own, a child's, or one of your own user's; root's only if it is a QEMU");
	return -EPERM;
}

static struct vm_seen *vm_find(struct daemon *d, const char *name)
{
	struct vm_seen *vm;

	LIST_FOREACH (vm, &d->vms, link)
		if (!strcmp(vm->name, name))
			return vm;
	return NULL;
}

/* A supervisor that comes again may be heard before the end of its last connection. */
static int name_check(struct daemon *d, const char *name, struct err *err)
{
	struct vm_seen *vm = vm_find(d, name);

	if (!vm || rpc_end_if_closed(vm->conn))
		return 0;
	LOG_INFO_RL("vm \"%s\" was reported by a second supervisor, which was refused", name);
	err_set(err, -EEXIST, "vm \"%s\": another connection reports the VM of this name", name);
	err_hint(err, "stop the other VM, or give this one another name");
	return -EEXIST;
}

static int vm_make(struct daemon *d, struct rpc_call *call, const char *name, struct vm_seen **out,
		   struct err *err)
{
	int rc = name_check(d, name, err);
	struct vm_seen *vm;

	if (rc < 0)
		return rc;
	vm = calloc(1, sizeof(*vm));
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
	vm->conn = rpc_connection(call);
	LIST_INSERT_HEAD(&d->vms, vm, link);
	d->version++;
	*out = vm;
	return 0;
}

static void vm_take(struct vm_seen *vm, const json_t *params, pid_t pid)
{
	snprintf(vm->state, sizeof(vm->state), "%s", text_of(params, "state"));
	snprintf(vm->reason, sizeof(vm->reason), "%s", text_of(params, "reason"));
	snprintf(vm->lab, sizeof(vm->lab), "%s", text_of(params, "lab"));
	snprintf(vm->accel, sizeof(vm->accel), "%s", text_of(params, "accel"));
	vm->pid = pid;
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
	pid_t pid;
	int rc;

	if (vm && strcmp(vm->name, name))
		return err_set(err, -EINVAL, "vm \"%s\": this connection reports vm \"%s\"", name,
			       vm->name);
	rc = pid_check(call, name, params, &pid, err);
	if (rc < 0)
		return rc;
	if (vm) {
		memcpy(old, vm->state, sizeof(old));
		was_ready = vm->ready;
	} else {
		rc = vm_make(d, call, name, &vm, err);
		if (rc < 0)
			return rc;
	}
	vm_take(vm, params, pid);
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
