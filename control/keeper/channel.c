/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/channel.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd_msg.h"

#define BUFFER_BYTES (1 << 20)

enum body { BODY_NONE, BODY_KEYS, BODY_GO, BODY_NUMBER, BODY_TEXT, BODY_DEVICE, BODY_OPENED };

static enum body body_of(uint32_t type)
{
	switch (type) {
	case CHANNEL_PUT:
	case CHANNEL_DROP:
	case CHANNEL_DROP_SLOT:
	case CHANNEL_HAND:
		return BODY_KEYS;
	case CHANNEL_GO:
		return BODY_GO;
	case CHANNEL_WARM:
	case CHANNEL_READY:
	case CHANNEL_YIELDED:
		return BODY_NUMBER;
	case CHANNEL_ASK:
	case CHANNEL_STAYING:
	case CHANNEL_FITS_NOT:
	case CHANNEL_YIELD:
		return BODY_TEXT;
	case CHANNEL_OPEN:
		return BODY_DEVICE;
	case CHANNEL_OPENED:
		return BODY_OPENED;
	}
	return BODY_NONE;
}

/* Bytes of a message that go over the wire: what the receiver needs of the longer part. */
static size_t wire_size(const struct channel_msg *m)
{
	const size_t head = offsetof(struct channel_msg, keys);

	switch (body_of(m->type)) {
	case BODY_KEYS:
		return head + m->n * sizeof(m->keys[0]);
	case BODY_GO:
		return head + sizeof(m->go);
	case BODY_NUMBER:
		return head + sizeof(m->number);
	case BODY_TEXT:
		return head + sizeof(m->text);
	case BODY_DEVICE:
		return head + sizeof(m->device);
	case BODY_OPENED:
		return head + sizeof(m->opened);
	case BODY_NONE:
		break;
	}
	return head;
}

int channel_pair(int fds[2])
{
	const int size = BUFFER_BYTES;
	int rc = fd_msg_pair(fds);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < 2; i++) {
		/* Beyond the limit of the host only where we may; less makes us wait, no more. */
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	return 0;
}

int channel_send(int fd, const struct channel_msg *m)
{
	int rc = fd_msg_send(fd, m, wire_size(m), m->fds, m->n_fds, CHANNEL_WAIT_MS);

	return rc == -EAGAIN ? -ETIMEDOUT : rc;
}

int channel_send_text(int fd, enum channel_type type, const char *text)
{
	struct channel_msg m = {.type = type};

	snprintf(m.text, sizeof(m.text), "%s", text);
	return channel_send(fd, &m);
}

static bool keys_hold(const struct channel_msg *m)
{
	if (m->type != CHANNEL_HAND && m->n != 1)
		return false;
	/* What is the keeper's own it hands on, and takes from nobody. */
	if (m->type == CHANNEL_DROP_SLOT)
		return !(m->kinds & KEEP_BIT(KEEP_PROCESS));
	for (unsigned i = 0; i < m->n; i++)
		if (m->keys[i].kind < KEEP_LISTEN || m->keys[i].kind >= KEEP_KINDS ||
		    (m->keys[i].kind == KEEP_PROCESS && m->type != CHANNEL_HAND))
			return false;
	return true;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

static bool body_holds(const struct channel_msg *m)
{
	switch (body_of(m->type)) {
	case BODY_KEYS:
		return keys_hold(m);
	case BODY_GO:
		return ends(m->go.deaths.reason, sizeof(m->go.deaths.reason)) &&
		       ends(m->go.planned.reason, sizeof(m->go.planned.reason));
	case BODY_TEXT:
		return ends(m->text, sizeof(m->text));
	case BODY_DEVICE:
		return m->n == 0 && m->device.number && ends(m->device.device, sizeof(m->device.device));
	case BODY_OPENED:
		return ends(m->opened.text, sizeof(m->opened.text)) &&
		       ends(m->opened.hint, sizeof(m->opened.hint));
	case BODY_NUMBER:
	case BODY_NONE:
		break;
	}
	return m->n == 0;
}

/* A message of a known kind, as long as it says, with as many descriptors as it needs. */
static bool is_whole(const struct channel_msg *m, size_t size, int flags)
{
	unsigned fds = m->type == CHANNEL_PUT ? 1 : m->type == CHANNEL_HAND ? m->n : 0;

	if (size < offsetof(struct channel_msg, keys) || flags & MSG_TRUNC || m->n > CHANNEL_BATCH ||
	    m->type < CHANNEL_PUT || m->type >= CHANNEL_TYPES || size != wire_size(m))
		return false;
	/* Where there is no room for descriptors the kernel keeps them back: no fault of the sender's. */
	if (m->type == CHANNEL_PUT && flags & MSG_CTRUNC && !m->n_fds)
		fds = 0;
	else if (flags & MSG_CTRUNC)
		return false;
	return m->n_fds == fds && body_holds(m);
}

int channel_receive(int fd, struct channel_msg *m, bool wait)
{
	struct iovec iov = {.iov_base = m, .iov_len = offsetof(struct channel_msg, n_fds)};
	union fd_msg_control control;
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = CMSG_SPACE(CHANNEL_BATCH * sizeof(int)),
	};
	ssize_t got = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));

	m->n_fds = 0;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	m->n_fds = fd_msg_detach(&mh, m->fds, CHANNEL_BATCH);
	if (got == 0) {
		fd_msg_close(m->fds, m->n_fds);
		m->n_fds = 0;
		return -EPIPE;
	}
	if (is_whole(m, (size_t)got, mh.msg_flags))
		return 1;
	fd_msg_close(m->fds, m->n_fds);
	m->n_fds = 0;
	return -EPROTO;
}
