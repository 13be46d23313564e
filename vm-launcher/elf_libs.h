/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared libraries that a program of the host needs, to take it into a guest.
 *
 * How      Reads PT_INTERP and DT_NEEDED and looks in the folders of Debian and of its relatives.
 *          Nothing is run (ldd runs the program).
 * Threads  any.
 * Trust    every offset of the file is checked against its size.
 */
#ifndef VM_LAUNCHER_ELF_LIBS_H
#define VM_LAUNCHER_ELF_LIBS_H

#include "base/err.h"

#define ELF_LIBS_MAX   48
#define ELF_PATH_BYTES 256

struct elf_libs {
	unsigned n;
	char paths[ELF_LIBS_MAX][ELF_PATH_BYTES]; /* absolute; the loader is one of them */
};

/* Adds what `path` needs, and what that needs. -ENOENT names the library that was not found. */
int elf_libs_of(const char *path, struct elf_libs *libs, struct err *err);

#endif
