/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of a running guest's NICs: the carrier that it sees, and the MTU of its next start.
 *
 * How      QMP's set_link is told of the card, which the guest sees at once. Its other end in QEMU is
 *          left alone, so that a vhost-user back end goes on; but QEMU itself shows the card a link
 *          whenever that one connects, hence the link's word is passed on each time that it comes.
 *          What is wanted is kept here for the time before QEMU listens and after a reset.
 */
#include <stdio.h>

#include "base/log.h"
#include "vm-launcher/vm.h"
#include "vm-launcher/vm_options.h"

static void on_set_link(void *arg, const json_t *result, const struct err *err)
{
	if (!result)
		LOG_WARN_RL("a NIC's carrier was not set: %s", err->text);
}

static void carrier_tell(struct vm *vm, unsigned i)
{
	if (!vm->qmp || vm->state == VM_STARTING || vm_is_over(vm))
		return;
	qmp_call(vm->qmp, "set_link",
		 json_pack("{s:s,s:b}", "name", vm->spec.nics[i].name, "up", !vm->no_carrier[i]),
		 on_set_link, vm);
}

void vm_nic_carrier(void *arg, unsigned i, bool on)
{
	struct vm *vm = arg;

	/* A link that was there all the time is nothing to tell; a missing one is, each time. */
	if (on && !vm->no_carrier[i])
		return;
	if (vm->no_carrier[i] == on)
		LOG_INFO("%s: carrier %s", vm->spec.nics[i].name, on ? "on" : "off");
	vm->no_carrier[i] = !on;
	carrier_tell(vm, i);
}

void vm_nics_tell(struct vm *vm)
{
	for (unsigned i = 0; i < vm->spec.n_nics; i++)
		if (vm->no_carrier[i])
			carrier_tell(vm, i);
}

void vm_nic_mtu(void *arg, unsigned i, int mtu)
{
	struct vm *vm = arg;
	struct vm_nic n = vm->spec.nics[i];
	struct err err = ERR_NONE;

	n.mtu = mtu;
	if (mtu == vm->spec.nics[i].mtu)
		return;
	if (vm_nic_check(&n, &err) < 0) {
		LOG_WARN_RL("%s: not kept for the next start: %s", n.name, err.text);
		return;
	}
	vm->spec.nics[i].mtu = mtu;
	vm_save(vm);
}
