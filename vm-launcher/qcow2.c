/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/qcow2.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_BYTES 1023 /* as QEMU */
#define DATA_FILE      (1u << 2)

/* The part of docs/interop/qcow2.txt that is looked at. */
struct header {
	char magic[4];
	uint32_t version;
	uint64_t backing_offset;
	uint32_t backing_size;
	uint32_t cluster_bits;
	uint64_t size;
	uint32_t crypt_method, l1_size;
	uint64_t l1_offset, refcounts_offset;
	uint32_t refcounts_clusters, n_snapshots;
	uint64_t snapshots_offset;
	uint64_t incompatible; /* of version 3 */
} __attribute__((packed));

_Static_assert(sizeof(struct header) == 80, "as in the file");

/* QEMU's rule: a colon before the first slash. */
static int is_protocol(const char *name)
{
	return name[strcspn(name, ":/")] == ':';
}

static int resolve(const char *image, const char *name, char *path, size_t size, struct err *err)
{
	const char *slash = strrchr(image, '/');
	int n;

	if (is_protocol(name)) {
		err_set(err, -EINVAL, "its backing file is \"%.100s\", which is no path", name);
		return err_hint(err, "with --user root QEMU opens it by itself");
	}
	n = name[0] == '/' || !slash
		    ? snprintf(path, size, "%s", name)
		    : snprintf(path, size, "%.*s%s", (int)(slash + 1 - image), image, name);
	return n < 0 || (size_t)n >= size
		       ? err_set(err, -ENAMETOOLONG, "its backing file has a path too long")
		       : 0;
}

int qcow2_backing(int fd, const char *image, char *path, size_t size, struct err *err)
{
	char name[NAME_MAX_BYTES + 1] = "";
	struct header h = {0};
	uint64_t offset;
	uint32_t len;

	path[0] = '\0';
	if (pread(fd, &h, sizeof(h), 0) < (ssize_t)offsetof(struct header, incompatible) ||
	    memcmp(h.magic, "QFI\xfb", 4))
		return err_set(err, -EINVAL, "it is no qcow2 image");
	if (be32toh(h.version) >= 3 && be64toh(h.incompatible) & DATA_FILE) {
		err_set(err, -EINVAL, "its data are in another file");
		return err_hint(err, "with --user root QEMU opens it by itself");
	}
	offset = be64toh(h.backing_offset);
	len = be32toh(h.backing_size);
	if (!offset || !len)
		return 0;
	if (len > NAME_MAX_BYTES || offset > INT64_MAX ||
	    pread(fd, name, len, (off_t)offset) != (ssize_t)len || memchr(name, '\0', len))
		return err_set(err, -EINVAL, "the name of its backing file is damaged");
	return resolve(image, name, path, size, err);
}
