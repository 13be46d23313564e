/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether this host has the memory that a VM is to have.
 *
 * How      By the kernel's own estimate, MemAvailable. VMs that are started together are not summed
 *          up: a guest takes what it touches, often a tenth, and thirty idle ones must fit.
 * Threads  any.
 */
#ifndef VM_LAUNCHER_HOST_MEMORY_H
#define VM_LAUNCHER_HOST_MEMORY_H

#include "base/err.h"
#include "vm-launcher/vm_spec.h"

/* meminfo: "/proc/meminfo". -ENOMEM with a sentence when there is too little; where the host does not
 * say, there is enough. */
int host_memory_check(const char *meminfo, const struct vm_spec *s, struct err *err);

#endif
