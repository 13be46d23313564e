/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/xdp_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tap/xdp_program.h"

static struct kept {
	unsigned ifindex;
	int fd;
} all[XDP_KEEP_MAX]; /* the oldest first */
static unsigned n_all;

static void forget(unsigned i)
{
	close(all[i].fd);
	memmove(&all[i], &all[i + 1], (n_all - i - 1) * sizeof(all[0]));
	n_all--;
}

static void forget_of(unsigned ifindex)
{
	for (unsigned i = 0; i < n_all; i++)
		if (all[i].ifindex == ifindex) {
			forget(i);
			return;
		}
}

int xdp_keep(int prog_fd, unsigned ifindex, struct err *err)
{
	int fd = fcntl(prog_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return err_set(err, -errno, "the XDP program cannot be kept: %s", strerror(errno));
	forget_of(ifindex);
	if (n_all == XDP_KEEP_MAX)
		forget(0);
	all[n_all++] = (struct kept){ifindex, fd};
	return 0;
}

int xdp_keep_off(int prog_fd, unsigned ifindex, struct err *err)
{
	int rc = xdp_program_off(prog_fd, ifindex, err);

	if (rc == 0)
		forget_of(ifindex);
	return rc;
}

void xdp_keep_end(void)
{
	while (n_all) {
		struct err err = ERR_NONE;
		int rc = xdp_program_off(all[0].fd, all[0].ifindex, &err);

		if (rc < 0 && rc != -EEXIST)
			LOG_WARN("switch: an XDP program stays in interface %u: %s", all[0].ifindex,
				 err.text);
		forget(0);
	}
}
