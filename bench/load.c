/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Load for a switch between two vhost-user ports, both ways, from one core.
 *
 * What     Two front ends with rings of their own exchange frames of one size as fast as the back end
 *          takes them, and print one JSON line: Mframes/s delivered, both directions together, the
 *          share of tries that found the transmit ring full (high: the switch was the
 *          bottleneck; below 5 %: the load was), and frames lost.
 * How      Nearly free for each frame: buffers are filled once, descriptors are used in ring order,
 *          and only what --touch says is written and read again.
 * Limits   split rings, one queue pair a port, one descriptor a frame.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/loop.h"
#include "tests/front_end.h"

#define BURST 32

enum touch { TOUCH_NONE, TOUCH_FIRST, TOUCH_ALL };

struct side {
	struct fe *fe;
	struct fe_ring *rx, *tx;
	uint16_t n_in_flight; /* sent and not given back */
	uint64_t n_sent, n_received, n_tries, n_full;
};

struct load {
	const char *path[2];
	bool server;
	uint32_t size; /* bytes of a frame */
	uint16_t ring;
	double seconds;
	enum touch touch;
	int cpu;
	struct side side[2];
	uint64_t sum; /* of what was read, so that it is */
};

static void frame_init(uint8_t *f, uint8_t dst, uint8_t src, uint32_t size)
{
	memset(f, 0xa5, size);
	memset(f, 0, 12);
	f[0] = f[6] = 2;
	f[5] = dst;
	f[11] = src;
	f[12] = 0x88;
	f[13] = 0xb5;
}

/* Fills all transmit buffers and descriptors, once. */
static void side_init(struct load *l, unsigned i)
{
	struct side *s = &l->side[i];
	struct fe *fe = s->fe;

	s->rx = &fe->rings[0];
	s->tx = &fe->rings[1];
	for (uint16_t k = 0; k < s->tx->size; k++) {
		uint8_t *buf = s->tx->bufs + (size_t)k * fe->stride;

		memset(buf, 0, fe->hdr_len);
		frame_init(buf + fe->hdr_len, (uint8_t)(2 - i), (uint8_t)(1 + i), l->size);
		s->tx->desc[k] = (struct vring_desc){
			.addr = fe_gpa(fe, buf),
			.len = fe->hdr_len + l->size,
		};
		s->tx->avail->ring[k] = k;
	}
}

static void kick_if_wanted(struct fe *fe, unsigned ring, uint16_t old)
{
	struct fe_ring *r = &fe->rings[ring];
	uint16_t event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (fe->features & VU_BIT(VIRTIO_RING_F_EVENT_IDX)) {
		event = __atomic_load_n((uint16_t *)&r->used->ring[r->size], __ATOMIC_RELAXED);
		if ((uint16_t)(r->next_avail - event - 1) >= (uint16_t)(r->next_avail - old))
			return;
	} else if (__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) & VRING_USED_NO_NOTIFY) {
		return;
	}
	fe_kick(fe, ring);
}

static void buffer_write(struct load *l, struct side *s, uint16_t slot)
{
	uint8_t *f = s->tx->bufs + (size_t)slot * s->fe->stride + s->fe->hdr_len;
	uint32_t seq = (uint32_t)s->n_sent;

	memset(f - s->fe->hdr_len, 0, s->fe->hdr_len);
	memcpy(f + 14, &seq, sizeof(seq));
	for (uint32_t at = 64; l->touch == TOUCH_ALL && at < l->size; at += 64)
		f[at] = (uint8_t)seq;
}

static void side_send(struct load *l, struct side *s, unsigned max)
{
	uint16_t used = __atomic_load_n(&s->tx->used->idx, __ATOMIC_ACQUIRE), old = s->tx->next_avail;
	unsigned n;

	s->n_in_flight = (uint16_t)(old - used);
	n = s->tx->size - s->n_in_flight;
	s->n_tries++;
	s->n_full += n < max;
	if (n > max)
		n = max;
	if (!n)
		return;
	for (unsigned i = 0; i < n; i++) {
		if (l->touch != TOUCH_NONE)
			buffer_write(l, s, (uint16_t)(old + i) & (s->tx->size - 1));
		s->n_sent++;
	}
	s->tx->next_avail = (uint16_t)(old + n);
	__atomic_store_n(&s->tx->avail->idx, s->tx->next_avail, __ATOMIC_RELEASE);
	kick_if_wanted(s->fe, 1, old);
}

static unsigned side_receive(struct load *l, struct side *s)
{
	struct fe_ring *r = s->rx;
	uint16_t used = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE), old = r->next_avail;
	unsigned n = (uint16_t)(used - r->last_used);

	for (unsigned i = 0; i < n; i++) {
		uint16_t at = (uint16_t)(r->last_used + i) & (r->size - 1);
		uint16_t id = (uint16_t)r->used->ring[at].id;

		if (l->touch != TOUCH_NONE) {
			const uint8_t *f = r->bufs + (size_t)id * s->fe->stride + s->fe->hdr_len;

			l->sum += f[14];
			for (uint32_t k = 64; l->touch == TOUCH_ALL && k < l->size; k += 64)
				l->sum += f[k];
		}
		r->avail->ring[(uint16_t)(old + i) & (r->size - 1)] = id;
	}
	if (!n)
		return 0;
	r->last_used = used;
	r->next_avail = (uint16_t)(old + n);
	__atomic_store_n(&r->avail->idx, r->next_avail, __ATOMIC_RELEASE);
	s->n_received += n;
	return n;
}

static void run(struct load *l, double seconds)
{
	uint64_t end_ns = loop_now_ns() + (uint64_t)(seconds * 1e9);

	while (loop_now_ns() < end_ns)
		for (unsigned i = 0; i < 64; i++)
			for (unsigned k = 0; k < 2; k++) {
				side_receive(l, &l->side[k]);
				side_send(l, &l->side[k], BURST);
			}
}

/* Waits until nothing is in flight any more; returns frames that never arrived. */
static uint64_t drain(struct load *l)
{
	uint64_t quiet_ns = loop_now_ns() + 200 * MS_NS;

	while (loop_now_ns() < quiet_ns)
		if (side_receive(l, &l->side[0]) + side_receive(l, &l->side[1]))
			quiet_ns = loop_now_ns() + 200 * MS_NS;
	return l->side[0].n_sent + l->side[1].n_sent - l->side[0].n_received -
	       l->side[1].n_received;
}

/* Both addresses must be known before the clock starts, or the peer floods. */
static void warm_up(struct load *l)
{
	for (unsigned i = 0; i < 4; i++) {
		side_send(l, &l->side[0], 1);
		side_send(l, &l->side[1], 1);
		drain(l);
	}
	run(l, 0.2);
	drain(l);
	for (unsigned i = 0; i < 2; i++)
		l->side[i].n_sent = l->side[i].n_received = l->side[i].n_tries = l->side[i].n_full = 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: load --path A --path B [--server] [--size 60] [--ring 256] "
			"[--seconds 2] [--touch none|first|all] [--cpu N]\n");
	return 2;
}

static int options(struct load *l, int argc, char **argv)
{
	static const struct option longs[] = {
		{"path", 1, 0, 'p'}, {"server", 0, 0, 'S'}, {"size", 1, 0, 's'},
		{"ring", 1, 0, 'r'}, {"seconds", 1, 0, 't'}, {"touch", 1, 0, 'w'},
		{"cpu", 1, 0, 'c'},  {0},
	};
	unsigned n = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'p' && n < 2)
			l->path[n++] = optarg;
		else if (c == 'S')
			l->server = true;
		else if (c == 's')
			l->size = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			l->ring = (uint16_t)strtoul(optarg, NULL, 10);
		else if (c == 't')
			l->seconds = strtod(optarg, NULL);
		else if (c == 'w')
			l->touch = !strcmp(optarg, "all")   ? TOUCH_ALL :
				   !strcmp(optarg, "first") ? TOUCH_FIRST : TOUCH_NONE;
		else if (c == 'c')
			l->cpu = (int)strtol(optarg, NULL, 10);
		else
			return usage();
	}
	return n == 2 && l->size >= 60 && l->size <= 1900 ? 0 : usage();
}

int main(int argc, char **argv)
{
	struct load l = {.size = 60, .ring = 256, .seconds = 2, .cpu = -1};
	struct err err = ERR_NONE;
	uint64_t start_ns, ns, n, tries, lost;
	cpu_set_t set;

	if (options(&l, argc, argv))
		return 2;
	CPU_ZERO(&set);
	if (l.cpu >= 0) {
		CPU_SET(l.cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct fe_opts o = {.path = l.path[i], .server = l.server, .ring_size = l.ring};

		if (fe_open(&o, &l.side[i].fe, &err) < 0) {
			fprintf(stderr, "load: %s\n", err.text);
			return 1;
		}
		side_init(&l, i);
	}
	warm_up(&l);
	start_ns = loop_now_ns();
	run(&l, l.seconds);
	ns = loop_now_ns() - start_ns;
	n = l.side[0].n_received + l.side[1].n_received;
	tries = l.side[0].n_tries + l.side[1].n_tries;
	lost = drain(&l);
	printf("{\"mframes_s\": %.3f, \"size\": %u, \"ring_full_share\": %.3f, \"lost\": %llu}\n",
	       (double)n * 1e3 / (double)ns, l.size,
	       (double)(l.side[0].n_full + l.side[1].n_full) / (double)tries,
	       (unsigned long long)lost);
	fe_close(l.side[0].fe);
	fe_close(l.side[1].fe);
	return 0;
}
