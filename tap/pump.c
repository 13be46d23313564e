/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/pump.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "switch/flat.h"

#define TURN	     64 /* frames each way, before other queues have theirs */
#define EVENTS_MAX   64
/* One byte more than a frame may have, so that a longer one is seen to be. */
#define READ_MAX(hq) ((hq)->format.hdr_len + FRAME_MAX + 1u)

/* What control asks of a pump, one at a time. */
enum call { CALL_NONE, CALL_START, CALL_STOP, CALL_YIELD, CALL_QUIT };

TAILQ_HEAD(queue_list, host_queue);

struct pump {
	pthread_t thread;
	unsigned index;
	unsigned n_queues; /* ctl */
	int epfd, wake_fd;
	struct queue_list active; /* the pump's */
	pthread_mutex_t lock;	  /* of what follows */
	pthread_cond_t done;
	enum call call;
	struct host_queue *queue;
	int result;
	atomic_bool called; /* the same as call, to be seen without the lock */
};

static struct pump pumps[PORT_HELPERS_MAX]; /* ctl */
static unsigned n_pumps;

/* Which of the two descriptors of a queue an event is about: its address, and 1 for pump_fd. */
#define EVENT_PUMP_FD ((uintptr_t)1)
_Static_assert(_Alignof(struct host_queue) > 1, "the lowest bit is free");

/* ---- the pump ---- */

static void queue_wake(struct pump *p, struct host_queue *hq)
{
	if (hq->active)
		return;
	hq->active = true;
	TAILQ_INSERT_TAIL(&p->active, hq, link);
}

/* Tells control once a start that the descriptor is not as it should be. */
static void fault(struct host_queue *hq, int error)
{
	if (atomic_load_explicit(&hq->error, memory_order_relaxed))
		return;
	atomic_store_explicit(&hq->error, error, memory_order_relaxed);
	port_fault_raise(hq->port);
}

/* The host did not take a packet; the frame is counted with its last one. */
static void refused(struct host_queue *hq, int error)
{
	hq->failed = error == EMSGSIZE ? TX_TOO_LONG : TX_HOST_REFUSED;
	/* These are about the packet, or soon over; the others about the interface or peer. */
	if (error != EMSGSIZE && error != EINVAL && error != ENOBUFS && error != ENOMEM)
		fault(hq, error);
}

/* The last packet of a frame is out, or will never be. */
static void frame_end(struct host_queue *hq)
{
	struct port_counters *c = hq->counters;

	if (hq->failed >= 0) {
		c->tx_drops[hq->failed]++;
	} else {
		c->tx_frames++;
		c->tx_bytes += hq->pending_tag;
	}
	hq->failed = -1;
}

static bool tx_next(struct host_queue *hq)
{
	if (!hq->pending)
		hq->pending = byte_ring_next(&hq->tx, &hq->pending_len, &hq->pending_tag);
	return hq->pending;
}

/* One record to the host. False: it would block. */
static bool tx_write(struct host_queue *hq)
{
	const bool last = hq->pending_tag;
	ssize_t n;

	if (hq->format.socket)
		n = send(hq->fd, hq->pending, hq->pending_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(hq->fd, hq->pending, hq->pending_len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n < 0)
		refused(hq, errno);
	if (last)
		frame_end(hq);
	hq->pending = NULL;
	return true;
}

static void tx_serve(struct host_queue *hq)
{
	for (unsigned i = 0; i < TURN; i++) {
		if (!tx_next(hq)) {
			byte_ring_free(&hq->tx);
			hq->tx_ready = byte_ring_ask(&hq->tx);
			return;
		}
		if (!tx_write(hq)) {
			hq->tx_ready = false; /* until the descriptor says that it can be written */
			hq->tx_blocked = true;
			break;
		}
	}
	/* A pending record has not been freed: it is read in place. */
	if (!hq->pending)
		byte_ring_free(&hq->tx);
}

static ssize_t rx_read(struct host_queue *hq, uint8_t *to)
{
	const size_t max = READ_MAX(hq);
	ssize_t n;

	if (!hq->format.socket)
		return read(hq->fd, to, max);
	n = recv(hq->fd, to, max, MSG_DONTWAIT | MSG_TRUNC);
	return n > (ssize_t)max ? (ssize_t)max : n;
}

static void rx_serve(struct host_queue *hq)
{
	static const uint64_t one = 1;

	for (unsigned i = 0; i < TURN; i++) {
		uint8_t *to = byte_ring_reserve(&hq->rx, READ_MAX(hq));
		ssize_t n;

		if (!to && !byte_ring_ask_room(&hq->rx, READ_MAX(hq))) {
			hq->rx_ready =
				false; /* until the worker says that there is room: pump_fd */
			return;
		}
		if (!to)
			continue;
		n = rx_read(hq, to);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			hq->rx_ready = false;
			if (errno != EAGAIN)
				fault(hq, errno);
			return;
		}
		byte_ring_commit(&hq->rx, (uint32_t)n, 0);
		if (byte_ring_publish(&hq->rx) && write(hq->kick_fd, &one, sizeof(one)) < 0)
			return; /* never: 2^64 - 2 kicks */
	}
}

static void serve(struct pump *p, struct host_queue *hq)
{
	if (hq->tx_ready)
		tx_serve(hq);
	if (hq->rx_ready)
		rx_serve(hq);
	TAILQ_REMOVE(&p->active, hq, link);
	hq->active = false;
	if (hq->tx_ready || hq->rx_ready)
		queue_wake(p, hq);
}

static int queue_enter(struct pump *p, struct host_queue *hq)
{
	struct epoll_event fd_ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
				    .data.u64 = (uintptr_t)hq};
	struct epoll_event pump_ev = {.events = EPOLLIN | EPOLLET,
				      .data.u64 = (uintptr_t)hq | EVENT_PUMP_FD};

	if (epoll_ctl(p->epfd, EPOLL_CTL_ADD, hq->pump_fd, &pump_ev) < 0)
		return -errno;
	if (epoll_ctl(p->epfd, EPOLL_CTL_ADD, hq->fd, &fd_ev) < 0) {
		int rc = -errno;

		epoll_ctl(p->epfd, EPOLL_CTL_DEL, hq->pump_fd, NULL);
		return rc;
	}
	hq->tx_ready = hq->rx_ready = true;
	hq->tx_blocked = false;
	queue_wake(p, hq);
	return 0;
}

/* No worker adds to it any more. */
static void tx_flush(struct host_queue *hq)
{
	while (tx_next(hq) && tx_write(hq))
		;
}

/* What was not written. */
static void tx_discard(struct host_queue *hq)
{
	for (; tx_next(hq); hq->pending = NULL) {
		hq->failed = TX_NOT_UP;
		if (hq->pending_tag)
			frame_end(hq);
	}
	byte_ring_free(&hq->tx);
}

/* What was read, but no worker has taken, would be old at the next start. */
static void rx_discard(struct host_queue *hq)
{
	const uint32_t hdr_len = hq->format.hdr_len;
	struct port_counters *c = hq->counters;
	uint32_t len, tag;

	while (byte_ring_next(&hq->rx, &len, &tag)) {
		c->rx_frames++;
		c->rx_bytes += len >= hdr_len ? len - hdr_len : 0;
		c->rx_drops[RX_NOT_UP]++;
	}
	byte_ring_free(&hq->rx);
}

/* Counts here, as another queue of the port may be with this pump and go on: the block is its alone. */
static void queue_leave(struct pump *p, struct host_queue *hq)
{
	epoll_ctl(p->epfd, EPOLL_CTL_DEL, hq->pump_fd, NULL);
	epoll_ctl(p->epfd, EPOLL_CTL_DEL, hq->fd, NULL);
	if (hq->active)
		TAILQ_REMOVE(&p->active, hq, link);
	hq->active = false;
	tx_discard(hq);
	rx_discard(hq);
}

/* What control has asked for. False: to end. */
static bool call_answer(struct pump *p)
{
	enum call call;

	if (!atomic_load_explicit(&p->called, memory_order_acquire))
		return true;
	pthread_mutex_lock(&p->lock);
	call = p->call;
	if (call == CALL_START)
		p->result = queue_enter(p, p->queue);
	if (call == CALL_YIELD)
		tx_flush(p->queue);
	if (call == CALL_STOP || call == CALL_YIELD)
		queue_leave(p, p->queue);
	p->call = CALL_NONE;
	atomic_store_explicit(&p->called, false, memory_order_relaxed);
	pthread_cond_signal(&p->done);
	pthread_mutex_unlock(&p->lock);
	return call != CALL_QUIT;
}

/* Marks what has something to do. Whoever left the set since has no event here: calls come before it. */
static void events_take(struct pump *p, const struct epoll_event *evs, int n)
{
	for (int i = 0; i < n; i++) {
		uintptr_t which = (uintptr_t)evs[i].data.u64;
		struct host_queue *hq = (struct host_queue *)(which & ~EVENT_PUMP_FD);

		if (!which)
			continue; /* wake_fd */
		if (which & EVENT_PUMP_FD) {
			hq->tx_ready |= !hq->tx_blocked;
			hq->rx_ready = true;
		}
		if (!(which & EVENT_PUMP_FD)) {
			hq->rx_ready |= evs[i].events & ~(uint32_t)EPOLLOUT;
			if (evs[i].events & ~(uint32_t)EPOLLIN) {
				hq->tx_ready = true;
				hq->tx_blocked = false;
			}
		}
		queue_wake(p, hq);
	}
}

static void *pump_run(void *arg)
{
	struct epoll_event evs[EVENTS_MAX];
	struct pump *p = arg;

	while (call_answer(p)) {
		struct host_queue *hq, *last = TAILQ_LAST(&p->active, queue_list);
		int n = epoll_wait(p->epfd, evs, EVENTS_MAX, last ? 0 : -1);

		events_take(p, evs, n);
		last = TAILQ_LAST(&p->active, queue_list);
		while ((hq = TAILQ_FIRST(&p->active))) {
			serve(p, hq);
			if (hq == last || atomic_load_explicit(&p->called, memory_order_relaxed))
				break;
		}
	}
	return NULL;
}

/* ---- control ---- */

static void wake(struct pump *p)
{
	const uint64_t one = 1;

	if (write(p->wake_fd, &one, sizeof(one)) < 0)
		return; /* never: 2^64 - 2 calls */
}

static int pump_call(struct pump *p, enum call call, struct host_queue *hq)
{
	int result;

	pthread_mutex_lock(&p->lock);
	p->call = call;
	p->queue = hq;
	p->result = 0;
	atomic_store_explicit(&p->called, true, memory_order_release);
	wake(p);
	while (p->call != CALL_NONE)
		pthread_cond_wait(&p->done, &p->lock);
	result = p->result;
	pthread_mutex_unlock(&p->lock);
	return result;
}

static void pump_destroy(struct pump *p)
{
	if (p->epfd >= 0)
		close(p->epfd);
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->done);
}

static int pump_create(struct pump *p, unsigned index)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = 0};
	char name[16];
	int rc;

	memset(p, 0, sizeof(*p));
	p->index = index;
	TAILQ_INIT(&p->active);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->done, NULL);
	p->epfd = epoll_create1(EPOLL_CLOEXEC);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->epfd < 0 || p->wake_fd < 0 || epoll_ctl(p->epfd, EPOLL_CTL_ADD, p->wake_fd, &ev) < 0)
		rc = -errno;
	else
		rc = -pthread_create(&p->thread, NULL, pump_run, p);
	if (rc < 0) {
		pump_destroy(p);
		return rc;
	}
	snprintf(name, sizeof(name), "pump-%u", index);
	pthread_setname_np(p->thread, name);
	return 0;
}

/* Ends them when none has a queue. */
static void pumps_end(void)
{
	for (unsigned i = 0; i < n_pumps; i++)
		if (pumps[i].n_queues)
			return;
	for (unsigned i = 0; i < n_pumps; i++) {
		pump_call(&pumps[i], CALL_QUIT, NULL);
		pthread_join(pumps[i].thread, NULL);
		pump_destroy(&pumps[i]);
	}
	n_pumps = 0;
}

/* The one with the fewest queues; starts them all with the first. */
static int pump_choose(const struct port *port, struct pump **out)
{
	unsigned want = switch_n_workers(port->sw), best = 0;

	if (want > PORT_HELPERS_MAX)
		want = PORT_HELPERS_MAX;
	while (n_pumps < want) {
		int rc = pump_create(&pumps[n_pumps], n_pumps);

		if (rc < 0 && !n_pumps)
			return rc;
		if (rc < 0)
			break; /* fewer do as well */
		n_pumps++;
	}
	for (unsigned i = 1; i < n_pumps; i++)
		if (pumps[i].n_queues < pumps[best].n_queues)
			best = i;
	*out = &pumps[best];
	return 0;
}

int pump_start(struct host_queue *hq, int fd, struct err *err)
{
	struct pump *p;
	int rc;

	assert(!hq->pump);
	rc = pump_choose(hq->port, &p);
	if (rc < 0)
		return err_set(err, rc, "port \"%s\": cannot start a thread for it: %s",
			       hq->port->name, strerror(-rc));
	hq->fd = fd;
	hq->failed = -1;
	atomic_store_explicit(&hq->error, 0, memory_order_relaxed);
	hq->counters = port_helper_counters(hq->port, p->index);
	p->n_queues++;
	rc = pump_call(p, CALL_START, hq);
	if (rc < 0) {
		p->n_queues--;
		pumps_end();
		return err_set(err, rc, "port \"%s\": cannot wait for its descriptor: %s",
			       hq->port->name, strerror(-rc));
	}
	hq->pump = p;
	return 0;
}

static void leave(struct host_queue *hq, enum call call)
{
	struct pump *p = hq->pump;

	if (!p)
		return;
	pump_call(p, call, hq);
	hq->pump = NULL;
	p->n_queues--;
	pumps_end();
}

void pump_stop(struct host_queue *hq)
{
	leave(hq, CALL_STOP);
}

void pump_yield(struct host_queue *hq)
{
	leave(hq, CALL_YIELD);
}
