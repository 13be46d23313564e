/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/console_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm-launcher/vm_path.h"

/* Reads the last `max` bytes of path to buf. Returns how many. */
static size_t read_tail(const char *path, char *buf, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	ssize_t n = 0;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0)
		n = pread(fd, buf, max, st.st_size > (off_t)max ? st.st_size - (off_t)max : 0);
	close(fd);
	return n > 0 ? (size_t)n : 0;
}

/* The end of an escape sequence that begins at i: CSI, OSC or two characters. */
static size_t skip_escape(const char *text, size_t len, size_t i)
{
	if (++i >= len)
		return len;
	if (text[i] == '[') {
		while (++i < len && (text[i] < 0x40 || text[i] > 0x7e))
			;
	} else if (text[i] == ']') {
		while (++i < len && text[i] != '\a' && text[i] != '\n')
			;
	}
	return i;
}

size_t console_log_clean(char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == 0x1b)
			i = skip_escape(text, len, i);
		else if (c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f))
			text[n++] = (char)c;
		else if (c >= 0x80)
			text[n++] = '?';
	}
	return n;
}

int console_log_read(const char *run_dir, const char *id, size_t max, char **text, struct err *err)
{
	char path[VM_FILE_BYTES], *buf = malloc(2 * max + 1);
	size_t older = 0, newer;

	if (!buf)
		return err_set(err, -ENOMEM, "log: out of memory");
	newer = read_tail(vm_path(path, run_dir, id, "log"), buf + max, max);
	if (newer < max)
		older = read_tail(vm_path(path, run_dir, id, "log.1"), buf, max - newer);
	memmove(buf + older, buf + max, newer);
	buf[console_log_clean(buf, older + newer)] = '\0';
	*text = buf;
	return 0;
}
