/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The child that becomes QEMU: its descriptors, its folder, its user and its limits.
 *
 * How      Rights go before exec(2): QEMU's -runas dies of its own -sandbox elevateprivileges=deny. What it is to
 *          reach by path lies in its working folder, so that it needs no right on the folders above.
 * Threads  the child's only one; nothing that allocates.
 */
#ifndef VM_LAUNCHER_QEMU_EXEC_H
#define VM_LAUNCHER_QEMU_EXEC_H

#include "vm-launcher/qemu_argv.h"
#include "vm-launcher/vm_user.h"

struct qemu_exec {
	char *const *argv;
	const int *
		fds; /* [QEMU_FD_END], from QEMU_FD_QMP on: what QEMU has under that number; -1: nothing */
	const char *folder;
	int err_fd; /* its stdout and stderr */
	int go_fd; /* a byte is read before anything is done; without one it ends: nobody would find it */
	const struct vm_user *user;
	gid_t kvm_group;    /* 0: none */
	unsigned n_threads; /* at most; 0: no limit */
};

/* After fork(2), in the child. Whatever fails is said to err_fd, and the child ends. */
void qemu_exec(const struct qemu_exec *x) __attribute__((noreturn));

#endif
