/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-user/vu_conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/fd_msg.h"

void vu_conn_open(struct vu_conn *c, int fd)
{
	struct discard *bin = c->bin;

	memset(c, 0, sizeof(*c));
	c->bin = bin;
	c->fd = fd;
}

static void fds_close(struct vu_conn *c)
{
	for (unsigned i = 0; i < c->n_fds; i++)
		discard_fd(c->bin, c->fds[i]);
	c->n_fds = 0;
}

void vu_conn_close(struct vu_conn *c)
{
	if (c->fd < 0)
		return;
	fds_close(c);
	discard_socket(c->bin, c->fd);
	c->fd = -1;
	c->n_got = 0;
	c->n_out = 0;
}

bool vu_conn_midway(const struct vu_conn *c)
{
	return c->n_got > 0;
}

void vu_conn_next(struct vu_conn *c)
{
	fds_close(c);
	c->n_got = 0;
}

int vu_conn_fd_take(struct vu_conn *c, unsigned i)
{
	int fd = c->fds[i];

	c->fds[i] = -1;
	return fd;
}

/* Takes the descriptors of one recvmsg(2); closes what is too much. */
static int fds_take(struct vu_conn *c, struct msghdr *mh, struct err *err)
{
	int fds[FD_MSG_WIRE];
	unsigned n = fd_msg_detach(mh, fds, FD_MSG_WIRE);
	bool many = mh->msg_flags & MSG_CTRUNC;

	for (unsigned i = 0; i < n; i++) {
		if (c->n_fds < VU_MSG_FDS) {
			c->fds[c->n_fds++] = fds[i];
		} else {
			discard_fd(c->bin, fds[i]);
			many = true;
		}
	}
	return many ? err_set(err, -EPROTO, "more than %d descriptors came with one message",
			      VU_MSG_FDS) : 0;
}

/* Receives up to n bytes to at. Bytes, 0 for none now, -ECONNRESET, -EPROTO. */
static int receive(struct vu_conn *c, void *at, size_t n, struct err *err)
{
	union fd_msg_control control;
	struct iovec iov = {.iov_base = at, .iov_len = n};
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t got = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
	if (got == 0)
		return -ECONNRESET;
	if (fds_take(c, &mh, err) < 0)
		return -EPROTO;
	c->n_got += (uint32_t)got;
	return (int)got;
}

int vu_conn_read(struct vu_conn *c, struct err *err)
{
	char text[160];
	int n;

	if (c->n_got < VU_HEADER_SIZE) {
		n = receive(c, (uint8_t *)&c->msg + c->n_got, VU_HEADER_SIZE - c->n_got, err);
		if (n <= 0)
			return n;
		if (c->n_got < VU_HEADER_SIZE)
			return 0;
		if (vu_header_check(&c->msg, text, sizeof(text)) != VU_OK)
			return err_set(err, -EPROTO, "%s", text);
	}
	while (c->n_got < VU_HEADER_SIZE + c->msg.size) {
		uint32_t done = c->n_got - VU_HEADER_SIZE;

		n = receive(c, c->msg.u.bytes + done, c->msg.size - done, err);
		if (n <= 0)
			return n;
	}
	return 1;
}

int vu_conn_flush(struct vu_conn *c)
{
	while (c->n_out) {
		ssize_t n = send(c->fd, c->out, c->n_out, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 1 : -ECONNRESET;
		memmove(c->out, c->out + n, c->n_out - (size_t)n);
		c->n_out -= (size_t)n;
	}
	return 0;
}

int vu_conn_reply(struct vu_conn *c, const struct vu_msg *reply, struct err *err)
{
	/* Replies to a turn's messages leave together; only what the socket does not take fills this. */
	if (c->n_out + VU_HEADER_SIZE + reply->size > sizeof(c->out) && vu_conn_flush(c) < 0)
		return 0; /* it has hung up: the next look at the socket says so */
	if (c->n_out + VU_HEADER_SIZE + reply->size > sizeof(c->out))
		return err_set(err, -EPROTO, "the front end does not read its replies");
	memcpy(c->out + c->n_out, reply, VU_HEADER_SIZE);
	memcpy(c->out + c->n_out + VU_HEADER_SIZE, reply->u.bytes, reply->size);
	c->n_out += VU_HEADER_SIZE + reply->size;
	return 0;
}
