/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VM from its start to its end: ports, QEMU, its greeting, its events, its exit.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "vm-launcher/vm.h"
#include "vm-launcher/vm_methods.h"

#define LINGER_NS (150 * MS_NS) /* who waits reads the last answer; then the socket goes */

static void on_linger(void *arg)
{
	struct vm *vm = arg;

	loop_stop(vm->loop, 0);
}

/* The common end. The state is set first, so that who asks during the rest hears the truth. */
static void over(struct vm *vm, enum vm_state state, const char *reason)
{
	if (vm_is_over(vm))
		return;
	loop_timer_del(vm->deadline);
	loop_timer_del(vm->insist);
	loop_timer_del(vm->address_retry);
	/* The switch hears of it as long as there is a connection. */
	vm->state = state;
	vm_reason_set(vm, "%s", reason);
	vm_report(vm);
	switch_link_close(vm->link);
	vm->link = NULL;
	vm_state_set(vm, state, "%s", reason);
	loop_timer_add(vm->loop, LINGER_NS, on_linger, vm, &vm->linger);
}

static void on_deadline(void *arg)
{
	struct vm *vm = arg;
	char complaint[256], words[200], reason[448];

	switch_link_complaint(vm->link, complaint, sizeof(complaint));
	if (!complaint[0])
		vm_qemu_last_words(vm, complaint, sizeof(complaint));
	snprintf(words, sizeof(words), "%.190s",
		 complaint[0] ? complaint : "it says nothing on its control socket");
	snprintf(reason, sizeof(reason), "QEMU did not come up within %d s: %s",
		 VM_START_DEADLINE_MS / 1000, words);
	vm->timed_out = true;
	vm_qemu_kill(vm);
	over(vm, VM_FAILED, reason);
}

static void on_run_state(void *arg, const json_t *result, const struct err *err)
{
	struct vm *vm = arg;
	const char *status = json_string_value(json_object_get(result, "status"));

	if (vm->state == VM_RUNNING && status && !strcmp(status, "paused"))
		vm_state_set(vm, VM_PAUSED, "%s", "");
	else if (vm->state == VM_PAUSED && status && !strcmp(status, "running"))
		vm_state_set(vm, VM_RUNNING, "%s", "");
}

/* Whether the guest has the agent's port open: a change would be told by an event. */
static void on_chardevs(void *arg, const json_t *result, const struct err *err)
{
	struct vm *vm = arg;

	for (size_t i = 0; i < json_array_size(result); i++) {
		const json_t *one = json_array_get(result, i);
		const char *label = json_string_value(json_object_get(one, "label"));

		if (label && !strcmp(label, "agent") && vm->agent &&
		    json_is_true(json_object_get(one, "frontend-open")))
			agent_port_opened(vm->agent);
	}
}

/* How QEMU is, when another supervisor was told. */
static void catch_up(struct vm *vm)
{
	qmp_call(vm->qmp, "query-status", NULL, on_run_state, vm);
	qmp_call(vm->qmp, "query-chardev", NULL, on_chardevs, vm);
	if (vm->state == VM_STOPPING)
		vm_guest_stop(vm, VM_STOP_WITHIN_S);
}

static void on_qmp_ready(void *arg)
{
	struct vm *vm = arg;

	loop_timer_del(vm->deadline);
	vm_qemu_folder_close(vm);
	if (vm->adopted)
		catch_up(vm);
	if (vm->state == VM_STARTING)
		vm_state_set(vm, VM_RUNNING, "%s", "");
	vm_nics_tell(vm);
}

static void on_port_change(struct vm *vm, const json_t *data)
{
	const char *id = json_string_value(json_object_get(data, "id"));

	if (!id || strcmp(id, "agent0") || !vm->agent)
		return;
	if (json_is_true(json_object_get(data, "open")))
		agent_port_opened(vm->agent);
	else
		agent_port_closed(vm->agent);
}

static void on_event(void *arg, const char *name, const json_t *data)
{
	struct vm *vm = arg;

	if (!strcmp(name, "VSERPORT_CHANGE")) {
		on_port_change(vm, data);
	} else if (!strcmp(name, "RESET") && vm->agent) {
		LOG_INFO("reset");
		agent_port_closed(vm->agent);
		vm_nics_tell(vm);
	} else if (!strcmp(name, "SHUTDOWN")) {
		vm->guest_shut_down = json_is_true(json_object_get(data, "guest"));
	} else if (!strcmp(name, "STOP") && vm->state == VM_RUNNING) {
		vm_state_set(vm, VM_PAUSED, "%s", "");
	} else if (!strcmp(name, "RESUME") && vm->state == VM_PAUSED) {
		vm_state_set(vm, VM_RUNNING, "%s", "");
	}
}

static void on_qmp_ended(void *arg, const char *why)
{
	struct vm *vm = arg;

	/* Without its control connection a QEMU cannot be steered: it goes. */
	if (vm->qemu_pid > 0 && !vm->end_wanted && !vm->guest_shut_down) {
		LOG_INFO("QEMU's control connection ended: %s", why);
		vm_qemu_kill(vm);
	}
}

void vm_on_qemu_end(struct vm *vm, int wait_status)
{
	char reason[448], words[300];

	if (vm->end_wanted) {
		snprintf(reason, sizeof(reason), "%s", vm->reason);
		over(vm, VM_STOPPED, reason);
	} else if (wait_status < 0 && !vm->guest_shut_down) {
		over(vm, VM_FAILED, "QEMU ended, whyever: another supervisor had started it");
	} else if (wait_status < 0) {
		over(vm, VM_STOPPED, "the guest shut down");
	} else if (vm->guest_shut_down && WIFEXITED(wait_status) && !WEXITSTATUS(wait_status)) {
		over(vm, VM_STOPPED, "the guest shut down");
	} else if (WIFSIGNALED(wait_status)) {
		snprintf(reason, sizeof(reason), "QEMU was ended by signal %d (%s)",
			 WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
		over(vm, VM_FAILED, reason);
	} else {
		vm_qemu_last_words(vm, words, sizeof(words));
		vm->no_memory = strstr(words, strerror(ENOMEM)) != NULL;
		snprintf(reason, sizeof(reason), "QEMU ended with status %d%s%s",
			 WEXITSTATUS(wait_status), words[0] ? ": " : "", words);
		over(vm, VM_FAILED, reason);
	}
}

static int link_open(struct vm *vm, struct err *err)
{
	const struct switch_link_opts opts = {.carrier = vm_nic_carrier,
					      .mtu = vm_nic_mtu,
					      .keep_ports = vm->adopted,
					      .uid = vm->user.uid,
					      .gid = vm->user.gid,
					      .arg = vm};

	return switch_link_open(vm->loop, vm->run_dir, vm->id, &vm->spec, &opts, &vm->link, err);
}

void vm_adopt(struct vm *vm)
{
	const struct qmp_opts opts = {
		.ready = on_qmp_ready, .event = on_event, .ended = on_qmp_ended, .arg = vm};
	struct err err = ERR_NONE;
	int rc = link_open(vm, &err);

	if (rc == 0)
		rc = vm_qemu_adopt(vm, &opts, &err);
	if (rc == -ESRCH) {
		vm->qemu_pid = 0;
		over(vm, VM_FAILED, "QEMU ended while nobody supervised it");
		return;
	}
	if (rc < 0) {
		vm_qemu_kill(vm);
		over(vm, VM_FAILED, err.text);
		return;
	}
	LOG_INFO("supervising QEMU, process %d, in the place of another supervisor",
		 (int)vm->qemu_pid);
	if (vm->state == VM_STARTING)
		loop_timer_add(vm->loop, VM_START_DEADLINE_MS * MS_NS, on_deadline, vm,
			       &vm->deadline);
	vm_report(vm);
	vm_save(vm);
}

void vm_start(struct vm *vm)
{
	const struct qmp_opts opts = {
		.ready = on_qmp_ready, .event = on_event, .ended = on_qmp_ended, .arg = vm};
	struct err err = ERR_NONE;
	int rc;

	rc = vm_user_choose(&vm->spec, vm->run_dir, &vm->user, &err);
	/* The port first: QEMU reaches its main loop only when the switch serves its sockets. */
	if (rc == 0)
		rc = link_open(vm, &err);
	if (rc == 0)
		rc = vm_qemu_spawn(vm, &opts, &err);
	if (rc < 0) {
		char reason[448];

		snprintf(reason, sizeof(reason), "%.300s%s%.120s%s", err.text, err.hint[0] ? " (" : "", err.hint,
			 err.hint[0] ? ")" : "");
		vm_qemu_kill(vm);
		over(vm, VM_FAILED, reason);
		return;
	}
	loop_timer_add(vm->loop, VM_START_DEADLINE_MS * MS_NS, on_deadline, vm, &vm->deadline);
	vm_report(vm);
	vm_save(vm); /* QEMU's pid */
}

void vm_kill(struct vm *vm, const char *reason)
{
	vm->end_wanted = true;
	vm_reason_set(vm, "%s", reason);
	if (vm->qemu_pid > 0)
		vm_qemu_kill(vm);
	else
		over(vm, VM_STOPPED, reason);
}

void vm_release(struct vm *vm)
{
	struct vm_waiter *w;

	switch_link_close(vm->link);
	vm->link = NULL;
	vm_qemu_release(vm);
	while ((w = LIST_FIRST(&vm->waiters))) {
		loop_timer_del(w->timer);
		LIST_REMOVE(w, link);
		free(w);
	}
	loop_timer_del(vm->deadline);
	loop_timer_del(vm->insist);
	loop_timer_del(vm->linger);
	loop_timer_del(vm->address_retry);
	rpc_server_destroy(vm->server);
	vm->server = NULL;
	vm_user_release(&vm->user);
	vm_path_clean(vm->run_dir, vm->id, 0);
}
