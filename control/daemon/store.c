/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define NEWEST	   "config.json"
#define NEXT	   "config.json.new" /* being written */
#define BEFORE	   "config.json.old" /* the newest but one, until it is moved back */
#define TRIAL	   "config.trial.json"
#define TRIAL_NEXT "config.trial.new"
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

static int write_file(struct store *s, const char *name, const char *text, bool sync)
{
	char head[96];
	int fd = openat(s->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
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
	if (rc == 0 && sync && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

/* Moves each generation one back; the one that was the newest until now is behind BEFORE. Without older ones
 * to fall back on, saving goes on all the same. */
static void rotate(struct store *s)
{
	char from[32], to[32];

	for (unsigned n = STORE_GENERATIONS - 1; n > 1; n--)
		renameat(s->dir_fd, generation_name(n - 1, from, sizeof(from)), s->dir_fd,
			 generation_name(n, to, sizeof(to)));
	renameat(s->dir_fd, BEFORE, s->dir_fd, generation_name(1, to, sizeof(to)));
}

/* What a save that a crash ended has left: half a file, and a second name of the newest one, or of the one
 * before it that has not moved back yet. */
static void save_end(struct store *s)
{
	struct stat newest, before;

	unlinkat(s->dir_fd, NEXT, 0);
	unlinkat(s->dir_fd, TRIAL_NEXT, 0);
	if (fstatat(s->dir_fd, BEFORE, &before, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (fstatat(s->dir_fd, NEWEST, &newest, AT_SYMLINK_NOFOLLOW) == 0 &&
	    newest.st_ino == before.st_ino)
		unlinkat(s->dir_fd, BEFORE, 0);
	else
		rotate(s);
}

int store_open(struct store *s, const char *dir, struct err *err)
{
	s->newest = NULL;
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return err_set(err, -errno, "cannot open the state folder \"%s\": %s", dir,
			       strerror(errno));
	save_end(s);
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

/* Puts the written file in the newest one's place; what fails leaves the newest one there. */
static int replace_newest(struct store *s)
{
	bool linked, fresh;
	int rc;

	unlinkat(s->dir_fd, BEFORE, 0);
	/* A file system without hard links keeps no older ones. */
	linked = linkat(s->dir_fd, NEWEST, s->dir_fd, BEFORE, 0) == 0;
	fresh = !linked && errno == ENOENT;
	if (renameat(s->dir_fd, NEXT, s->dir_fd, NEWEST) < 0) {
		rc = -errno;
		unlinkat(s->dir_fd, BEFORE, 0);
		return rc;
	}
	if (fsync(s->dir_fd) == 0)
		return 0;
	rc = -errno;
	if (linked)
		renameat(s->dir_fd, BEFORE, s->dir_fd, NEWEST);
	else if (fresh)
		unlinkat(s->dir_fd, NEWEST, 0);
	return rc;
}

int store_save(struct store *s, const json_t *document, struct err *err)
{
	char *text;
	bool same;
	int rc;

	if (s->dir_fd < 0)
		return 0;
	text = json_dumps(document, DUMP_FLAGS);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	same = s->newest && !strcmp(s->newest, text);
	if (same && !s->behind) {
		free(text);
		return 0;
	}
	rc = write_file(s, NEXT, text, true);
	if (rc == 0)
		rc = replace_newest(s);
	if (rc < 0) {
		free(text);
		unlinkat(s->dir_fd, NEXT, 0);
		if (same) /* an older generation has it */
			return 0;
		err_set(err, rc, "the configuration cannot be saved: %s", strerror(-rc));
		err_hint(err, "make room in the state folder, or mend its file system");
		return rc;
	}
	rotate(s);
	free(s->newest);
	s->newest = text;
	s->behind = false;
	return 0;
}

int store_saved(const struct store *s, json_t **document)
{
	*document = s->newest ? json_loads(s->newest, 0, NULL) :
				json_pack("{s{}s{}}", "bridges", "ports");
	return *document ? 0 : -ENOMEM;
}

int store_believe(struct store *s, const json_t *document)
{
	char *text = json_dumps(document, DUMP_FLAGS);

	if (!text)
		return -ENOMEM;
	free(s->newest);
	s->newest = text;
	s->behind = true;
	return 0;
}

static int read_text(struct store *s, const char *name, char **out)
{
	/* What else lies there under that name, a pipe say, is not waited for. */
	int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW), rc = 0;
	size_t len = 0, size = 65536;
	struct stat st;
	char *text;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
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

static int read_file(struct store *s, const char *name, json_t **document, struct err *err)
{
	char want[24], *text = NULL;
	const char *sum;
	json_t *doc, *inner;
	int rc = read_text(s, name, &text);

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
	free(text);
	if (rc < 0)
		json_decref(inner);
	else
		*document = inner;
	return rc;
}

int store_read(struct store *s, unsigned n, json_t **document, struct err *err)
{
	char name[32];
	int rc = read_file(s, generation_name(n, name, sizeof(name)), document, err);

	return rc == -ENOENT ? err_set(err, rc, "there is no saved configuration %u changes back", n) : rc;
}

void store_saved_at(const struct store *s, unsigned n, uint64_t *time_s)
{
	char name[32];
	struct stat st;

	*time_s = fstatat(s->dir_fd, generation_name(n, name, sizeof(name)), &st, AT_SYMLINK_NOFOLLOW) == 0 ?
			  (uint64_t)st.st_mtim.tv_sec :
			  0;
}

/* ---- what is tried ---- */

int store_trial_save(struct store *s, const json_t *trial, struct err *err)
{
	char *text;
	int rc;

	if (s->dir_fd < 0)
		return 0;
	text = json_dumps(trial, DUMP_FLAGS);
	rc = text ? write_file(s, TRIAL_NEXT, text, false) : -ENOMEM;
	free(text);
	if (rc == 0 && renameat(s->dir_fd, TRIAL_NEXT, s->dir_fd, TRIAL) < 0)
		rc = -errno;
	if (rc == 0)
		return 0;
	unlinkat(s->dir_fd, TRIAL_NEXT, 0);
	err_set(err, rc, "what awaits its confirmation cannot be noted: %s", strerror(-rc));
	return err_hint(err, "make room in the state folder, or mend its file system");
}

int store_trial_load(struct store *s, json_t **trial, struct err *err)
{
	return s->dir_fd < 0 ? -ENOENT : read_file(s, TRIAL, trial, err);
}

void store_trial_drop(struct store *s)
{
	if (s->dir_fd >= 0 && unlinkat(s->dir_fd, TRIAL, 0) < 0 && errno != ENOENT)
		LOG_ERR("switch: %s cannot be removed from the state folder: %s", TRIAL, strerror(errno));
}

/* ---- the start ---- */

static void loaded_note(struct store *s, const json_t *document, unsigned n)
{
	free(s->newest);
	s->newest = json_dumps(document, DUMP_FLAGS);
	s->behind = n > 0;
}

int store_load(struct store *s, json_t **document, json_t *warnings, struct err *err)
{
	bool missing = false;
	json_t *empty;

	*document = NULL;
	for (unsigned n = 0; n < STORE_GENERATIONS; n++) {
		struct err why = ERR_NONE;
		int rc = store_read(s, n, document, &why);

		if (rc == 0) {
			loaded_note(s, *document, n);
			if (missing)
				json_array_append_new(warnings,
						      json_string("the saved configuration " NEWEST
								  " is missing"));
			if (n > 0)
				json_array_append_new(
					warnings,
					json_sprintf("the configuration %u changes back was restored", n));
			return 0;
		}
		if (rc != -ENOENT)
			json_array_append_new(warnings, json_string(why.text));
		else if (n == 0)
			missing = true; /* somebody took it away, or nothing was ever saved */
	}
	/* A switch that has nothing yet need not save that. */
	empty = json_pack("{s{}s{}}", "bridges", "ports");
	loaded_note(s, empty, 0);
	json_decref(empty);
	return 0;
}
