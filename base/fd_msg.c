/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/fd_msg.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

void fd_msg_attach(struct msghdr *mh, union fd_msg_control *control, const int *fds, unsigned n)
{
	const size_t size = n * sizeof(*fds);
	struct cmsghdr *cm;

	if (!n)
		return;
	memset(control, 0, CMSG_SPACE(size)); /* what aligns it goes over the wire, too */
	mh->msg_control = control->buf;
	mh->msg_controllen = CMSG_SPACE(size);
	cm = CMSG_FIRSTHDR(mh);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(cm), fds, size);
}

unsigned fd_msg_detach(struct msghdr *mh, int *fds, unsigned max)
{
	unsigned n = 0;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		const unsigned char *data = CMSG_DATA(cm);
		size_t count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
			if (n < max) {
				fds[n++] = fd;
			} else {
				close(fd);
				mh->msg_flags |= MSG_CTRUNC;
			}
		}
	}
	return n;
}

static int wait_for(int sock, short events, int timeout_ms)
{
	struct pollfd p = {.fd = sock, .events = events};
	int rc;

	do
		rc = poll(&p, 1, timeout_ms);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : rc == 0 ? -EAGAIN : 0;
}

int fd_msg_send(int sock, const void *data, size_t size, const int *fds, unsigned n, int timeout_ms)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	union fd_msg_control control;
	int rc;

	if (n > FD_MSG_WIRE)
		return -E2BIG;
	fd_msg_attach(&mh, &control, fds, n);
	while (sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || !timeout_ms)
			return errno == ECONNRESET ? -EPIPE : -errno;
		rc = wait_for(sock, POLLOUT, timeout_ms);
		if (rc < 0)
			return rc;
		timeout_ms = 0;
	}
	return 0;
}

/* An empty message looks like the end, and is none as long as somebody has the other side. */
static bool is_over(int sock)
{
	struct pollfd p = {.fd = sock, .events = POLLRDHUP};

	return poll(&p, 1, 0) != 0;
}

int fd_msg_receive(int sock, void *data, size_t size, int *fds, unsigned max, unsigned *n,
		   int timeout_ms)
{
	struct iovec iov = {.iov_base = data, .iov_len = size};
	union fd_msg_control control;
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = CMSG_SPACE(FD_MSG_FDS * sizeof(int)),
	};
	int rc = timeout_ms ? wait_for(sock, POLLIN, timeout_ms) : 0;
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
		return is_over(sock) ? -EPIPE : -EPROTO;
	*n = fd_msg_detach(&mh, fds, max);
	if (got > 0 && !(mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return (int)got;
	fd_msg_close(fds, *n);
	*n = 0;
	return -EPROTO;
}
