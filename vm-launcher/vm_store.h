/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Definitions of hand-made VMs: STATE_DIR/vm/NAME.json, which outlives the run dir.
 *
 * How      Written at each start, deleted by `vm rm`. After the host's start the run dir is empty:
 *          vm_store_restore() puts a file of a stopped VM there for each definition that has none,
 *          so that everything else looks in the run dir alone. VMs of labs are not kept: a lab is up
 *          or it is not.
 * Threads  any; blocking. Two that restore at once, or while a VM is started or deleted, are kept
 *          apart by the VM's lock.
 * Trust    A definition that cannot be read is left where it is, and said.
 */
#ifndef VM_LAUNCHER_VM_STORE_H
#define VM_LAUNCHER_VM_STORE_H

#include "base/err.h"
#include "vm-launcher/vm_spec.h"

/* Keeps a hand-made VM's definition; one of a lab is none. */
int vm_store_save(const char *state_dir, const struct vm_spec *s, struct err *err);

/* Forgets it. -ENOENT when there was none. The VM's lock must be held. */
/* Held by QEMU while a hand-made VM runs, so that two run dirs that share a state dir do not start it
 * twice: they would write to one disk. A descriptor, -EWOULDBLOCK or another -errno. Tries every 20 ms. */
int vm_store_lock(const char *state_dir, const char *name, int tries);

/* Needs the lock. */
int vm_store_remove(const char *state_dir, const char *name);

/* Enters what is missing in the run dir. warn() is told of each definition that is damaged. */
void vm_store_restore(const char *state_dir, const char *run_dir, void (*warn)(const char *text));

#endif
