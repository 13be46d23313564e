/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The busybox guest: this host's kernel with an initramfs made from the packages on this host.
 *
 * How      busybox-static, the virtio modules of the newest kernel in /boot that has them, and
 *          Debian's own qemu-ga with its libraries go into a cpio archive, without root. It is
 *          kept in STATE_DIR/images under a name made from all inputs, so that it is made once.
 * Threads  any; two processes that make the same image at once both write it whole and rename.
 * Limits   an input file of at most 64 MiB.
 */
#ifndef VM_LAUNCHER_IMAGE_H
#define VM_LAUNCHER_IMAGE_H

#include "base/err.h"

#define IMAGE_PATH_BYTES 512

/* Where things are looked for; tests point them elsewhere. */
struct image_sources {
	const char *boot_dir;	 /* "/boot" */
	const char *modules_dir; /* "/lib/modules" */
	const char *busybox;	 /* NULL: look in the usual places */
	const char *agent;	 /* the same */
};

struct image_files {
	char kernel[IMAGE_PATH_BYTES];
	char initrd[IMAGE_PATH_BYTES];
	char release[128]; /* of the kernel */
};

extern const struct image_sources image_sources_host;

/* Where they are on this host, or NULL. */
const char *image_find_busybox(const struct image_sources *src);
const char *image_find_agent(const struct image_sources *src);

/* Finds or makes it; drivers as in guest_kernel_find(). -ENOENT with the name of the Debian package that is missing. */
int image_busybox(const struct image_sources *src, const char *state_dir,
		  const char *const *drivers, struct image_files *out, struct err *err);

#endif
