/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a qcow2 image says of other files that it needs.
 *
 * Threads  any.
 * Trust    The header was written by whoever had the image, which may be a QEMU that a guest had taken over: what it
 *          names is a name, to be opened with no more rights than that QEMU has.
 */
#ifndef VM_LAUNCHER_QCOW2_H
#define VM_LAUNCHER_QCOW2_H

#include <stddef.h>

#include "base/err.h"

/* The backing file of the image in fd, whose path is `image`; absolute, or empty where there is none. -EINVAL: it is
 * no qcow2, or needs what is no plain file. */
int qcow2_backing(int fd, const char *image, char *path, size_t size, struct err *err);

#endif
