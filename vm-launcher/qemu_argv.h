/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU's command line for a VM.
 *
 * How      QMP, the console and the agent channel are descriptors that the supervisor leaves
 *          open in QEMU, so that nobody else can connect to them. A vhost-user NIC is a socket
 *          that QEMU serves: the switch, its client, comes back within milliseconds after a
 *          restart, where QEMU's own reconnection takes a second and more. Paths of sockets are relative to
 *          RUN_DIR/vm, QEMU's working folder, as its user may have no right on the folders above.
 * Threads  any.
 */
#ifndef VM_LAUNCHER_QEMU_ARGV_H
#define VM_LAUNCHER_QEMU_ARGV_H

#include <stdbool.h>

#include "base/err.h"
#include "vm-launcher/vm_spec.h"

#define QEMU_ARGS_MAX 128

/* Descriptors in the QEMU process. */
enum qemu_fd {
	QEMU_FD_QMP = 3, /* listening sockets: a later supervisor can connect, too */
	QEMU_FD_CONSOLE = 4,
	QEMU_FD_AGENT = 5,
	QEMU_FD_LOCK = 6, /* held, no more: see vm_store_lock() */
	QEMU_FD_USER = 7, /* the same: see vm_user.h */
	QEMU_FD_KERNEL = 8,
	QEMU_FD_INITRD = 9,
	QEMU_FD_DISK = 10,
	QEMU_FD_END = 11
};

/* What of the VM's files QEMU does not open by its path. */
struct qemu_files {
	bool passed; /* kernel, initrd and disk are descriptors */
	char backing[VM_PATH_BYTES]; /* of a disk that is passed; empty: none */
};

struct qemu_argv {
	char *v[QEMU_ARGS_MAX + 1]; /* ends with NULL */
	unsigned n;
	int error; /* -ENOMEM or -E2BIG */
};

/* id gives the names of the NICs' sockets. 0 or -errno; free in any case. */
int qemu_argv_build(struct qemu_argv *a, const struct vm_spec *s, const struct qemu_files *files, const char *id,
		    struct err *err);
void qemu_argv_free(struct qemu_argv *a);

#endif
