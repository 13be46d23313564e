/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/exec_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-launcher/base64.h"

static int failed(int code, struct err *err)
{
	return err_set(err, code, "standard input cannot be read: %s", strerror(-code));
}

/* One byte more than the maximum shows that there is more. */
static ssize_t read_whole(int fd, char *buf)
{
	size_t used = 0;

	while (used < EXEC_INPUT_MAX + 1) {
		ssize_t n = read(fd, buf + used, EXEC_INPUT_MAX + 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

int exec_input_read(int fd, char **base64, struct err *err)
{
	char *buf = malloc(EXEC_INPUT_MAX + 1);
	ssize_t n;

	*base64 = NULL;
	if (!buf)
		return failed(-ENOMEM, err);
	n = read_whole(fd, buf);
	if (n > EXEC_INPUT_MAX) {
		free(buf);
		err_set(err, -EFBIG, "standard input is longer than %d KiB, the most that a command "
				     "in a guest can be given",
			EXEC_INPUT_MAX / 1024);
		return err_hint(err, "give it in parts, like `split` makes them");
	}
	if (n > 0)
		*base64 = base64_encode(buf, (size_t)n);
	free(buf);
	if (n > 0 && !*base64)
		n = -ENOMEM;
	return n < 0 ? failed((int)n, err) : 0;
}
