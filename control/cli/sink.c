/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop.h"

#define FULL_BYTES   (256 * 1024)
#define LOOK_MS	     50		/* between looks whether an end is wanted */
#define STOP_WAIT_NS S_NS	/* a reader that is alive takes something in this time */
#define UNIT_WAIT_NS (5 * S_NS) /* the same, where it has got a part of a unit */

struct sink {
	FILE *file; /* writes to text */
	char *text;
	size_t size;
	int fd;
	bool ours;	   /* a regular file that we have opened */
	size_t most_bytes; /* of one write */
	sink_unit_fn unit;
	sink_over_fn is_over;
	void *arg;
};

/* A named pipe takes no writer before it has a reader: that one is waited for here, so that an end can be wanted. */
static int path_open(const struct sink *s, const char *path)
{
	struct stat st;
	int fd;

	while ((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != ENXIO || stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
			return errno ? -errno : -ENXIO;
		if (s->is_over(s->arg))
			return -ECANCELED;
		poll(NULL, 0, LOOK_MS);
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0)
		return fd;
	close(fd);
	return -EIO;
}

int sink_open(const char *path, sink_unit_fn unit, sink_over_fn is_over, void *arg, struct sink **out)
{
	struct sink *s = calloc(1, sizeof(*s));
	struct stat st;
	int rc;

	if (!s)
		return -ENOMEM;
	s->unit = unit;
	s->is_over = is_over;
	s->arg = arg;
	s->fd = path ? path_open(s, path) : STDOUT_FILENO;
	if (s->fd < 0 || fstat(s->fd, &st) < 0) {
		rc = s->fd < 0 ? s->fd : -errno;
		sink_close(s);
		return rc;
	}
	s->ours = path && S_ISREG(st.st_mode);
	s->most_bytes = S_ISREG(st.st_mode) ? SIZE_MAX : PIPE_BUF;
	s->file = open_memstream(&s->text, &s->size);
	if (!s->file) {
		sink_close(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

int sink_close(struct sink *s)
{
	int rc = 0;

	if (!s)
		return 0;
	if (s->file)
		fclose(s->file);
	if (s->fd > STDERR_FILENO && close(s->fd) < 0)
		rc = -errno;
	free(s->text);
	free(s);
	return rc;
}

FILE *sink_file(const struct sink *s)
{
	return s->file;
}

bool sink_is_terminal(const struct sink *s)
{
	return isatty(s->fd);
}

bool sink_is_full(const struct sink *s)
{
	return ftello(s->file) >= FULL_BYTES;
}

/* ---- writing ---- */

static size_t unit_len(const struct sink *s, const uint8_t *p, size_t len)
{
	size_t unit = s->unit(p, len);

	return unit && unit <= len ? unit : len;
}

/* Bytes of the whole units at p that go together. */
static size_t group_len(const struct sink *s, const uint8_t *p, size_t len)
{
	size_t n = unit_len(s, p, len);

	if (s->most_bytes == SIZE_MAX)
		return len;
	while (n < len) {
		size_t next = unit_len(s, p + n, len - n);

		if (n + next > s->most_bytes)
			break;
		n += next;
	}
	return n;
}

/* Waits for room; within: the reader has got a part of a unit. */
static int room_await(const struct sink *s, bool within)
{
	uint64_t start_ns = loop_now_ns();
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};

	if (s->most_bytes == SIZE_MAX)
		return 0;
	while (poll(&p, 1, LOOK_MS) <= 0) {
		uint64_t waited_ns = loop_now_ns() - start_ns;
		int over = s->is_over(s->arg);

		if (over && (over > 1 || waited_ns >= (within ? UNIT_WAIT_NS : STOP_WAIT_NS)))
			return within ? -EINTR : -ECANCELED;
	}
	return 0;
}

/* Writes len bytes, which go together; *done of them were. */
static int group_write(const struct sink *s, const uint8_t *p, size_t len, size_t *done)
{
	for (*done = 0; *done < len;) {
		size_t most = len - *done < s->most_bytes ? len - *done : s->most_bytes;
		int rc = room_await(s, *done > 0);
		ssize_t n = rc < 0 ? 0 : write(s->fd, p + *done, most);

		if (rc < 0)
			return rc;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		*done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Of a group of which n bytes were written: those of whole units. In a file of ours the rest goes again. */
static size_t whole_keep(const struct sink *s, const uint8_t *p, size_t len, size_t n)
{
	size_t whole = 0, next;
	off_t end = s->ours ? lseek(s->fd, 0, SEEK_CUR) : -1;

	while (whole < len && (next = unit_len(s, p + whole, len - whole)) <= n - whole)
		whole += next;
	/* Where that fails too, readers say that the last block is cut short. */
	if (end >= 0 && whole < n && ftruncate(s->fd, end - (off_t)(n - whole)) < 0)
		return whole;
	return whole;
}

int sink_flush(struct sink *s, uint64_t *n_left)
{
	size_t at = 0, len, done;
	const uint8_t *p;
	int rc = 0;

	*n_left = 0;
	if (fflush(s->file) == EOF || ferror(s->file))
		return -ENOMEM;
	p = (const uint8_t *)s->text;
	len = s->size;
	while (rc == 0 && at < len) {
		size_t group = group_len(s, p + at, len - at);

		rc = group_write(s, p + at, group, &done);
		at += whole_keep(s, p + at, group, done);
	}
	for (; at < len; at += unit_len(s, p + at, len - at))
		++*n_left;
	rewind(s->file);
	return rc;
}
