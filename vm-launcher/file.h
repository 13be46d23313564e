/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small files: read whole within a bound, written so that a reader sees the old or the new one.
 *
 * Threads  any.
 * Trust    what is read may be anything: sizes are bounded, JSON is checked by the caller.
 */
#ifndef VM_LAUNCHER_FILE_H
#define VM_LAUNCHER_FILE_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

/* Reads at most size - 1 bytes, ends them with NUL. Returns their number or -errno. */
int file_read_text(const char *path, char *buf, size_t size);

/* Reads all of path, refused beyond max (-EFBIG). *data is the caller's to free, NUL-terminated. */
int file_read_all(const char *path, size_t max, char **data, size_t *len, struct err *err);

/* The same, parsed: *doc is a new reference. -EINVAL: it is no JSON, or names a key twice. */
int file_read_json(const char *path, size_t max, json_t **doc, struct err *err);

/* Writes beside path and renames. Mode 0600. */
int file_write(const char *path, const void *data, size_t len, struct err *err);
int file_write_json(const char *path, const json_t *doc, struct err *err);

/* The same; on the disk, under its name, when it returns. */
int file_write_json_durable(const char *path, const json_t *doc, struct err *err);

/* The whole buffer, or -errno. */
int file_write_fd(int fd, const void *data, size_t len);

#endif
