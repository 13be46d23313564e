/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The JSON of a VM as cli.md names its keys.
 *
 * Threads  any.
 */
#ifndef VM_LAUNCHER_VM_STATUS_H
#define VM_LAUNCHER_VM_STATUS_H

#include <jansson.h>
#include <stdbool.h>

#include "vm-launcher/vm_spec.h"

/* What follows from the spec alone: name, lab, accel, cpus, memory_bytes, nics (link: null). */
json_t *vm_status_of_spec(const struct vm_spec *s);

/* No QEMU is there: stopped or failed. */
bool vm_status_is_over(const json_t *status);

#endif
