/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernel modules in the order in which they load: the closure of modules.dep.
 *
 * Threads  any.
 * Trust    the file is the distribution's, yet bounded: a cycle or a line without end is no trap.
 */
#ifndef VM_LAUNCHER_MODULES_H
#define VM_LAUNCHER_MODULES_H

#include <stddef.h>

#include "base/err.h"

#define MODULES_MAX	  64
#define MODULE_PATH_BYTES 192

struct module_list {
	unsigned n;
	char paths[MODULES_MAX]
		  [MODULE_PATH_BYTES]; /* as in modules.dep: kernel/drivers/….ko[.xz] */
};

/*
 * Adds module `name` ("virtio_net") and all it needs, what is needed first. dep is the text of
 * modules.dep. -ENOENT when no line is about it (it may be built in); -E2BIG beyond MODULES_MAX.
 */
int modules_closure(const char *dep, const char *name, struct module_list *list);

#endif
