/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/std_fds.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void std_fds_fill(void)
{
	int fd;

	/* The lowest number that is free is what open() gives. */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0 && fcntl(STDERR_FILENO, F_GETFD) < 0)
		abort(); /* nowhere to say why: nothing that is opened is safe */
	if (fd >= 0)
		close(fd);
}
