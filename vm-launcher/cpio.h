/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writer of cpio archives in the "newc" form, which the kernel unpacks as an initramfs.
 *
 * How      An archive grows in memory and is written out once. Owners are root whatever the user
 *          is, device nodes are only entries: no right is needed. Times are 0 and inode numbers
 *          count up, so that the same input gives the same bytes.
 * Threads  any; an archive belongs to its caller.
 * Limits   4 GiB a file, by the format; an allocation that fails is told by cpio_finish().
 */
#ifndef VM_LAUNCHER_CPIO_H
#define VM_LAUNCHER_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio {
	char *data;
	size_t len, cap;
	uint32_t ino;
	int error; /* the first -errno; later calls do nothing */
};

/* name: a path without a leading slash; its folders must come before it. */
void cpio_dir(struct cpio *c, const char *name, unsigned mode);
void cpio_file(struct cpio *c, const char *name, unsigned mode, const void *data, size_t len);
void cpio_symlink(struct cpio *c, const char *name, const char *target);
void cpio_char_device(struct cpio *c, const char *name, unsigned mode, unsigned major,
		      unsigned minor);

/* Ends the archive. 0 or -errno; data and len are then whole. */
int cpio_finish(struct cpio *c);
void cpio_free(struct cpio *c);

#endif
