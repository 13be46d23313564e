/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/host_note.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/boot_id.h"
#include "base/log.h"

#define LINES_MAX  62
#define HEADER_MAX 128
#define FILE_BYTES 4096 /* with all lines: one page, which is written whole or not at all */

_Static_assert(HEADER_MAX + LINES_MAX * HOST_NOTE_MAX <= FILE_BYTES, "a note is not torn");

struct line {
	char text[HOST_NOTE_MAX]; /* "": free */
	bool left;		  /* of an earlier process */
};

static struct line lines[LINES_MAX];
static int note_fd = -1;
static int refused; /* -errno: why there is none */
static char header[HEADER_MAX];

/* "host BOOT_ID 4026531840": the running kernel and network namespace that the lines are about. */
static void header_make(void)
{
	char boot[BOOT_ID_BYTES];
	struct stat st = {0};

	boot_id(boot);
	if (stat("/proc/self/ns/net", &st) < 0)
		st.st_ino = 0;
	snprintf(header, sizeof(header), "host %s %llu\n", boot, (unsigned long long)st.st_ino);
}

static struct line *find(const char *text)
{
	for (unsigned i = 0; i < LINES_MAX; i++)
		if (!strcmp(lines[i].text, text))
			return &lines[i];
	return NULL;
}

static bool is_good(const char *text)
{
	if (!text[0] || strlen(text) >= HOST_NOTE_MAX)
		return false;
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_-. ", *c))
			return false;
	return true;
}

/* In place: whoever writes may be allowed no more than that (control/host/rights.h). */
static int save(void)
{
	char text[FILE_BYTES];
	bool any = false;
	size_t len;

	if (note_fd < 0)
		return refused;
	len = (size_t)snprintf(text, HEADER_MAX, "%s", header);
	for (unsigned i = 0; i < LINES_MAX; i++) {
		if (!lines[i].text[0])
			continue;
		any = true;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", lines[i].text);
	}
	if (!any)
		return ftruncate(note_fd, 0) < 0 ? -errno : 0;
	/* Empty lines over those of before. */
	memset(text + len, '\n', sizeof(text) - len);
	for (;;) {
		ssize_t n = pwrite(note_fd, text, sizeof(text), 0);

		if (n == (ssize_t)sizeof(text))
			return 0;
		if (n >= 0)
			return -ENOSPC;
		if (errno != EINTR)
			return -errno;
	}
}

static void load(void)
{
	char text[FILE_BYTES + 1], *line, *next;
	ssize_t n = pread(note_fd, text, sizeof(text) - 1, 0);
	unsigned i = 0;

	text[n > 0 ? n : 0] = '\0';
	if (strncmp(text, header, strlen(header)))
		return;
	for (line = strtok_r(text + strlen(header), "\n", &next); line && i < LINES_MAX;
	     line = strtok_r(NULL, "\n", &next)) {
		if (!is_good(line))
			continue;
		memcpy(lines[i].text, line, strlen(line) + 1);
		lines[i++].left = true;
	}
}

static bool is_plain(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

int host_note_open(const char *run_dir, struct err *err)
{
	int dir_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	host_note_close();
	if (dir_fd < 0)
		return err_set(err, -errno, "folder \"%s\" cannot be opened: %s", run_dir,
			       strerror(errno));
	note_fd = openat(dir_fd, "host", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	refused = note_fd < 0 ? -errno : 0;
	close(dir_fd);
	if (note_fd >= 0 && !is_plain(note_fd)) {
		close(note_fd);
		note_fd = -1;
		refused = -EEXIST;
	}
	header_make();
	if (note_fd >= 0)
		load();
	return 0;
}

void host_note_close(void)
{
	if (note_fd >= 0)
		close(note_fd);
	note_fd = -1;
	refused = 0;
	memset(lines, 0, sizeof(lines));
}

int host_note_add(const char *text, struct err *err)
{
	struct line *line = find(text);
	int rc;

	if (line) {
		line->left = false;
		return 1;
	}
	line = is_good(text) ? find("") : NULL;
	if (!line)
		return err_set(err, -ENOSPC,
			       "more than %d changes of this host are not kept track of",
			       LINES_MAX);
	memcpy(line->text, text, strlen(text) + 1);
	line->left = false;
	rc = save();
	if (rc < 0) {
		line->text[0] = '\0';
		err_set(err, rc, "cannot note in the run dir what is changed of this host: %s",
			strerror(-rc));
		return err_hint(err, "nothing was changed; without the note it would stay after a "
				     "crash");
	}
	return 0;
}

void host_note_del(const char *text)
{
	struct line *line = find(text);

	if (!line || !text[0])
		return;
	line->text[0] = '\0';
	line->left = false;
	if (save() < 0)
		LOG_WARN_RL("switch: the note of what was changed of this host cannot be written");
}

bool host_note_is_left(const char *text)
{
	const struct line *line = find(text);

	return line && line->left;
}

void host_note_each_left(void (*fn)(const char *line))
{
	for (unsigned i = 0; i < LINES_MAX; i++) {
		char text[HOST_NOTE_MAX];

		if (!lines[i].left)
			continue;
		memcpy(text, lines[i].text, sizeof(text));
		fn(text);
	}
}
