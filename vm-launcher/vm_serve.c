/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handlers of the supervisor's methods.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-launcher/console_log.h"
#include "vm-launcher/vm.h"
#include "vm-launcher/vm_methods.h"

#define WAIT_FOR_S 60

static double seconds(const json_t *params, const char *key, double otherwise)
{
	const json_t *v = json_object_get(params, key);

	return json_is_number(v) ? json_number_value(v) : otherwise;
}

/* -ESRCH with a sentence when the VM has ended. */
static int must_live(const struct vm *vm, struct err *err)
{
	if (vm_is_over(vm) || !vm->qmp)
		return err_set(err, -ESRCH, "vm \"%s\" is not running: %.250s", vm->spec.name,
			       vm->reason[0] ? vm->reason : "it has not started");
	return 0;
}

static int on_status(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	*result = vm_status(rpc_ctx(call));
	return 0;
}

static int await(struct vm *vm, struct rpc_call *call, int what, double timeout_s, struct err *err)
{
	int rc = vm_await(vm, call, what, timeout_s);

	return rc < 0 ? err_set(err, rc, "vm \"%s\": %s", vm->spec.name, strerror(-rc))
		      : RPC_DEFERRED;
}

static int on_wait(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct vm *vm = rpc_ctx(call);
	const char *what = json_string_value(json_object_get(params, "what"));
	int state = VM_AWAIT_READY;
	bool met = vm->ready;

	if (what && !strcmp(what, "running")) {
		state = VM_AWAIT_RUNNING;
		met = vm->state == VM_RUNNING || vm->state == VM_PAUSED;
	} else if (what && !strcmp(what, "stopped")) {
		state = VM_AWAIT_STOPPED;
		met = vm_is_over(vm);
	}
	if (met) {
		*result = vm_status(vm);
		return 0;
	}
	if (vm_is_over(vm))
		return must_live(vm, err);
	return await(vm, call, state, seconds(params, "for", WAIT_FOR_S), err);
}

static int on_stop(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct vm *vm = rpc_ctx(call);
	double within_s = seconds(params, "within", VM_STOP_WITHIN_S);

	if (vm_is_over(vm)) {
		*result = vm_status(vm);
		return 0;
	}
	vm_guest_stop(vm, within_s);
	/* The end comes at within_s at the latest; the rest is for a host that swaps. */
	return await(vm, call, VM_AWAIT_STOPPED, within_s + 30, err);
}

static int on_kill(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct vm *vm = rpc_ctx(call);

	if (vm_is_over(vm)) {
		*result = vm_status(vm);
		return 0;
	}
	vm_kill(vm, "killed on request");
	if (vm_is_over(vm)) {
		*result = vm_status(vm);
		return 0;
	}
	return await(vm, call, VM_AWAIT_STOPPED, 30, err);
}

/* Passes QEMU's answer on to the client. */
static void on_simple(void *arg, const json_t *result, const struct err *err)
{
	struct rpc_call *call = arg;

	if (result)
		rpc_reply(call, vm_status(rpc_ctx(call)));
	else
		rpc_fail(call, err);
}

static int simple(struct rpc_call *call, const char *command, struct err *err)
{
	struct vm *vm = rpc_ctx(call);
	int rc = must_live(vm, err);

	if (rc < 0)
		return rc;
	if (vm->state == VM_STARTING)
		return err_set(err, -EAGAIN, "vm \"%s\" is still starting", vm->spec.name);
	qmp_call(vm->qmp, command, NULL, on_simple, call);
	return RPC_DEFERRED;
}

static int on_reset(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	return simple(call, "system_reset", err);
}

static int on_pause(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	return simple(call, "stop", err);
}

static int on_resume(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	return simple(call, "cont", err);
}

static void on_exec_end(void *arg, const json_t *result, const struct err *err)
{
	struct rpc_call *call = arg;
	struct vm *vm = rpc_ctx(call);
	struct err named = ERR_NONE;

	if (result) {
		rpc_reply(call, json_incref((json_t *)result));
		return;
	}
	named = *err;
	err_prefix(&named, "vm \"%s\"", vm->spec.name);
	rpc_fail(call, &named);
}

static int on_exec(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct vm *vm = rpc_ctx(call);
	double within_s = seconds(params, "within", VM_EXEC_WITHIN_S);
	int rc = must_live(vm, err);

	if (rc < 0)
		return rc;
	if (!agent_is_ready(vm->agent)) {
		err_set(err, -EAGAIN, "vm \"%s\": the guest's agent does not answer (yet)",
			vm->spec.name);
		return err_hint(err, "wait for it: lanyard vm wait %s", vm->spec.name);
	}
	agent_exec(vm->agent, json_object_get(params, "argv"), json_object_get(params, "input"),
		   (int)(within_s * 1000), on_exec_end, call);
	return RPC_DEFERRED;
}

static int on_console(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct vm *vm = rpc_ctx(call);
	char path[VM_FILE_BYTES];

	*result = json_pack("{s:s}", "path", vm_path(path, vm->run_dir, vm->id, "con"));
	return 0;
}

static int on_log(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct vm *vm = rpc_ctx(call);
	const json_t *bytes = json_object_get(params, "bytes");
	char *text;
	int rc = console_log_read(vm->run_dir, vm->id,
				  bytes ? (size_t)json_integer_value(bytes) : 65536, &text, err);

	if (rc < 0)
		return rc;
	*result = json_pack("{s:s}", "text", text);
	free(text);
	return 0;
}

/* Of a NIC on QEMU's user network; others have a port, whose word counts. */
static int on_link(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct vm *vm = rpc_ctx(call);
	const char *name = json_string_value(json_object_get(params, "nic"));
	int rc = must_live(vm, err);

	for (unsigned i = 0; rc == 0 && i < vm->spec.n_nics; i++)
		if (!strcmp(vm->spec.nics[i].name, name) && vm->spec.nics[i].user) {
			vm_nic_carrier(vm, i, json_is_true(json_object_get(params, "up")));
			*result = vm_status(vm);
			return 0;
		}
	return rc < 0 ? rc
		      : err_set(err, -ENOENT, "vm \"%s\" has no NIC \"%s\" without a port",
				vm->spec.name, name);
}

static const struct rpc_method methods[] = {
	{&m_vm_status, on_status},
	{&m_vm_wait, on_wait},
	{&m_vm_stop, on_stop},
	{&m_vm_kill, on_kill},
	{&m_vm_reset, on_reset},
	{&m_vm_pause, on_pause},
	{&m_vm_resume, on_resume},
	{&m_vm_exec, on_exec},
	{&m_vm_console, on_console},
	{&m_vm_log, on_log},
	{&m_vm_link, on_link},
	{NULL, NULL},
};

int vm_serve(struct vm *vm, struct err *err)
{
	struct rpc_server_opts opts = {.methods = methods, .ctx = vm};
	char path[VM_FILE_BYTES];
	int rc = rpc_listen(vm_path(path, vm->run_dir, vm->id, "sock"), &opts.listen_fd, err);

	if (rc < 0)
		return rc;
	rc = rpc_server_create(vm->loop, &opts, &vm->server, err);
	if (rc < 0)
		close(opts.listen_fd);
	return rc;
}
