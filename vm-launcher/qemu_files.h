/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VM's files for a QEMU that may open none of them: descriptors that the supervisor hands on.
 *
 * What     The disk, opened for reading and writing, whosever it is. Kernel and initrd: the file itself where
 *          everybody may read it (QEMU opens /proc/self/fd/N, which asks for that right, but not for one on
 *          the folders before it), else a sealed copy in memory.
 *          The backing file of a qcow2 disk is QEMU's to open, by its path: its name is written in the disk, by
 *          whom nobody knows, and so must not be opened with more rights than QEMU's own.
 * Threads  one.
 */
#ifndef VM_LAUNCHER_QEMU_FILES_H
#define VM_LAUNCHER_QEMU_FILES_H

#include "base/err.h"
#include "vm-launcher/qemu_argv.h"
#include "vm-launcher/vm_spec.h"
#include "vm-launcher/vm_user.h"

/* Into fds[] and *files. Where the user is not changed QEMU opens all by itself, and nothing is done. On failure
 * what was opened is in fds[] all the same, to be closed. */
int qemu_files_open(const struct vm_spec *s, const struct vm_user *u, int fds[QEMU_FD_END],
		    struct qemu_files *files, struct err *err);

#endif
