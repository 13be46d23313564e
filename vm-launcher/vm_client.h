/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VMs as the CLI sees them: supervisors that answer, and files of those that do not any more.
 *
 * How      RUN_DIR/vm/<id>.json names every VM; its lock file is held while its supervisor lives.
 *          Supervisor and guard that died without a word are recognised by that free lock: where QEMU
 *          lives another supervisor is started, which adopts it; else the VM is failed and its
 *          sockets are removed. A VM of another run dir with the same state dir is not started twice.
 * Threads  any; blocking.
 */
#ifndef VM_LAUNCHER_VM_CLIENT_H
#define VM_LAUNCHER_VM_CLIENT_H

#include <jansson.h>

#include "base/err.h"
#include "control/rpc/client.h"
#include "vm-launcher/vm_spec.h"

/* Starts the supervisor of a resolved spec, and keeps the definition of a hand-made VM. -EEXIST when
 * the VM runs already. */
int vm_client_start(const char *run_dir, const char *state_dir, const struct vm_spec *spec,
		    struct err *err);

/* Status of all VMs (of lab, unless NULL), an array sorted by name. */
int vm_client_list(const char *run_dir, const char *lab, json_t **out, struct err *err);

/* Status of one, by full name. -ENOENT. */
int vm_client_status(const char *run_dir, const char *name, json_t **out, struct err *err);

/* The full name of `name`: itself, or the only VM whose last part it is. -ENOENT, -EINVAL. */
int vm_client_find(const char *run_dir, const char *name, char full[VM_NAME_BYTES],
		   struct err *err);

/* Calls the supervisor; -ESRCH when the VM is not running. timeout_ms as rpc_timeout_set(). */
int vm_client_call(const char *run_dir, const char *name, const char *method, json_t *params,
		   int timeout_ms, json_t **result, struct err *err);

/* Replaces a supervisor that does not answer, as one that is stopped. 1 when it has, 0 when there was no
 * need; QEMU goes on. Blocks for some seconds where it does not answer. */
int vm_client_revive(const char *run_dir, const char *name, struct err *err);

/* The spec on disk. */
int vm_client_spec(const char *run_dir, const char *name, struct vm_spec *spec, struct err *err);

/* Removes a VM that is not running, with all its files. -EBUSY while its supervisor lives. */
int vm_client_remove(const char *run_dir, const char *state_dir, const char *name, struct err *err);

/* Why a VM did not come up, as -errno: -ETIMEDOUT, -ENOMEM or -EIO. */
int vm_client_end_code(const json_t *status);

#endif
