/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096

int file_read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	else
		buf[n] = '\0';
	close(fd);
	return (int)n;
}

static int read_up_to(int fd, size_t max, char **data, size_t *len)
{
	size_t used = 0, cap = 0;
	char *buf = NULL;

	for (;;) {
		ssize_t n;

		if (used + 1 >= cap) {
			size_t grown = cap ? cap * 2 : 16384;
			char *p = realloc(buf, grown);

			if (!p) {
				free(buf);
				return -ENOMEM;
			}
			buf = p;
			cap = grown;
		}
		n = read(fd, buf + used, cap - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || used + (size_t)n > max) {
			int rc = n < 0 ? -errno : -EFBIG;

			free(buf);
			return rc;
		}
		if (n == 0)
			break;
		used += (size_t)n;
	}
	buf[used] = '\0';
	*data = buf;
	*len = used;
	return 0;
}

int file_read_all(const char *path, size_t max, char **data, size_t *len, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return err_set(err, -errno, "file \"%s\" cannot be read: %s", path,
			       strerror(errno));
	rc = read_up_to(fd, max, data, len);
	close(fd);
	if (rc == -EFBIG)
		return err_set(err, rc, "file \"%s\" is larger than %zu bytes", path, max);
	if (rc < 0)
		return err_set(err, rc, "file \"%s\" cannot be read: %s", path, strerror(-rc));
	return 0;
}

int file_read_json(const char *path, size_t max, json_t **doc, struct err *err)
{
	json_error_t je;
	char *data;
	size_t len;
	int rc = file_read_all(path, max, &data, &len, err);

	if (rc < 0)
		return rc;
	*doc = json_loadb(data, len, JSON_REJECT_DUPLICATES, &je);
	free(data);
	if (!*doc)
		return err_set(err, -EINVAL, "file \"%s\" is not JSON: line %d: %s", path, je.line,
			       je.text);
	return 0;
}

int file_write_fd(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The folder that path is in, so that a new name in it is on the disk too. */
static int sync_folder(const char *path)
{
	char dir[PATH_BYTES];
	const char *slash = strrchr(path, '/');
	int fd, rc = 0;

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int write_beside(const char *path, const char *tmp, const void *data, size_t len,
			bool durable)
{
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc;

	if (fd < 0)
		return -errno;
	rc = file_write_fd(fd, data, len);
	if (rc == 0 && durable && fsync(fd) < 0)
		rc = -errno;
	close(fd);
	if (rc == 0 && rename(tmp, path) < 0)
		rc = -errno;
	if (rc == 0 && durable)
		return sync_folder(path);
	if (rc < 0)
		unlink(tmp);
	return rc;
}

static int write_file(const char *path, const void *data, size_t len, bool durable, struct err *err)
{
	char tmp[PATH_BYTES];
	int rc;

	if (snprintf(tmp, sizeof(tmp), "%s.%d.tmp", path, (int)getpid()) >= (int)sizeof(tmp))
		return err_set(err, -ENAMETOOLONG, "file \"%.200s\": the path is too long", path);
	rc = write_beside(path, tmp, data, len, durable);
	return rc < 0 ? err_set(err, rc, "file \"%s\" cannot be written: %s", path, strerror(-rc))
		      : 0;
}

int file_write(const char *path, const void *data, size_t len, struct err *err)
{
	return write_file(path, data, len, false, err);
}

static int write_json(const char *path, const json_t *doc, bool durable, struct err *err)
{
	char *text = json_dumps(doc, JSON_INDENT(1) | JSON_SORT_KEYS);
	int rc;

	if (!text)
		return err_set(err, -ENOMEM, "file \"%s\" cannot be written: out of memory", path);
	rc = write_file(path, text, strlen(text), durable, err);
	free(text);
	return rc;
}

int file_write_json(const char *path, const json_t *doc, struct err *err)
{
	return write_json(path, doc, false, err);
}

int file_write_json_durable(const char *path, const json_t *doc, struct err *err)
{
	return write_json(path, doc, true, err);
}
