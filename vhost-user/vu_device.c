/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-user/vu_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/event.h"
#include "base/log.h"
#include "vhost-user/vu_offer.h"

#define IS_TX(i) ((i) & 1) /* the guest's transmit queue, which we receive from */

void vu_device_init(struct vu_device *d, struct port *p, unsigned n_pairs, bool adopt)
{
	uint64_t offer = vu_offer(n_pairs);

	d->port = p;
	d->dev = &vu_kept_of(p)->dev;
	/* Fixed when the port was made: a front end that comes again must not be offered less, and
	 * what is new waits for the next port. */
	if (!adopt)
		vu_dev_init(d->dev, offer, n_pairs, 0);
	else
		d->dev->features_offered &= offer;
	for (unsigned i = 0; i < VU_QUEUES_MAX; i++) {
		d->queues[i].kick_fd = d->queues[i].err_fd = -1;
		d->queues[i].ring.call_fd = -1;
	}
	vu_mem_guard_install();
}

static int region_adopt(struct vu_device *d, unsigned slot, struct err *err)
{
	const struct vu_mem_region *r = &d->dev->regions[slot];
	int fd = vu_kept_take(d->port, KEEP_REGION, vu_kept_of(d->port)->region_key[slot]), rc;
	struct vu_fd_fact fact;

	if (fd < 0)
		return err_set(err, -EPROTO, "a file of its guest's memory was not kept");
	vu_fd_fact(fd, &fact);
	if (fact.kind == VU_FD_FILE && r->mmap_offset + r->size <= fact.size)
		rc = vu_mem_add(&d->mem, r, fd, err);
	else
		rc = err_set(err, -EPROTO, "a file of its guest's memory is another one, or has shrunk");
	close(fd);
	return rc;
}

int vu_device_adopt(struct vu_device *d, struct err *err)
{
	int rc = vu_kept_check(vu_kept_of(d->port), vu_offer(d->dev->n_rings / 2),
			       d->dev->n_rings, err);

	for (unsigned i = 0; rc == 0 && i < d->dev->n_regions; i++)
		rc = region_adopt(d, i, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < d->dev->n_rings; i++) {
		struct vu_queue *q = &d->queues[i];

		q->kick_fd = vu_kept_take(d->port, KEEP_KICK, i);
		q->err_fd = vu_kept_take(d->port, KEEP_ERR, i);
		atomic_store(&q->ring.call_fd, vu_kept_take(d->port, KEEP_CALL, i));
	}
	return vu_device_rings_start(d, err);
}

void vu_device_errored(struct vu_device *d, const char *text)
{
	struct vu_kept *k = vu_kept_of(d->port);

	snprintf(k->errored, sizeof(k->errored), "%s", text ? text : "");
}

static void fd_put(int *slot, int fd)
{
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

/* Takes workers out of ring i and notes where it stopped. */
static void ring_stop(struct vu_device *d, unsigned i)
{
	struct vu_ring *r = &d->queues[i].ring;

	if (!r->running)
		return;
	if (IS_TX(i))
		port_rx_stop(d->port, i / 2);
	else
		port_tx_stop(d->port, i / 2);
	vu_ring_stop(r);
	d->dev->rings[i].base = r->last_avail;
}

/* virtio has no way to tell a driver that its ring is broken; the front end is told by this. */
static void error_signal(struct vu_device *d, unsigned i)
{
	if (d->queues[i].err_fd >= 0)
		event_signal(d->queues[i].err_fd);
}

static int ring_try(struct vu_device *d, unsigned i, struct err *err)
{
	struct vu_queue *q = &d->queues[i];
	int rc;

	rc = vu_ring_start(&q->ring, &d->dev->rings[i], d->dev->features, &d->mem, err);
	if (rc < 0) {
		err_prefix(err, "queue %u", i);
		return rc;
	}
	rc = IS_TX(i) ? port_rx_start(d->port, i / 2, q->kick_fd, err) :
			port_tx_start(d->port, i / 2, err);
	if (rc < 0) {
		vu_ring_stop(&q->ring);
		return rc;
	}
	/* Whoever served the ring before may have gone without the last call. */
	vu_ring_call(&q->ring);
	return 0;
}

static int ring_start(struct vu_device *d, unsigned i, struct err *err)
{
	int rc;

	if (d->held || d->queues[i].ring.running || !vu_ring_runs(d->dev, i))
		return 0;
	rc = ring_try(d, i, err);
	if (rc < 0)
		error_signal(d, i);
	return rc;
}

int vu_device_rings_start(struct vu_device *d, struct err *err)
{
	for (unsigned i = 0; i < d->dev->n_rings; i++) {
		int rc = ring_start(d, i, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

void vu_device_rings_stop(struct vu_device *d)
{
	/* One grace period for all of them. */
	port_stop_all(d->port);
	for (unsigned i = 0; i < d->dev->n_rings; i++)
		ring_stop(d, i);
}

/* Workers may be calling by the old one: it is closed when none can be any more, and what they told
 * it meanwhile is told again. */
static void call_fd_swap(struct vu_device *d, struct vu_queue *q, int fd)
{
	int old = atomic_exchange(&q->ring.call_fd, fd);

	if (q->ring.running) {
		port_grace_period(d->port);
		vu_ring_call(&q->ring);
	}
	if (old >= 0)
		close(old);
}

void vu_device_reset(struct vu_device *d)
{
	vu_device_rings_stop(d);
	vu_mem_clear(&d->mem);
	for (unsigned i = 0; i < VU_QUEUES_MAX; i++) {
		fd_put(&d->queues[i].kick_fd, -1);
		call_fd_swap(d, &d->queues[i], -1);
		fd_put(&d->queues[i].err_fd, -1);
	}
	vu_kept_forget(d->port);
}

/* The event descriptor that came with the message, or -1. */
static int event_fd_take(struct vu_conn *c, int i)
{
	int fd = i < 0 ? -1 : vu_conn_fd_take(c, (unsigned)i);

	/* For kernels where event_signal() has to write. */
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

/* A ring that cannot start is the guest's fault, not the connection's: its port is errored. */
static void ring_failed(struct vu_device *d, const struct err *err)
{
	d->held = true;
	vu_device_rings_stop(d);
	vu_device_errored(d, err->text);
	port_state_set(d->port, PORT_ERRORED, "%s", err->text);
}

/* Kept before it is used: who is told that it was taken can rely on that. */
static int event_fd_keep(struct vu_device *d, enum keep_kind kind, unsigned ring, int fd)
{
	vu_kept_fd(d->port, kind, ring, fd);
	return fd;
}

static int mem_add(struct vu_device *d, unsigned slot, int fd, struct err *err)
{
	vu_kept_region_add(d->port, slot, fd);
	return vu_mem_add(&d->mem, &d->dev->regions[slot], fd, err);
}

static int action_do(struct vu_device *d, struct vu_conn *c, const struct vu_action *a,
		     struct vu_result *res, struct err *err)
{
	struct vu_queue *q = &d->queues[a->ring];
	struct err ring_err = ERR_NONE;

	switch (a->type) {
	case VU_ACT_MEM_CLEAR:
		vu_device_rings_stop(d);
		vu_mem_clear(&d->mem);
		vu_kept_regions_clear(d->port);
		break;
	case VU_ACT_MEM_ADD:
		return mem_add(d, a->slot, c->fds[a->fd], err);
	case VU_ACT_MEM_DEL:
		vu_device_rings_stop(d);
		vu_mem_del(&d->mem, a->slot);
		vu_kept_region_del(d->port, a->slot);
		break;
	case VU_ACT_RINGS_RESOLVE:
		if (vu_device_rings_start(d, &ring_err) < 0)
			ring_failed(d, &ring_err);
		break;
	case VU_ACT_FEATURES:
		break; /* rings take them when they start */
	case VU_ACT_RING_KICK:
		fd_put(&q->kick_fd, event_fd_keep(d, KEEP_KICK, a->ring, event_fd_take(c, a->fd)));
		break;
	case VU_ACT_RING_CALL:
		call_fd_swap(d, q, event_fd_keep(d, KEEP_CALL, a->ring, event_fd_take(c, a->fd)));
		break;
	case VU_ACT_RING_ERR:
		fd_put(&q->err_fd, event_fd_keep(d, KEEP_ERR, a->ring, event_fd_take(c, a->fd)));
		break;
	case VU_ACT_RING_START:
		if (ring_start(d, a->ring, &ring_err) < 0)
			ring_failed(d, &ring_err);
		break;
	case VU_ACT_RING_STOP:
		ring_stop(d, a->ring);
		break;
	case VU_ACT_RING_BASE:
		res->reply.u.state.num = d->dev->rings[a->ring].base;
		break;
	case VU_ACT_MTU:
		break; /* the port looks at dev.mtu */
	case VU_ACT_LOG:
		LOG_WARN_RL("port \"%s\": refused %s", d->port->name, res->text);
		break;
	}
	return 0;
}

void vu_device_connected(struct vu_device *d)
{
	vu_kept_of(d->port)->mtu_agreed = d->port->kept->mtu;
}

/* The front end of a running guest tells its MTU again whenever the driver is reset: one that was
 * right when it connected stays so, or the guest would lose its network for good. */
static uint32_t mtu_limit(const struct vu_device *d)
{
	uint32_t now = d->port->kept->mtu, agreed = vu_kept_of(d->port)->mtu_agreed;

	return !now || !agreed ? 0 : (now > agreed ? now : agreed);
}

int vu_device_message(struct vu_device *d, struct vu_conn *c, struct err *err)
{
	struct vu_fd_fact facts[VU_MSG_FDS];
	struct vu_result res;

	d->dev->mtu_max = mtu_limit(d);
	for (unsigned i = 0; i < c->n_fds; i++)
		vu_fd_fact(c->fds[i], &facts[i]);
	vu_step(d->dev, &c->msg, facts, c->n_fds, &res);
	if (res.verdict == VU_VIOLATION)
		return err_set(err, -EPROTO, "%s", res.text);
	for (unsigned i = 0; i < res.n_actions; i++)
		if (action_do(d, c, &res.actions[i], &res, err) < 0)
			return -EPROTO;
	return res.has_reply ? vu_conn_reply(c, &res.reply, err) : 0;
}

bool vu_device_pair_runs(const struct vu_device *d)
{
	return vu_device_n_pairs(d) > 0;
}

unsigned vu_device_n_pairs(const struct vu_device *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i + 1 < d->dev->n_rings; i += 2)
		n += d->queues[i].ring.running && d->queues[i + 1].ring.running;
	return n;
}

bool vu_device_any_started(const struct vu_device *d)
{
	for (unsigned i = 0; i < d->dev->n_rings; i++)
		if (d->dev->rings[i].phase == VU_RING_STARTED)
			return true;
	return false;
}

bool vu_device_fault(struct vu_device *d, char *text, size_t size)
{
	for (unsigned i = 0; i < d->dev->n_rings; i++) {
		struct vu_queue *q = &d->queues[i];
		int n;

		if (!q->ring.running || !atomic_load(&q->ring.fault))
			continue;
		n = snprintf(text, size, "queue %u: ", i);
		vu_ring_fault_text(&q->ring, text + n, size - (size_t)n);
		error_signal(d, i);
		return true;
	}
	return false;
}
