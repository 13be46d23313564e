/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/elf_libs.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-launcher/file.h"

#define ELF_FILE_BYTES_MAX (64 << 20)

struct image {
	const char *path;
	const char *data;
	size_t len;
	const Elf64_Phdr *ph;
	unsigned n_ph;
};

static const char *const lib_dirs[] = {
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
	"/lib64",
	"/usr/lib64",
	"/lib",
	"/usr/lib",
};

static int bad(const struct image *im, struct err *err)
{
	return err_set(err, -ENOEXEC, "program \"%s\" is not a whole 64-bit ELF file", im->path);
}

/* Where `len` bytes at file offset off are, or NULL. */
static const void *at(const struct image *im, uint64_t off, uint64_t len)
{
	return off > im->len || len > im->len - off ? NULL : im->data + off;
}

/* A NUL-terminated text at file offset off, or NULL. */
static const char *text_at(const struct image *im, uint64_t off)
{
	if (off >= im->len || !memchr(im->data + off, 0, im->len - off))
		return NULL;
	return im->data + off;
}

static int open_headers(struct image *im, struct err *err)
{
	const Elf64_Ehdr *eh = at(im, 0, sizeof(*eh));

	if (!eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_phentsize != sizeof(Elf64_Phdr))
		return bad(im, err);
	im->n_ph = eh->e_phnum;
	im->ph = at(im, eh->e_phoff, (uint64_t)im->n_ph * sizeof(Elf64_Phdr));
	return im->ph && eh->e_phoff % 8 == 0 ? 0 : bad(im, err);
}

/* The file offset of a virtual address, or UINT64_MAX. */
static uint64_t file_offset(const struct image *im, uint64_t va)
{
	for (unsigned i = 0; i < im->n_ph; i++)
		if (im->ph[i].p_type == PT_LOAD && va >= im->ph[i].p_vaddr &&
		    va - im->ph[i].p_vaddr < im->ph[i].p_filesz)
			return im->ph[i].p_offset + (va - im->ph[i].p_vaddr);
	return UINT64_MAX;
}

static int add_path(struct elf_libs *libs, const char *path, struct err *err)
{
	for (unsigned i = 0; i < libs->n; i++)
		if (!strcmp(libs->paths[i], path))
			return 0;
	if (libs->n == ELF_LIBS_MAX || strlen(path) >= ELF_PATH_BYTES)
		return err_set(err, -E2BIG,
			       "library \"%.200s\": more than %d libraries, or too "
			       "long a path",
			       path, ELF_LIBS_MAX);
	snprintf(libs->paths[libs->n++], ELF_PATH_BYTES, "%s", path);
	return 0;
}

static int add_needed(struct elf_libs *libs, const char *soname, const char *for_whom,
		      struct err *err)
{
	char path[ELF_PATH_BYTES];

	for (unsigned i = 0; i < libs->n; i++) {
		const char *base = strrchr(libs->paths[i], '/');

		if (base && !strcmp(base + 1, soname))
			return 0;
	}
	for (size_t i = 0; i < sizeof(lib_dirs) / sizeof(lib_dirs[0]); i++)
		if (snprintf(path, sizeof(path), "%s/%s", lib_dirs[i], soname) <
			    (int)sizeof(path) &&
		    access(path, R_OK) == 0)
			return add_path(libs, path, err);
	return err_set(err, -ENOENT, "library \"%.100s\", which %s needs, was not found", soname,
		       for_whom);
}

/* Walks the dynamic section twice: first for its string table, then for the names. */
static int add_dynamic(const struct image *im, const Elf64_Phdr *ph, struct elf_libs *libs,
		       struct err *err)
{
	size_t n = ph->p_filesz / sizeof(Elf64_Dyn);
	const Elf64_Dyn *dyn = at(im, ph->p_offset, n * sizeof(Elf64_Dyn));
	uint64_t strtab = UINT64_MAX;

	if (!dyn || ph->p_offset % 8)
		return bad(im, err);
	for (size_t i = 0; i < n && dyn[i].d_tag != DT_NULL; i++)
		if (dyn[i].d_tag == DT_STRTAB)
			strtab = file_offset(im, dyn[i].d_un.d_ptr);
	for (size_t i = 0; i < n && dyn[i].d_tag != DT_NULL; i++) {
		const char *soname;
		int rc;

		if (dyn[i].d_tag != DT_NEEDED)
			continue;
		if (strtab >= im->len || dyn[i].d_un.d_val >= im->len)
			return bad(im, err);
		soname = text_at(im, strtab + dyn[i].d_un.d_val);
		if (!soname || strchr(soname, '/'))
			return bad(im, err);
		rc = add_needed(libs, soname, im->path, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int add_of_image(struct image *im, struct elf_libs *libs, struct err *err)
{
	int rc = open_headers(im, err);

	for (unsigned i = 0; rc == 0 && i < im->n_ph; i++) {
		if (im->ph[i].p_type == PT_DYNAMIC) {
			rc = add_dynamic(im, &im->ph[i], libs, err);
		} else if (im->ph[i].p_type == PT_INTERP) {
			const char *loader = text_at(im, im->ph[i].p_offset);

			rc = loader ? add_path(libs, loader, err) : bad(im, err);
		}
	}
	return rc;
}

int elf_libs_of(const char *path, struct elf_libs *libs, struct err *err)
{
	unsigned next = libs->n;
	const char *what = path;
	char copy[ELF_PATH_BYTES];

	for (;;) {
		struct image im = {.path = what};
		char *data;
		int rc = file_read_all(what, ELF_FILE_BYTES_MAX, &data, &im.len, err);

		if (rc < 0)
			return rc;
		im.data = data;
		rc = add_of_image(&im, libs, err);
		free(data);
		if (rc < 0)
			return rc;
		if (next == libs->n)
			return 0;
		snprintf(copy, sizeof(copy), "%s", libs->paths[next++]);
		what = copy;
	}
}
