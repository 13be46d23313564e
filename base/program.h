/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The other programs of Lanyard: beside the one that runs, in folders that follow from where it was built or
 * installed, or where the build says.
 *
 * Threads  any.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <stddef.h>

#include "base/err.h"

/* `places`: folders relative to the running program's, each with "/" at its end, up to NULL; then `last`. -ENOENT with a
 * sentence that names them as beside `self`. */
int program_find(const char *const *places, const char *last, const char *self, const char *name, char *path, size_t size,
		 struct err *err);

#endif
