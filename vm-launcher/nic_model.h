/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network cards that a guest may have.
 *
 * What     virtio is a vhost-user port of the switch. The others are emulated by QEMU, frame by frame,
 *          and reach the switch as datagrams: for guests that have no virtio driver.
 * Threads  constant.
 */
#ifndef VM_LAUNCHER_NIC_MODEL_H
#define VM_LAUNCHER_NIC_MODEL_H

#include "base/err.h"

#define NIC_MODEL_NAMES "virtio, e1000, e1000e, rtl8139, pcnet, ne2k_pci or vmxnet3"

struct nic_model {
	const char *name;   /* as in --nic and lab files */
	const char *device; /* QEMU's */
	const char *driver; /* Linux's module; NULL: every guest of ours has it */
	int mtu_max;	    /* of card and driver */
};

/* NULL, with a sentence that names those there are. */
const struct nic_model *nic_model_find(const char *name, struct err *err);

#endif
