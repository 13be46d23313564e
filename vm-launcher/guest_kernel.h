/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel of this host that boots as a guest, and the modules it needs for that.
 *
 * Threads  any.
 */
#ifndef VM_LAUNCHER_GUEST_KERNEL_H
#define VM_LAUNCHER_GUEST_KERNEL_H

#include "base/err.h"
#include "vm-launcher/modules.h"

struct guest_kernel {
	char release[128];
	char path[512];	       /* vmlinuz */
	char modules_dir[512]; /* …/lib/modules/RELEASE */
	char dep_path[544];
	struct module_list files;
	unsigned n_boot; /* the first n_boot of files are loaded at boot, in this order */
};

/*
 * Takes the newest usable one, a cloud kernel before others: it is the smallest. drivers: what the
 * guest's cards need beside virtio, NULL-ended, or NULL; a kernel without one of them is not usable.
 */
int guest_kernel_find(const char *boot_dir, const char *modules_dir, const char *const *drivers,
		      struct guest_kernel *out, struct err *err);

#endif
