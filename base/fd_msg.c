/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/fd_msg.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char buf[CMSG_SPACE(FD_MSG_FDS * sizeof(int))];
	struct cmsghdr align;
};

int fd_msg_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
}

void fd_msg_close(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

int fd_msg_send(int sock, const void *data, size_t size, const int *fds, unsigned n)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control;

	if (n > FD_MSG_FDS)
		return -E2BIG;
	if (n) {
		struct cmsghdr *cm;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, n * sizeof(int));
	}
	while (sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		if (errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

/* All that came; false: more than the caller takes. */
static bool fds_take(struct msghdr *mh, int *fds, unsigned max, unsigned *n)
{
	bool fits = !(mh->msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	int all[FD_MSG_FDS + 1];

	*n = 0;
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		size_t count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS ||
		    count > FD_MSG_FDS + 1)
			continue;
		memcpy(all, CMSG_DATA(cm), count * sizeof(int));
		for (size_t i = 0; i < count; i++) {
			if (*n < max) {
				fds[(*n)++] = all[i];
			} else {
				close(all[i]);
				fits = false;
			}
		}
	}
	return fits;
}

static int wait_for(int sock, int timeout_ms)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	int rc;

	do
		rc = poll(&p, 1, timeout_ms);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : rc == 0 ? -EAGAIN : 0;
}

int fd_msg_receive(int sock, void *data, size_t size, int *fds, unsigned max, unsigned *n,
		   int timeout_ms)
{
	struct iovec iov = {.iov_base = data, .iov_len = size};
	union control control;
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	int rc = timeout_ms ? wait_for(sock, timeout_ms) : 0;
	ssize_t got;

	*n = 0;
	if (rc < 0)
		return rc;
	got = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN
		       : errno == ECONNRESET		 ? -EPIPE
							 : -errno;
	if (got == 0 && !mh.msg_controllen)
		return -EPIPE;
	if (fds_take(&mh, fds, max, n) && got > 0)
		return (int)got;
	fd_msg_close(fds, *n);
	*n = 0;
	return -EPROTO;
}
