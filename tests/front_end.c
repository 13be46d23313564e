/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/front_end.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd_msg.h"

#define REPLY_MS 5000

uint64_t fe_features_default(unsigned n_pairs)
{
	return VU_BIT(VIRTIO_F_VERSION_1) | VU_BIT(VIRTIO_NET_F_MRG_RXBUF) |
	       VU_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VU_BIT(VIRTIO_RING_F_EVENT_IDX) |
	       VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES) |
	       (n_pairs > 1 ? VU_BIT(VIRTIO_NET_F_MQ) | VU_BIT(VIRTIO_NET_F_CTRL_VQ) : 0);
}

uint64_t fe_gpa(const struct fe *fe, const void *at)
{
	return FE_GPA + (uint64_t)((const uint8_t *)at - fe->mem);
}

/* ---- protocol ---- */

int fe_msg_send(struct fe *fe, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		const int *fds, unsigned n_fds)
{
	uint32_t header[3] = {request, flags | VU_VERSION, size};
	struct iovec iov[2] = {{header, sizeof(header)}, {(void *)payload, size}};
	union fd_msg_control control;
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = size ? 2 : 1};

	fd_msg_attach(&mh, &control, fds, n_fds);
	return sendmsg(fe->fd, &mh, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int read_all(int fd, void *at, size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (poll(&p, 1, REPLY_MS) <= 0)
			return -ETIMEDOUT;
		got = recv(fd, (uint8_t *)at + done, n - done, 0);
		if (got <= 0)
			return got < 0 ? -errno : -EPIPE;
		done += (size_t)got;
	}
	return 0;
}

int fe_msg_reply(struct fe *fe, struct vu_msg *reply)
{
	int rc = read_all(fe->fd, reply, VU_HEADER_SIZE);

	if (rc < 0)
		return rc;
	if (reply->size > sizeof(reply->u))
		return -EPROTO;
	return read_all(fe->fd, reply->u.bytes, reply->size);
}

int fe_get_u64(struct fe *fe, uint32_t request, uint64_t *value)
{
	struct vu_msg reply;
	int rc = fe_msg_send(fe, request, 0, NULL, 0, NULL, 0);

	if (rc == 0)
		rc = fe_msg_reply(fe, &reply);
	if (rc == 0)
		*value = reply.u.u64;
	return rc;
}

int fe_set_u64(struct fe *fe, uint32_t request, uint64_t value)
{
	return fe_msg_send(fe, request, 0, &value, sizeof(value), NULL, 0);
}

int fe_set_state(struct fe *fe, uint32_t request, uint32_t index, uint32_t num)
{
	struct vu_vring_state s = {.index = index, .num = num};

	return fe_msg_send(fe, request, 0, &s, sizeof(s), NULL, 0);
}

static int set_event(struct fe *fe, uint32_t request, unsigned ring, int fd)
{
	uint64_t u = fd < 0 ? ring | 0x100 : ring;

	return fe_msg_send(fe, request, 0, &u, sizeof(u), &fd, fd >= 0);
}

int fe_ring_stop(struct fe *fe, unsigned ring, uint32_t *base)
{
	struct vu_msg reply;
	int rc = fe_set_state(fe, VU_GET_VRING_BASE, ring, 0);

	if (rc == 0)
		rc = fe_msg_reply(fe, &reply);
	if (rc == 0 && base)
		*base = reply.u.state.num;
	return rc;
}

int fe_ring_start(struct fe *fe, unsigned ring, uint16_t base)
{
	struct fe_ring *r = &fe->rings[ring];
	struct vu_vring_addr a = {
		.index = ring,
		.desc = (uintptr_t)r->desc,
		.avail = (uintptr_t)r->avail,
		.used = (uintptr_t)r->used,
	};
	int rc = fe_set_state(fe, VU_SET_VRING_NUM, ring, r->size);

	if (rc == 0)
		rc = fe_set_state(fe, VU_SET_VRING_BASE, ring, base);
	if (rc == 0)
		rc = fe_msg_send(fe, VU_SET_VRING_ADDR, 0, &a, sizeof(a), NULL, 0);
	if (rc == 0)
		rc = set_event(fe, VU_SET_VRING_CALL, ring, r->call_fd);
	if (rc == 0)
		rc = set_event(fe, VU_SET_VRING_ERR, ring, r->err_fd);
	if (rc == 0)
		rc = set_event(fe, VU_SET_VRING_KICK, ring, fe->opts.no_kick_fd ? -1 : r->kick_fd);
	if (rc == 0 && fe->features & VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES))
		rc = fe_set_state(fe, VU_SET_VRING_ENABLE, ring, 1);
	return rc;
}

static int mem_table_send(struct fe *fe)
{
	struct {
		uint32_t n, padding;
		struct vu_mem_region r[VU_MSG_FDS];
	} table = {.n = fe->opts.n_regions};
	int fds[VU_MSG_FDS];
	size_t part = fe->mem_size / table.n / 4096 * 4096;

	for (unsigned i = 0; i < table.n; i++) {
		size_t at = i * part, size = i + 1 < table.n ? part : fe->mem_size - at;

		table.r[i] = (struct vu_mem_region){
			.gpa = FE_GPA + at,
			.size = size,
			.uva = (uintptr_t)fe->mem + at,
			.mmap_offset = at,
		};
		fds[i] = fe->mem_fd;
	}
	return fe_msg_send(fe, VU_SET_MEM_TABLE, 0, &table, 8 + table.n * 32, fds, table.n);
}

static unsigned header_len(const struct fe *fe)
{
	return fe->features & (VU_BIT(VIRTIO_F_VERSION_1) | VU_BIT(VIRTIO_NET_F_MRG_RXBUF)) ?
		       VNET_HDR : VNET_HDR_LEGACY;
}

static int negotiate(struct fe *fe, struct err *err)
{
	uint64_t offered, proto, pairs;
	int rc = fe_msg_send(fe, VU_SET_OWNER, 0, NULL, 0, NULL, 0);

	if (rc == 0)
		rc = fe_get_u64(fe, VU_GET_FEATURES, &offered);
	if (rc == 0)
		rc = fe_get_u64(fe, VU_GET_PROTOCOL_FEATURES, &proto);
	if (rc < 0)
		return err_set(err, rc, "no features from the back end: %s", strerror(-rc));
	fe->features = fe->opts.features & offered;
	fe->proto_features = proto & (VU_BIT(VU_PROTO_MQ) | VU_BIT(VU_PROTO_REPLY_ACK) |
				      VU_BIT(VU_PROTO_CONFIGURE_MEM_SLOTS));
	rc = fe_set_u64(fe, VU_SET_PROTOCOL_FEATURES, fe->proto_features);
	if (rc == 0)
		rc = fe_get_u64(fe, VU_GET_QUEUE_NUM, &pairs);
	if (rc == 0 && pairs < fe->opts.n_pairs)
		return err_set(err, -EINVAL, "the back end has %llu queue pairs",
			       (unsigned long long)pairs);
	if (rc == 0)
		rc = fe_set_u64(fe, VU_SET_FEATURES, fe->features);
	if (rc == 0)
		rc = mem_table_send(fe);
	fe->hdr_len = header_len(fe);
	return rc < 0 ? err_set(err, rc, "the handshake failed: %s", strerror(-rc)) : 0;
}

/* ---- memory and rings ---- */

static size_t align_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* An odd number of cache lines: with a power of two all buffers would fall into a few cache sets. */
static uint32_t stride_of(uint32_t buf_size)
{
	return (uint32_t)(align_up(buf_size, 64) / 64 + 1) / 2 * 128 + 64;
}

/* Lays ring i out from mem + at on; returns the end. */
static size_t ring_place(struct fe *fe, unsigned i, size_t at)
{
	struct fe_ring *r = &fe->rings[i];
	uint16_t n = fe->opts.ring_size;

	r->size = n;
	r->stride = i & 1 ? stride_of(fe->opts.tx_buf_size) : fe->stride;
	r->desc = (void *)(fe->mem + at);
	at = align_up(at + n * sizeof(struct vring_desc), 64);
	r->avail = (void *)(fe->mem + at);
	at = align_up(at + sizeof(struct vring_avail) + 2 * n + 2, 64);
	r->used = (void *)(fe->mem + at);
	at = align_up(at + sizeof(struct vring_used) + 8 * (size_t)n + 2, 64);
	r->indirect = (void *)(fe->mem + at);
	at = align_up(at + (size_t)fe->opts.n_indirect * n * sizeof(struct vring_desc), 4096);
	r->bufs = fe->mem + at;
	return align_up(at + (size_t)n * r->stride, 4096);
}

static int memory_make(struct fe *fe, struct err *err)
{
	size_t n = fe->opts.ring_size;

	fe->n_rings = 2 * fe->opts.n_pairs;
	fe->stride = stride_of(fe->opts.buf_size);
	fe->mem_size = fe->n_rings * (n * (16 + 2 + 8 + 16 * (size_t)fe->opts.n_indirect) + 6 * 4096) +
		       fe->opts.n_pairs * n * (fe->stride + (size_t)stride_of(fe->opts.tx_buf_size));
	fe->mem_size = align_up(fe->mem_size, 2 << 20);
	fe->mem_fd = memfd_create("front-end",
				  MFD_CLOEXEC | (fe->opts.no_seal ? 0 : MFD_ALLOW_SEALING));
	if (fe->mem_fd < 0 || ftruncate(fe->mem_fd, (off_t)fe->mem_size) < 0)
		return err_set(err, -errno, "no memory for the front end: %s", strerror(errno));
	fe->mem = mmap(NULL, fe->mem_size, PROT_READ | PROT_WRITE, MAP_SHARED, fe->mem_fd, 0);
	if (fe->mem == MAP_FAILED) {
		fe->mem = NULL;
		return err_set(err, -errno, "cannot map the front end's memory: %s", strerror(errno));
	}
	for (size_t i = 0, at = 0; i < fe->n_rings; i++) {
		struct fe_ring *r = &fe->rings[i];

		at = ring_place(fe, (unsigned)i, at);
		r->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r->err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	return 0;
}

/* All receive buffers available, all transmit descriptors free. */
static void rings_fill(struct fe *fe)
{
	for (unsigned i = 0; i < fe->n_rings; i++) {
		struct fe_ring *r = &fe->rings[i];

		for (uint16_t k = 0; k < r->size; k++) {
			struct vring_desc *d = &r->desc[k];

			*d = (struct vring_desc){.next = (uint16_t)(k + 1)};
			if (i & 1)
				continue;
			d->addr = fe_gpa(fe, r->bufs + (size_t)k * r->stride);
			d->len = fe->opts.buf_size;
			d->flags = VRING_DESC_WRITE;
			r->avail->ring[k] = k;
		}
		memset(r->used, 0, sizeof(*r->used) + 8 * (size_t)r->size + 2);
		r->last_used = 0;
		r->free_head = 0;
		r->n_free = r->size;
		r->next_avail = i & 1 ? 0 : r->size;
		r->avail->idx = r->next_avail;
	}
}

int fe_reset(struct fe *fe)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < fe->n_rings; i++)
		rc = fe_ring_stop(fe, i, NULL);
	rings_fill(fe);
	for (unsigned i = 0; rc == 0 && i < fe->n_rings; i++)
		rc = fe_ring_start(fe, i, 0);
	return rc;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	return sun;
}

int fe_listen(const char *path, struct err *err)
{
	struct sockaddr_un sun = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	unlink(path);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 && listen(fd, 1) == 0)
		return fd;
	rc = err_set(err, -errno, "cannot listen on %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

static int connection_accept(struct fe *fe, struct err *err)
{
	int fd = fe->opts.listen_fd ? fe->opts.listen_fd : fe_listen(fe->opts.path, err);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return fd;
	fe->fd = poll(&p, 1, REPLY_MS) > 0 ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : -1;
	close(fd);
	unlink(fe->opts.path);
	if (fe->fd < 0)
		return err_set(err, -ETIMEDOUT, "no back end came to %s", fe->opts.path);
	return 0;
}

static int socket_open(struct fe *fe, struct err *err)
{
	struct sockaddr_un sun = address_of(fe->opts.path);

	if (fe->opts.server)
		return connection_accept(fe, err);
	fe->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fe->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return err_set(err, -errno, "cannot connect to %s: %s", fe->opts.path,
			       strerror(errno));
	return 0;
}

int fe_open(const struct fe_opts *opts, struct fe **out, struct err *err)
{
	struct fe *fe = calloc(1, sizeof(*fe));
	int rc;

	fe->opts = *opts;
	fe->fd = fe->mem_fd = -1;
	if (!fe->opts.n_pairs)
		fe->opts.n_pairs = 1;
	if (!fe->opts.ring_size)
		fe->opts.ring_size = 256;
	if (!fe->opts.features)
		fe->opts.features = fe_features_default(fe->opts.n_pairs);
	if (!fe->opts.buf_size)
		fe->opts.buf_size = 2048 - 64;
	if (!fe->opts.tx_buf_size)
		fe->opts.tx_buf_size = fe->opts.buf_size;
	if (!fe->opts.n_indirect)
		fe->opts.n_indirect = 2;
	if (!fe->opts.n_regions)
		fe->opts.n_regions = 1;
	rc = memory_make(fe, err);
	if (!fe->opts.path) {
		fe->opts.no_handshake = true;
		fe->features = fe->opts.features;
		fe->hdr_len = header_len(fe);
	} else if (rc == 0) {
		rc = socket_open(fe, err);
	}
	fe->opts.no_rings |= fe->opts.no_handshake;
	if (rc == 0 && !fe->opts.no_handshake)
		rc = negotiate(fe, err);
	if (rc == 0)
		rings_fill(fe);
	for (unsigned i = 0; rc == 0 && !fe->opts.no_rings && i < fe->n_rings; i++)
		rc = fe_ring_start(fe, i, 0);
	if (rc < 0) {
		fe_close(fe);
		return rc;
	}
	*out = fe;
	return 0;
}

void fe_close(struct fe *fe)
{
	if (!fe)
		return;
	if (fe->fd >= 0)
		close(fe->fd);
	for (unsigned i = 0; fe->mem && i < fe->n_rings; i++) {
		close(fe->rings[i].kick_fd);
		close(fe->rings[i].call_fd);
		close(fe->rings[i].err_fd);
	}
	if (fe->mem)
		munmap(fe->mem, fe->mem_size);
	if (fe->mem_fd >= 0)
		close(fe->mem_fd);
	free(fe);
}

struct vu_ring_state fe_ring_state(const struct fe *fe, unsigned ring)
{
	const struct fe_ring *r = &fe->rings[ring];

	return (struct vu_ring_state){
		.num = r->size,
		.addr = {.desc = (uintptr_t)r->desc,
			 .avail = (uintptr_t)r->avail,
			 .used = (uintptr_t)r->used},
	};
}
