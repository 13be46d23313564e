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

#define LINES_MAX  64
#define HEADER_MAX 128
#define FILE_BYTES (HEADER_MAX + LINES_MAX * HOST_NOTE_MAX)

struct line {
	char text[HOST_NOTE_MAX]; /* "": free */
	bool left;		  /* of an earlier process */
};

static struct line lines[LINES_MAX];
static int dir_fd = -1; /* the run dir */

/* "host BOOT_ID 4026531840": the running kernel and network namespace that the lines are about. */
static void header_make(char *out, size_t size)
{
	char boot[BOOT_ID_BYTES];
	struct stat st = {0};

	boot_id(boot);
	if (stat("/proc/self/ns/net", &st) < 0)
		st.st_ino = 0;
	snprintf(out, size, "host %s %llu\n", boot, (unsigned long long)st.st_ino);
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

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int save(void)
{
	char text[FILE_BYTES];
	size_t len;
	int fd, rc;

	if (dir_fd < 0)
		return 0;
	header_make(text, HEADER_MAX);
	len = strlen(text);
	for (unsigned i = 0; i < LINES_MAX; i++)
		if (lines[i].text[0])
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n",
						lines[i].text);
	fd = openat(dir_fd, "host.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, text, len);
	close(fd);
	if (rc == 0 && renameat(dir_fd, "host.new", dir_fd, "host") < 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(dir_fd, "host.new", 0);
	return rc;
}

static void load(void)
{
	char text[FILE_BYTES], header[HEADER_MAX], *line, *save;
	int fd = openat(dir_fd, "host", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	unsigned i = 0;

	if (fd >= 0)
		close(fd);
	header_make(header, sizeof(header));
	text[n > 0 ? n : 0] = '\0';
	if (strncmp(text, header, strlen(header)))
		return;
	for (line = strtok_r(text + strlen(header), "\n", &save); line && i < LINES_MAX;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!is_good(line))
			continue;
		memcpy(lines[i].text, line, strlen(line) + 1);
		lines[i++].left = true;
	}
}

int host_note_open(const char *run_dir, struct err *err)
{
	host_note_close();
	dir_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_set(err, -errno, "folder \"%s\" cannot be opened: %s", run_dir,
			       strerror(errno));
	load();
	return 0;
}

void host_note_close(void)
{
	if (dir_fd >= 0)
		close(dir_fd);
	dir_fd = -1;
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
	bool any = false;

	if (!line || !text[0])
		return;
	line->text[0] = '\0';
	line->left = false;
	for (unsigned i = 0; i < LINES_MAX; i++)
		any = any || lines[i].text[0];
	if (any && save() < 0)
		LOG_WARN_RL("switch: the note of what was changed of this host cannot be written");
	if (!any && dir_fd >= 0)
		unlinkat(dir_fd, "host", 0);
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
