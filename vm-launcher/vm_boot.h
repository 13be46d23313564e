/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From what is wanted to what QEMU is given: image, disk, kernel and accelerator.
 *
 * Threads  any.
 */
#ifndef VM_LAUNCHER_VM_BOOT_H
#define VM_LAUNCHER_VM_BOOT_H

#include "base/err.h"
#include "vm-launcher/vm_spec.h"

/* Fills the part of the spec that is found out at start. -ENOENT names what is missing,
 * -ENOMEM says that the host has too little memory. */
int vm_boot_resolve(struct vm_spec *s, const char *run_dir, const char *state_dir, struct err *err);

#endif
