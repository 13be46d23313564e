/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/switch_end.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/loop.h"

int switch_end_watch(const struct rpc_client *c)
{
	struct ucred who = {.pid = 0};
	socklen_t size = sizeof(who);

	if (getsockopt(rpc_client_fd(c), SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 || who.pid <= 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, who.pid, 0);
}

int switch_end_await(int fd, int timeout_ms)
{
	uint64_t until_ns = loop_now_ns() + (uint64_t)timeout_ms * 1000000, now_ns;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n = 1;

	if (fd < 0)
		return 0;
	do {
		now_ns = loop_now_ns();
		n = now_ns < until_ns ? poll(&p, 1, (int)((until_ns - now_ns) / 1000000) + 1) : 0;
	} while (n < 0 && errno == EINTR);
	close(fd);
	return n ? 0 : -ETIMEDOUT;
}
