/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/evil/raw.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void raw_desc(struct fe *fe, unsigned ring, unsigned i, uint64_t gpa, uint32_t len, unsigned flags,
	      unsigned next)
{
	fe->rings[ring].desc[i] = (struct vring_desc){gpa, len, (uint16_t)flags, (uint16_t)next};
}

uint64_t raw_frame(struct fe *fe, unsigned i)
{
	struct fe_ring *r = &fe->rings[TX_RING];
	uint8_t *buf = r->bufs + (size_t)i * r->stride;

	memset(buf, 0, fe->hdr_len + 60);
	memcpy(buf + fe->hdr_len, BROADCAST EVIL_MAC "\x88\xb6", 14);
	return fe_gpa(fe, buf);
}

void raw_offer(struct fe *fe, unsigned ring, unsigned head)
{
	struct fe_ring *r = &fe->rings[ring];

	r->avail->ring[r->next_avail & (r->size - 1)] = (uint16_t)head;
	raw_idx(fe, ring, 1);
}

void raw_idx(struct fe *fe, unsigned ring, unsigned by)
{
	struct fe_ring *r = &fe->rings[ring];

	r->next_avail = (uint16_t)(r->next_avail + by);
	__atomic_store_n(&r->avail->idx, r->next_avail, __ATOMIC_RELEASE);
	fe_kick(fe, ring);
}

bool raw_used(struct fe *fe, unsigned ring)
{
	struct fe_ring *r = &fe->rings[ring];

	for (uint64_t end_ns = loop_now_ns() + 5 * S_NS;
	     __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) != r->next_avail;) {
		if (loop_now_ns() > end_ns)
			return false;
		usleep(500);
	}
	return true;
}

void raw_send(struct scene *s, struct fe *fe, unsigned len)
{
	uint8_t f[65536] = BROADCAST "\x02\0\0\0\xe0\2\x88\xb6";

	if (!fe_send(fe, 0, f, len))
		evil_fail(s, "the neighbour's ring is full");
}

struct fe *raw_connect(struct scene *s)
{
	return evil_attacker(s, (struct fe_opts){.no_handshake = true});
}

void raw_bytes_send(struct scene *s, struct fe *fe, const void *bytes, size_t n)
{
	if (send(fe->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		evil_fail(s, "send: %s", strerror(errno));
}

bool raw_is_closed(struct fe *fe)
{
	uint8_t bytes[4096];
	struct pollfd p = {.fd = fe->fd, .events = POLLIN};

	while (poll(&p, 1, 5000) == 1)
		if (recv(fe->fd, bytes, sizeof(bytes), 0) <= 0)
			return true;
	return false;
}
