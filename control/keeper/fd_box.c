/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/fd_box.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/fd_msg.h"
#include "base/log.h"

#define MAGIC	0x6c6e7964u /* changes with what a message looks like */
#define FDS_MAX (FD_STORE_A_SLOT + 1)

struct message {
	uint32_t magic;
	uint16_t slot, n;
	struct fd_store_past past;
	struct {
		uint16_t kind, index;
	} keys[FD_STORE_A_SLOT];
};

struct fd_box {
	uint16_t first;
	bool stored;
	bool full[FD_STORE_SLOTS_A_BOX];     /* slots of which something lies in it */
	bool full_now[FD_STORE_SLOTS_A_BOX]; /* … in what is being written */
	unsigned n_queued, n_written;
	int out, in; /* out: read, and stored */
	struct discard *bin;
};

void fd_parcel_close(struct fd_parcel *p)
{
	while (p->n)
		close(p->fds[--p->n]);
}

struct fd_box *fd_box_create(uint16_t first)
{
	struct fd_box *b = calloc(1, sizeof(*b));
	int pair[2];

	if (!b || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		free(b);
		return NULL;
	}
	b->first = first;
	b->out = pair[0];
	b->in = pair[1];
	b->bin = discard_create();
	return b;
}

static bool is_seqpacket(int fd)
{
	int domain = 0, type = 0;
	socklen_t a = sizeof(domain), b = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &a) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &b) == 0 && type == SOCK_SEQPACKET;
}

struct fd_box *fd_box_adopt(int fd)
{
	struct fd_box *b = is_seqpacket(fd) ? calloc(1, sizeof(*b)) : NULL;

	if (!b)
		return NULL;
	b->out = fd;
	b->in = -1;
	b->stored = true;
	b->bin = discard_create();
	return b;
}

void fd_box_free(struct fd_box *b)
{
	if (!b)
		return;
	close(b->out);
	if (b->in >= 0)
		close(b->in);
	discard_destroy(b->bin);
	free(b);
}

/* ---- messages ---- */

/* 1; 0: there is none. *size: 0 for what is no message of ours, whose descriptors are there all the same. */
static int receive(int fd, struct message *m, size_t *size, int *fds, unsigned *n_fds)
{
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	union fd_msg_control control;
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
	ssize_t got;

	*n_fds = 0;
	do
		got = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return 0;
	*n_fds = fd_msg_detach(&mh, fds, FDS_MAX);
	*size = mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? 0 : (size_t)got;
	return 1;
}

static bool past_holds(const struct fd_store_past *p)
{
	return memchr(p->go.deaths.reason, '\0', sizeof(p->go.deaths.reason)) &&
	       memchr(p->go.planned.reason, '\0', sizeof(p->go.planned.reason));
}

static bool is_whole(const struct message *m, size_t size, unsigned n_fds, const int *fds)
{
	return size >= offsetof(struct message, keys) && m->magic == MAGIC && m->n <= FD_STORE_A_SLOT &&
	       size == offsetof(struct message, keys) + m->n * sizeof(m->keys[0]) && n_fds == m->n + 1u &&
	       past_holds(&m->past) && is_seqpacket(fds[0]);
}

static void parcel_set(struct fd_parcel *p, const struct message *m, const int *fds)
{
	fd_parcel_close(p);
	p->slot = m->slot;
	p->n = m->n;
	for (unsigned i = 0; i < m->n; i++) {
		p->keys[i].kind = m->keys[i].kind;
		p->keys[i].index = m->keys[i].index;
		p->fds[i] = fds[i];
	}
}

int fd_box_read(struct fd_box *b, struct fd_parcel *parcels, unsigned slots, struct fd_store_past *past)
{
	int fds[FDS_MAX], first = -ENODATA;
	struct message m;
	unsigned n_fds;
	size_t size;

	while (receive(b->out, &m, &size, fds, &n_fds)) {
		const int of = m.slot / FD_STORE_SLOTS_A_BOX * FD_STORE_SLOTS_A_BOX;

		if (!is_whole(&m, size, n_fds, fds) || m.slot >= slots || (first >= 0 && of != first)) {
			fd_msg_close(fds, n_fds);
			return -EPROTO;
		}
		first = of;
		if (b->in >= 0)
			close(b->in);
		b->in = fds[0];
		b->full[m.slot - of] = m.n > 0;
		parcel_set(&parcels[m.slot - of], &m, fds + 1);
		if (m.past.go.deaths.n + m.past.go.planned.n >= past->go.deaths.n + past->go.planned.n &&
		    m.past.left_ns >= past->left_ns)
			*past = m.past;
	}
	b->first = (uint16_t)(first < 0 ? 0 : first);
	return first;
}

/* ---- writing ---- */

static int send_message(struct fd_box *b, const struct message *m, const int *fds)
{
	int all[FDS_MAX] = {b->in}, rc;

	memcpy(all + 1, fds, m->n * sizeof(*fds));
	rc = fd_msg_send(b->in, m, offsetof(struct message, keys) + m->n * sizeof(m->keys[0]), all, m->n + 1u, 0);
	b->n_written += rc == 0;
	return rc;
}

void fd_box_begin(struct fd_box *b)
{
	b->n_written = 0;
	memset(b->full_now, 0, sizeof(b->full_now));
}

int fd_box_write(struct fd_box *b, const struct fd_parcel *p, const struct fd_store_past *past)
{
	const unsigned i = p->slot % FD_STORE_SLOTS_A_BOX;
	struct message m = {.magic = MAGIC, .slot = p->slot, .n = p->n, .past = *past};
	int rc;

	/* The last one is always there: the other end of the box lies in it. */
	if (!p->n && !b->full[i] && (b->n_written || i + 1 < FD_STORE_SLOTS_A_BOX))
		return 0;
	for (unsigned k = 0; k < p->n; k++) {
		m.keys[k].kind = p->keys[k].kind;
		m.keys[k].index = p->keys[k].index;
	}
	rc = send_message(b, &m, p->fds);
	if (rc == -ETOOMANYREFS || rc == -EBADF) {
		/* A front end has put sockets into sockets into its own: its port alone pays for that. */
		LOG_WARN_RL("switch: what port %u holds cannot be stored with the service manager: %s", p->slot,
			    strerror(-rc));
		m.n = 0;
		rc = send_message(b, &m, p->fds);
	}
	b->full_now[i] = rc == 0 && m.n;
	return rc;
}

/* The n that have been there longest. */
static void take_out(struct fd_box *b, unsigned n)
{
	int fds[FDS_MAX];
	struct message m;
	unsigned n_fds;
	size_t size;

	for (; n && receive(b->out, &m, &size, fds, &n_fds); n--)
		while (n_fds)
			discard_fd(b->bin, fds[--n_fds]);
}

void fd_box_commit(struct fd_box *b, bool ok)
{
	take_out(b, ok ? b->n_queued : ~0u);
	b->n_queued = ok ? b->n_written : 0;
	memcpy(b->full, b->full_now, sizeof(b->full));
	if (!ok)
		memset(b->full, 0, sizeof(b->full));
	b->n_written = 0;
}

void fd_box_empty(struct fd_box *b)
{
	take_out(b, ~0u);
	b->n_queued = 0;
}

int fd_box_fd(const struct fd_box *b)
{
	return b->out;
}

bool fd_box_is_stored(const struct fd_box *b)
{
	return b->stored;
}

void fd_box_stored(struct fd_box *b)
{
	b->stored = true;
}
