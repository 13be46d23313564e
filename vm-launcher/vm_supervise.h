/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting the supervisor of a VM: of one that shall start, or of a QEMU that has lost its own.
 *
 * How      The lock (RUN_DIR/vm/<id>.lock) goes to the supervisor; the caller closes its own descriptor
 *          afterwards. RUN_DIR/vm/<id>.json says what the supervisor finds, and which process QEMU is.
 * Threads  any; blocking.
 */
#ifndef VM_LAUNCHER_VM_SUPERVISE_H
#define VM_LAUNCHER_VM_SUPERVISE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "vm-launcher/vm_spec.h"

/* store_lock: for QEMU to hold (vm_store_lock()), or -1. Returns once the supervisor answers. */
int vm_supervise(const char *run_dir, const char *id, const struct vm_spec *spec, int lock,
		 int store_lock, struct err *err);

/* Whether the QEMU of a VM's file runs, with a supervisor or without. */
bool vm_qemu_lives(const json_t *doc);

/* Nobody supervises that QEMU: starts who adopts it. */
int vm_adopt_start(const char *run_dir, const char *id, const json_t *doc, int lock,
		   struct err *err);

#endif
