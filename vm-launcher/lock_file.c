/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void pause_20ms(void)
{
	const struct timespec t = {.tv_nsec = 20 * 1000 * 1000};

	nanosleep(&t, NULL);
}

/* True while path still leads to the file that fd is. */
static bool is_there(const char *path, int fd)
{
	struct stat named, held;

	return lstat(path, &named) == 0 && fstat(fd, &held) == 0 && named.st_ino == held.st_ino &&
	       named.st_dev == held.st_dev;
}

static int try_once(const char *path)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640), rc = 0;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		rc = -errno;
	else if (!is_there(path, fd)) /* deleted between open and lock */
		rc = -EWOULDBLOCK;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int lock_file_take(const char *path, int tries)
{
	for (;;) {
		int fd = try_once(path);

		if (fd != -EWOULDBLOCK || --tries <= 0)
			return fd;
		pause_20ms();
	}
}
