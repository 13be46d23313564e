/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEWEST	   "config.json"
#define FORMAT	   1
#define DUMP_FLAGS (JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(15))
#define MAX_BYTES  (16 * 1024 * 1024) /* ten times the settings of 4096 ports */

static const char *generation_name(unsigned n, char *buf, size_t size)
{
	if (n == 0)
		snprintf(buf, size, NEWEST);
	else
		snprintf(buf, size, "config.%u.json", n);
	return buf;
}

/* FNV-1a: finds torn and flipped bytes, which is all that is asked of it. */
static uint64_t checksum(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h;
}

int store_open(struct store *s, const char *dir, struct err *err)
{
	s->newest = NULL;
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return err_set(err, -errno, "cannot open the state folder \"%s\": %s", dir,
			       strerror(errno));
	return 0;
}

void store_close(struct store *s)
{
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	s->dir_fd = -1;
	free(s->newest);
	s->newest = NULL;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Writes and syncs the file that is going to be the newest. */
static int write_next(struct store *s, const char *text, const char *next)
{
	char head[96];
	int fd = openat(s->dir_fd, next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	int rc;

	if (fd < 0)
		return -errno;
	snprintf(head, sizeof(head),
		 "{\"format\":%d,\"checksum\":\"%016" PRIx64 "\",\n\"document\":", FORMAT,
		 checksum(text));
	rc = write_all(fd, head, strlen(head));
	if (rc == 0)
		rc = write_all(fd, text, strlen(text));
	if (rc == 0)
		rc = write_all(fd, "}\n", 2);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

/* Moves each generation one back; the newest keeps its name too until it is replaced. */
static void rotate(struct store *s)
{
	char from[32], to[32];

	for (unsigned n = STORE_GENERATIONS - 1; n > 1; n--)
		renameat(s->dir_fd, generation_name(n - 1, from, sizeof(from)), s->dir_fd,
			 generation_name(n, to, sizeof(to)));
	unlinkat(s->dir_fd, "config.1.json", 0);
	/* Without an older one to fall back on, saving goes on all the same. */
	if (linkat(s->dir_fd, NEWEST, s->dir_fd, "config.1.json", 0) < 0)
		return;
}

int store_save(struct store *s, const json_t *document, struct err *err)
{
	static const char next[] = "config.json.new";
	char *text;
	int rc;

	if (s->dir_fd < 0)
		return 0;
	text = json_dumps(document, DUMP_FLAGS);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	if (s->newest && !strcmp(s->newest, text)) {
		free(text);
		return 0;
	}
	rc = write_next(s, text, next);
	if (rc == 0) {
		rotate(s);
		if (renameat(s->dir_fd, next, s->dir_fd, NEWEST) < 0)
			rc = -errno;
	}
	if (rc == 0 && fsync(s->dir_fd) < 0)
		rc = -errno;
	if (rc < 0) {
		free(text);
		unlinkat(s->dir_fd, next, 0);
		err_set(err, rc, "the change is in effect, but could not be saved: %s",
			strerror(-rc));
		err_hint(err, "it will be lost with the next start; make room in the state folder "
			      "and change anything to save it");
		return rc;
	}
	free(s->newest);
	s->newest = text;
	return 0;
}

static int read_text(struct store *s, const char *name, char **out)
{
	int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC), rc = 0;
	size_t len = 0, size = 65536;
	char *text;

	if (fd < 0)
		return -errno;
	text = malloc(size);
	while (text && rc == 0) {
		ssize_t n = read(fd, text + len, size - len - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len + 1 == size) {
			char *more = size < MAX_BYTES ? realloc(text, size * 2) : NULL;

			if (!more)
				rc = -EFBIG;
			else
				text = more;
			size *= 2;
		}
	}
	close(fd);
	if (!text)
		return -ENOMEM;
	if (rc < 0) {
		free(text);
		return rc;
	}
	text[len] = '\0';
	*out = text;
	return 0;
}

static int damaged(const char *name, const char *how, struct err *err)
{
	return err_set(err, -EBADMSG, "the saved configuration %s is damaged: %s", name, how);
}

int store_read(struct store *s, unsigned n, json_t **document, struct err *err)
{
	char name[32], want[24], *text = NULL;
	const char *sum;
	json_t *doc, *inner;
	int rc;

	generation_name(n, name, sizeof(name));
	rc = read_text(s, name, &text);
	if (rc == -ENOENT)
		return err_set(err, rc, "there is no saved configuration %u changes back", n);
	if (rc < 0)
		return err_set(err, rc, "cannot read the saved configuration %s: %s", name,
			       strerror(-rc));
	doc = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (!doc)
		return damaged(name, "it is no JSON", err);
	inner = json_incref(json_object_get(doc, "document"));
	sum = json_string_value(json_object_get(doc, "checksum"));
	text = json_is_object(inner) ? json_dumps(inner, DUMP_FLAGS) : NULL;
	snprintf(want, sizeof(want), "%016" PRIx64, text ? checksum(text) : 0);
	if (json_integer_value(json_object_get(doc, "format")) != FORMAT)
		rc = damaged(name, "its format is unknown", err);
	else if (!text || !sum || strcmp(sum, want))
		rc = damaged(name, "its checksum is wrong", err);
	json_decref(doc);
	if (rc == 0 && n == 0) {
		free(s->newest);
		s->newest = text;
		text = NULL;
	}
	free(text);
	if (rc < 0)
		json_decref(inner);
	else
		*document = inner;
	return rc;
}

int store_load(struct store *s, json_t **document, json_t *warnings, struct err *err)
{
	*document = NULL;
	for (unsigned n = 0; n < STORE_GENERATIONS; n++) {
		struct err why = ERR_NONE;
		int rc = store_read(s, n, document, &why);

		if (rc == 0) {
			if (json_array_size(warnings))
				json_array_append_new(
					warnings,
					json_sprintf(
						"the configuration %u changes back was restored",
						n));
			return 0;
		}
		if (rc == -ENOENT && n == 0)
			continue; /* a first start, or a file somebody took away */
		if (rc == -ENOENT)
			return 0;
		json_array_append_new(warnings, json_string(why.text));
	}
	return 0;
}
