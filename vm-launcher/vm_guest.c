/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the supervisor wants of the guest itself: its addresses set, and that it shuts down.
 *
 * How      NICs are found by their MAC, so that it works whatever the guest calls them. A guest
 *          whose NIC is not there yet is asked again, every half second for ten seconds.
 *          Stopping asks twice, the agent and then the power button, and insists at the deadline.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "vm-launcher/nic_model.h"
#include "vm-launcher/vm.h"

#define EXEC_TIMEOUT_MS	  10000
#define SHUTDOWN_CALL_MS  1000
#define ADDRESS_TRIES	  20
#define ADDRESS_RETRY_NS  (500 * MS_NS)
#define LEASE_RETRY_NS	  (2 * S_NS)
#define STATUS_NO_LEASE	  4
#define POWER_BUTTON_PART 0.4 /* of the time to stop is the agent's; then the button */

/* Arguments: MAC, CIDR, MAC, mtu=9000, MAC, via=10.0.0.1, MAC, dhcp, … Exits 3 when a NIC is not there, 4 when
 * one has no address by DHCP yet. */
static const char address_script[] =
	"while [ $# -ge 2 ]; do\n"
	"	found=\n"
	"	for nic in /sys/class/net/*; do\n"
	"		read -r mac <\"$nic/address\" || continue\n"
	"		[ \"$mac\" = \"$1\" ] || continue\n"
	"		found=${nic##*/}\n"
	"		ip link set \"$found\" up || exit 1\n"
	"		case $2 in\n"
	"		mtu=*) ip link set \"$found\" mtu \"${2#mtu=}\" || exit 1 ;;\n"
	"		dhcp) ip -4 addr show dev \"$found\" | grep -q inet || exit 4 ;;\n"
	"		via=*:*) ip -6 route replace default via \"${2#via=}\" dev \"$found\" || exit 1 ;;\n"
	"		via=*) ip route replace default via \"${2#via=}\" dev \"$found\" || exit 1 ;;\n"
	"		*) ip addr replace \"$2\" dev \"$found\" || exit 1 ;;\n"
	"		esac\n"
	"	done 2>&1\n"
	"	[ -n \"$found\" ] || exit 3\n"
	"	shift 2\n"
	"done\n";

static void add_word(json_t *argv, const struct vm_nic *n, const char *what, const char *value)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%s", what, value);
	json_array_append_new(argv, json_string(n->mac));
	json_array_append_new(argv, json_string(text));
}

/* A virtio device tells its driver the MTU; to others it is told here, where they have an agent. */
static void add_mtu(json_t *argv, const struct vm_nic *n)
{
	const struct nic_model *m = nic_model_find(n->model, NULL);
	char bytes[16];

	if (!n->mtu || !m || !m->driver)
		return;
	snprintf(bytes, sizeof(bytes), "%d", n->mtu);
	add_word(argv, n, "mtu=", bytes);
}

static json_t *address_command(const struct vm_spec *s)
{
	json_t *argv = json_pack("[s,s,s,s]", "/bin/sh", "-c", address_script, "addresses");
	size_t n_fixed = json_array_size(argv);

	for (unsigned i = 0; i < s->n_nics; i++)
		add_mtu(argv, &s->nics[i]);
	for (unsigned i = 0; i < s->n_nics; i++)
		for (unsigned j = 0; j < s->nics[i].n_ips; j++)
			add_word(argv, &s->nics[i], "", s->nics[i].ips[j]);
	for (unsigned i = 0; i < s->n_nics; i++)
		if (s->nics[i].gateway[0])
			add_word(argv, &s->nics[i], "via=", s->nics[i].gateway);
	/* The last: what can be set is set then. */
	for (unsigned i = 0; i < s->n_nics; i++)
		if (s->nics[i].dhcp)
			add_word(argv, &s->nics[i], "dhcp", "");
	if (json_array_size(argv) == n_fixed) {
		json_decref(argv);
		return NULL;
	}
	return argv;
}

static void on_addresses(void *arg, const json_t *result, const struct err *err)
{
	struct vm *vm = arg;
	json_int_t status = json_integer_value(json_object_get(result, "status"));

	if (!agent_is_ready(vm->agent) || vm_is_over(vm))
		return; /* it comes back with the agent */
	if (result && status == 0) {
		if (vm->n_address_tries >= ADDRESS_TRIES)
			vm_reason_set(vm, "%s", "");
		vm_ready_set(vm, true);
		return;
	}
	/* Who gives addresses out may come at any time, and a guest that is busy may not answer once. */
	if (result)
		vm->waits_for_lease = status == STATUS_NO_LEASE;
	if (++vm->n_address_tries < ADDRESS_TRIES || vm->waits_for_lease)
		loop_timer_add(vm->loop,
			       vm->n_address_tries < ADDRESS_TRIES ? ADDRESS_RETRY_NS : LEASE_RETRY_NS,
			       vm_guest_agent_ready, vm, &vm->address_retry);
	if (vm->n_address_tries < ADDRESS_TRIES ||
	    (vm->n_address_tries > ADDRESS_TRIES && vm->waits_for_lease)) /* said already */
		return;
	if (vm->waits_for_lease)
		vm_reason_set(vm, "the guest has no address by DHCP: nobody gave it one yet");
	else if (result)
		vm_reason_set(vm, "the guest's addresses could not be set: its `ip` ended with status %d",
			      (int)status);
	else
		vm_reason_set(vm, "the guest's addresses could not be set: %.300s", err->text);
	LOG_WARN("%s", vm->reason);
	vm_save(vm);
}

void vm_guest_agent_ready(void *arg)
{
	struct vm *vm = arg;
	/* Whoever was there before has set them; the guest may have changed them since. */
	json_t *argv = vm->was_ready ? NULL : address_command(&vm->spec);

	vm->was_ready = false;
	loop_timer_del(vm->address_retry);
	if (!argv) {
		vm_ready_set(vm, true);
		return;
	}
	agent_exec(vm->agent, argv, NULL, EXEC_TIMEOUT_MS, on_addresses, vm);
	json_decref(argv);
}

void vm_guest_agent_lost(void *arg)
{
	struct vm *vm = arg;

	vm->n_address_tries = 0;
	vm->waits_for_lease = false;
	loop_timer_del(vm->address_retry);
	vm_ready_set(vm, false);
}

static void on_insist(void *arg)
{
	struct vm *vm = arg;
	char reason[128];

	snprintf(reason, sizeof(reason),
		 "the guest did not shut down within %g s and was switched off", vm->stop_within_s);
	vm_kill(vm, reason);
}

static void on_power_button(void *arg)
{
	struct vm *vm = arg;
	double left_s = vm->stop_within_s * (1 - POWER_BUTTON_PART);

	qmp_call(vm->qmp, "system_powerdown", NULL, NULL, NULL);
	loop_timer_add(vm->loop, (uint64_t)(left_s * (double)S_NS), on_insist, vm, &vm->insist);
}

void vm_guest_stop(struct vm *vm, double within_s)
{
	double agent_s = within_s * POWER_BUTTON_PART;

	if (vm->state == VM_STARTING || !vm->qmp) {
		vm_kill(vm, "stopped before it had started");
		return;
	}
	/* Asked again: the new deadline counts. */
	loop_timer_del(vm->insist);
	if (vm->state == VM_PAUSED)
		qmp_call(vm->qmp, "cont", NULL, NULL, NULL);
	vm->stop_within_s = within_s;
	vm->end_wanted = true;
	vm_state_set(vm, VM_STOPPING, "%s", "asked to shut down");
	if (agent_is_ready(vm->agent)) {
		/* There is no answer when it works. */
		agent_call(vm->agent, "guest-shutdown", NULL, SHUTDOWN_CALL_MS, NULL, NULL);
		loop_timer_add(vm->loop, (uint64_t)(agent_s * (double)S_NS), on_power_button, vm,
			       &vm->insist);
	} else {
		on_power_button(vm);
	}
}
