/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/cpio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER_BYTES 110

static void append(struct cpio *c, const void *data, size_t len)
{
	if (c->error)
		return;
	if (c->len + len > c->cap) {
		size_t cap = c->cap ? c->cap : 1 << 20;
		char *p;

		while (cap < c->len + len)
			cap *= 2;
		p = realloc(c->data, cap);
		if (!p) {
			c->error = -ENOMEM;
			return;
		}
		c->data = p;
		c->cap = cap;
	}
	if (len)
		memcpy(c->data + c->len, data, len);
	c->len += len;
}

/* Headers and contents begin at multiples of four. */
static void pad(struct cpio *c)
{
	static const char zeros[4];

	append(c, zeros, (4 - c->len % 4) % 4);
}

static void entry(struct cpio *c, const char *name, unsigned mode, unsigned major, unsigned minor,
		  const void *data, size_t len)
{
	char header[HEADER_BYTES + 1];
	size_t name_size = strlen(name) + 1;

	if (len > UINT32_MAX) {
		c->error = -EFBIG;
		return;
	}
	/* magic ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor
	 * namesize check */
	snprintf(header, sizeof(header),
		 "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", ++c->ino, mode, 0u,
		 0u, 1u, 0u, (unsigned)len, 0u, 0u, major, minor, (unsigned)name_size, 0u);
	append(c, header, HEADER_BYTES);
	append(c, name, name_size);
	pad(c);
	append(c, data, len);
	pad(c);
}

void cpio_dir(struct cpio *c, const char *name, unsigned mode)
{
	entry(c, name, S_IFDIR | mode, 0, 0, NULL, 0);
}

void cpio_file(struct cpio *c, const char *name, unsigned mode, const void *data, size_t len)
{
	entry(c, name, S_IFREG | mode, 0, 0, data, len);
}

void cpio_symlink(struct cpio *c, const char *name, const char *target)
{
	entry(c, name, S_IFLNK | 0777, 0, 0, target, strlen(target));
}

void cpio_char_device(struct cpio *c, const char *name, unsigned mode, unsigned major,
		      unsigned minor)
{
	entry(c, name, S_IFCHR | mode, major, minor, NULL, 0);
}

int cpio_finish(struct cpio *c)
{
	entry(c, "TRAILER!!!", 0, 0, 0, NULL, 0);
	return c->error;
}

void cpio_free(struct cpio *c)
{
	free(c->data);
	memset(c, 0, sizeof(*c));
}
