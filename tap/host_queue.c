/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: the worker's side; see tap/host_queue.h. An eventfd is written only to wake a sleeper.
 */
#include "tap/host_queue.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/hot.h"
#include "switch/flat.h"

int host_queue_create(struct host_queue *hq, struct port *port, const struct host_format *format)
{
	int rc;

	memset(hq, 0, sizeof(*hq));
	hq->port = port;
	hq->format = *format;
	hq->fd = -1;
	hq->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	hq->pump_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = hq->kick_fd < 0 || hq->pump_fd < 0 ? -errno : byte_ring_create(&hq->rx, HOST_RING);
	if (rc == 0)
		rc = byte_ring_create(&hq->tx, HOST_RING);
	if (rc < 0)
		host_queue_destroy(hq);
	return rc;
}

void host_queue_destroy(struct host_queue *hq)
{
	if (!hq->port)
		return;
	byte_ring_destroy(&hq->rx);
	byte_ring_destroy(&hq->tx);
	if (hq->kick_fd >= 0)
		close(hq->kick_fd);
	if (hq->pump_fd >= 0)
		close(hq->pump_fd);
	hq->port = NULL;
}

static void wake(int fd)
{
	const uint64_t one = 1;

	/* Full only after 2^64 - 2 wake-ups. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

unsigned host_queue_rx_burst(struct host_queue *hq, struct burst *b)
{
	const uint32_t hdr_len = hq->format.hdr_len;
	unsigned n;

	for (n = 0; n < BURST_MAX - b->n_unwanted; n++) {
		struct vnet_hdr hdr = {0};
		uint32_t len, tag;
		struct seg piece;
		uint8_t *at = byte_ring_next(&hq->rx, &len, &tag);

		if (!at)
			break;
		/* Less than a header is a frame without a byte: too short. */
		if (hdr_len && len >= hdr_len)
			memcpy(&hdr, at, sizeof(hdr));
		piece.va = at + hdr_len;
		piece.len = len >= hdr_len ? len - hdr_len : 0;
		/* One piece each: there is always room for a burst of them. */
		flat_frame(b, n, hdr_len ? &hdr : NULL, hq->format.offloads, &piece, 1);
	}
	return n;
}

void host_queue_rx_done(struct host_queue *hq)
{
	if (byte_ring_free(&hq->rx))
		wake(hq->pump_fd);
}

/* A record for len bytes of frame, with its header. NULL: no room. */
static uint8_t *record(struct host_queue *hq, uint32_t len)
{
	const uint32_t least = hq->format.pad && len < FLAT_MIN ? FLAT_MIN : len;

	return byte_ring_reserve(&hq->tx, hq->format.hdr_len + least);
}

/* The packet is in the record, len bytes long. tag: the frame's bytes with its last packet, else 0. */
static void record_end(struct host_queue *hq, uint8_t *at, uint32_t len, const struct vnet_hdr *hdr,
		       uint32_t tag)
{
	const uint32_t hdr_len = hq->format.hdr_len;

	if (hq->format.pad)
		len = flat_pad(at + hdr_len, len);
	memcpy(at, hdr, hdr_len);
	byte_ring_commit(&hq->tx, hdr_len + len, tag);
}

static bool put_whole(struct host_queue *hq, const struct frame *f, const struct delivery *d)
{
	const uint32_t len = delivery_len(f, d);
	uint8_t *at = record(hq, len);
	struct vnet_hdr hdr;

	if (!at)
		return false;
	flat_whole(f, d, at + hq->format.hdr_len, &hdr);
	record_end(hq, at, len, &hdr, len);
	return true;
}

/* Whether all of its packets find room in a ring that is empty, wherever that begins: before its end there
 * may be a gap that is too short for one packet. */
static bool fits(const struct host_queue *hq, const struct packets *ps)
{
	const uint32_t len = ps->head_len + ps->step;
	const uint32_t most = hq->format.hdr_len + (len < FLAT_MIN ? FLAT_MIN : len);
	const uint64_t record = byte_ring_round(most);

	return (ps->n + 1) * record <= hq->tx.size;
}

/* A frame whose sender left more than the host takes: all of its packets, or none. False: no room. */
static bool put_packets(struct host_queue *hq, const struct frame *f, const struct delivery *d,
			struct port_counters *c)
{
	const uint64_t before = hq->tx.head;
	struct vnet_hdr hdr;
	struct flat w;
	uint32_t len;

	flat_begin(&w, f, d, hq->format.offloads);
	if (unlikely(!fits(hq, &w.ps))) {
		c->tx_drops[TX_TOO_LONG]++;
		return true;
	}
	while ((len = flat_next(&w))) {
		uint8_t *at = record(hq, len);
		struct seg to = {at + hq->format.hdr_len, len};

		if (!at) {
			byte_ring_rewind(&hq->tx, before);
			return false;
		}
		flat_write(&w, &to, &hdr);
		record_end(hq, at, len, &hdr, w.ps.at == w.ps.n ? delivery_len(f, d) : 0);
	}
	return true;
}

unsigned host_queue_tx_burst(struct host_queue *hq, const struct frame *frames,
			     const struct delivery *d, unsigned n, struct port_counters *c)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		const struct frame *f = &frames[d[i].frame];

		if (likely(!offload_missing(&f->offload, hq->format.offloads))
			    ? !put_whole(hq, f, &d[i])
			    : !put_packets(hq, f, &d[i], c))
			break;
	}
	if (i && byte_ring_publish(&hq->tx))
		wake(hq->pump_fd);
	return i;
}

bool host_queue_arm(struct host_queue *hq)
{
	return byte_ring_ask(&hq->rx);
}

void host_queue_disarm(struct host_queue *hq)
{
	byte_ring_ask_no_more(&hq->rx);
}
