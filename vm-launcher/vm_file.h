/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VM's file, its lock, and its supervisor's socket, by the VM's id (vm_path.h).
 *
 * What     The supervisor holds the lock for as long as it lives and writes the file. Where it died without a
 *          word, whoever asks next finds the lock free: where QEMU lives, another supervisor is started, which
 *          adopts it; else the VM has failed, and what is left of it in the switch goes.
 * Threads  any; blocking.
 */
#ifndef VM_LAUNCHER_VM_FILE_H
#define VM_LAUNCHER_VM_FILE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

#define VM_FILE_TIMEOUT_MS 5000 /* of vm.status: a supervisor may be waiting two seconds for the switch */

/* As lock_file_take(). */
int vm_file_lock(const char *run_dir, const char *id, int tries);

/* The document, the caller's to free; -ENOENT, or another -errno with a sentence. */
int vm_file_load(const char *run_dir, const char *id, json_t **doc, struct err *err);

/* Calls the supervisor; takes params. */
int vm_file_call(const char *run_dir, const char *id, const char *method, json_t *params, int timeout_ms,
		 json_t **result, struct err *err);

/* Whether rc of a call says that nobody serves the socket. */
bool vm_file_is_nobody(int rc);

/* What the supervisor says, or the file where there is none. */
int vm_file_status(const char *run_dir, const char *id, json_t **out, struct err *err);

#endif
