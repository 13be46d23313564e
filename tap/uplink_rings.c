/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH; see tap/uplink_rings.h. Drivers of interfaces make system calls in their bursts; arming,
 * which comes before a sleep, makes two here.
 */
#include "tap/uplink_rings.h"

#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <sys/socket.h>

#include <rte_ethdev.h>

#include "base/hot.h"

/* Tries for the rest of a frame of which some packets are on the wire. */
#define TRIES 8

/* Between looks at what was missed. */
#define BURSTS_LOOK 1024

/* Frames that the socket of queue q had no room for, ever, where seen are known of. */
static uint64_t missed(const struct uplink *u, unsigned q, uint64_t seen)
{
	const int fd = u->dev.kick_fd[q];
	struct tpacket_stats packet = {0};
	struct xdp_statistics xdp = {0};
	socklen_t n_packet = sizeof(packet), n_xdp = sizeof(xdp);

	if (!u->dev.ifindex || fd < 0)
		return seen;
	/* One counts from the last time, the other from its beginning. */
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &packet, &n_packet) == 0)
		return seen + packet.tp_drops;
	if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &xdp, &n_xdp) == 0)
		return xdp.rx_dropped + xdp.rx_ring_full;
	return seen;
}

void uplink_missed_reset(struct uplink *u, unsigned q)
{
	u->queue[q].missed = missed(u, q, 0);
}

static void missed_count(struct uplink *u, unsigned q)
{
	struct port_counters *c = &u->port.counters[u->port.rx_worker[q]];
	struct uplink_queue *uq = &u->queue[q];
	uint64_t now = missed(u, q, uq->missed), n = now - uq->missed;

	uq->missed = now;
	c->rx_frames += n;
	c->rx_drops[RX_MISSED] += n;
}

unsigned uplink_rx_burst(struct port *p, unsigned q, struct burst *b)
{
	struct uplink *u = uplink_of(p);
	struct uplink_queue *uq = &u->queue[q];

	if (unlikely(++uq->n_bursts % BURSTS_LOOK == 0))
		missed_count(u, q);
	/* Some drivers give nothing to who asks for less than they take out at a time. */
	uq->n_held = rte_eth_rx_burst(u->dev.id, (uint16_t)q, uq->held, BURST_MAX);
	if (uq->n_held)
		mbufs_to_frames(b, uq->held, uq->n_held, &u->dev.rx);
	return uq->n_held;
}

void uplink_rx_done(struct port *p, unsigned q, struct burst *b)
{
	struct uplink_queue *uq = &uplink_of(p)->queue[q];

	rte_pktmbuf_free_bulk(uq->held, uq->n_held);
	uq->n_held = 0;
}

/* Packets on their way to a queue, and which deliveries they are: all of one packet each. */
struct staged {
	struct uplink *u;
	uint16_t q;
	const struct frame *frames;
	const struct delivery *d;
	struct port_counters *c;
	struct rte_mbuf *m[BURST_MAX];
	unsigned n;
	unsigned settled;	     /* deliveries before this one are */
	unsigned n_after[BURST_MAX]; /* packets staged once this delivery was */
	bool too_long[BURST_MAX];
	bool offloads;
};

static void count_sent(struct staged *s, unsigned i)
{
	s->c->tx_frames++;
	s->c->tx_bytes += delivery_len(&s->frames[s->d[i].frame], &s->d[i]);
}

/* Gives m[0..n-1] to the device; what it does not take is freed. *refused: the first it did not want
 * is none that it ever will. */
static unsigned give(struct staged *s, struct rte_mbuf **m, unsigned n, bool *refused)
{
	unsigned n_sane = n, sent;

	*refused = false;
	if (unlikely(s->offloads))
		n_sane = rte_eth_tx_prepare(s->u->dev.id, s->q, m, (uint16_t)n);
	sent = rte_eth_tx_burst(s->u->dev.id, s->q, m, (uint16_t)n_sane);
	if (unlikely(sent < n)) {
		*refused = sent == n_sane;
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	}
	return sent;
}

/* Sends what is staged for the deliveries before `end`. False: they are not all settled. */
static bool flush(struct staged *s, unsigned end)
{
	bool refused = false;
	unsigned sent = s->n ? give(s, s->m, s->n, &refused) : 0, n = s->n;

	s->n = 0;
	for (; s->settled < end; s->settled++) {
		if (s->too_long[s->settled]) {
			s->c->tx_drops[TX_TOO_LONG]++;
		} else if (s->n_after[s->settled] <= sent) {
			count_sent(s, s->settled);
		} else if (refused && sent < n) {
			/* The rest is tried again by the switch. */
			s->c->tx_drops[TX_HOST_REFUSED]++;
			s->settled++;
			return s->settled == end;
		} else {
			return false;
		}
	}
	return true;
}

/* Sends packets that belong together. How many went; the others are freed. */
static unsigned send_all(struct staged *s, struct rte_mbuf **m, unsigned n)
{
	unsigned sent = 0;

	for (unsigned i = 0; i < TRIES && sent < n; i++) {
		unsigned ready = n - sent;

		if (s->offloads)
			ready = rte_eth_tx_prepare(s->u->dev.id, s->q, m + sent, (uint16_t)ready);
		sent += rte_eth_tx_burst(s->u->dev.id, s->q, m + sent, (uint16_t)ready);
		if (sent < n)
			hot_pause();
	}
	if (sent < n)
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	return sent;
}

/* Delivery i, which becomes several packets. False: nothing of it was sent. */
static bool send_cut(struct staged *s, unsigned i, struct mbufs_out *o)
{
	unsigned left = mbufs_n(o), n = 0, sent;
	struct rte_mbuf *m[BURST_MAX];
	bool any = false;

	while (left) {
		m[n] = mbufs_next(o, NULL);
		if (unlikely(!m[n])) {
			rte_pktmbuf_free_bulk(m, n);
			break;
		}
		left--;
		if (++n < BURST_MAX && left)
			continue;
		sent = send_all(s, m, n);
		any |= sent > 0;
		if (sent < n)
			break;
		n = 0;
		if (!left) {
			count_sent(s, i);
			return true;
		}
	}
	/* What is partly gone cannot be tried again. */
	if (any)
		s->c->tx_drops[TX_RING_FULL]++;
	return any;
}

unsigned uplink_tx_burst(struct port *p, unsigned q, const struct frame *frames,
			 const struct delivery *d, unsigned n, struct port_counters *c)
{
	struct uplink *u = uplink_of(p);
	const uint32_t len_max = atomic_load_explicit(&u->len_max, memory_order_relaxed);
	struct staged s = {.u = u, .q = (uint16_t)q, .frames = frames, .d = d, .c = c};
	struct rte_mbuf *spare[BURST_MAX];
	struct mbufs_out out;
	unsigned i, n_spare = mbufs_take(u->dev.tx.pool, spare, n) ? n : 0;

	for (i = 0; i < n; i++) {
		const struct frame *f = &frames[d[i].frame];

		s.too_long[i] = f->wire_len + (uint32_t)delivery_shift(&d[i]) > len_max;
		s.n_after[i] = s.n;
		if (unlikely(s.too_long[i]))
			continue;
		mbufs_begin(&out, &u->dev.tx, f, &d[i]);
		s.offloads |= out.offloads != 0;
		if (unlikely(mbufs_n(&out) > 1)) {
			if (!flush(&s, i) || !send_cut(&s, i, &out))
				break;
			s.settled = i + 1;
			continue;
		}
		s.m[s.n] = mbufs_next(&out, n_spare ? spare[--n_spare] : NULL);
		if (unlikely(!s.m[s.n]))
			break;
		s.n_after[i] = ++s.n;
	}
	flush(&s, i);
	if (n_spare)
		rte_pktmbuf_free_bulk(spare, n_spare);
	return s.settled;
}

bool uplink_arm(struct port *p, unsigned q)
{
	struct uplink *u = uplink_of(p);
	struct pollfd fd = {.fd = u->dev.kick_fd[q], .events = POLLIN};

	missed_count(u, q);
	if (u->dev.rx_interrupts) {
		atomic_store_explicit(&u->queue[q].armed, true, memory_order_relaxed);
		rte_eth_dev_rx_intr_enable(u->dev.id, (uint16_t)q);
		return rte_eth_rx_queue_count(u->dev.id, (uint16_t)q) > 0;
	}
	return fd.fd >= 0 && poll(&fd, 1, 0) > 0 && fd.revents & POLLIN;
}

void uplink_disarm(struct port *p, unsigned q)
{
	struct uplink *u = uplink_of(p);

	if (!atomic_load_explicit(&u->queue[q].armed, memory_order_relaxed))
		return;
	atomic_store_explicit(&u->queue[q].armed, false, memory_order_relaxed);
	rte_eth_dev_rx_intr_disable(u->dev.id, (uint16_t)q);
}
