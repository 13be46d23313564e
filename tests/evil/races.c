/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests that rewrite what is being read, and that never stop kicking.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/evil/raw.h"

#define FLIPS	    10000000
#define FLIPS_BURST 500 /* that there must be a burst for, at least */

/* Where bits are flipped. */
enum { F_HEADERS, F_DESCRIPTORS, F_TABLES, F_AVAIL, F_ALL };

struct flipper {
	struct fe *fe;
	unsigned where;
	atomic_bool stop;
	_Atomic uint64_t n;
	uint64_t r;
	pthread_t thread;
};

static uint64_t rng(uint64_t *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return *r;
}

/* The place of the next flip. What makes the switch stop the ring is hit now and then only, or nothing
 * else would ever be tried. */
static uint8_t *place(struct flipper *x, uint64_t r)
{
	const struct fe_ring *tx = &x->fe->rings[TX_RING], *rx = &x->fe->rings[RX_RING];
	unsigned slot = (unsigned)(r >> 33) & 255, where = x->where;

	if (where == F_ALL)
		where = (unsigned)(r >> 50) & 3;
	switch (where) {
	case F_HEADERS:
		return tx->bufs + (size_t)slot * tx->stride + (r >> 41 & 63);
	case F_TABLES: /* lengths mostly */
		return (uint8_t *)&tx->indirect[2 * slot] + (r >> 20 & 0x3ff ? 8 : r >> 41 & 31);
	case F_AVAIL:
		return r >> 20 & 0x3fff ? (uint8_t *)&(r & 1 ? tx : rx)->avail->ring[slot]
					: (uint8_t *)&(r & 1 ? tx : rx)->avail->idx;
	default:
		return (uint8_t *)&(r & 1 ? tx : rx)->desc[slot] +
		       (r >> 20 & 0x3fff ? 8 : r >> 41 & 15);
	}
}

static void *flip(void *arg)
{
	struct flipper *x = arg;

	while (!atomic_load_explicit(&x->stop, memory_order_relaxed)) {
		for (unsigned i = 0; i < 64; i++) {
			uint64_t r = rng(&x->r);

			__atomic_fetch_xor(place(x, r), (uint8_t)(1u << (r >> 55 & 7)),
					   __ATOMIC_RELAXED);
		}
		atomic_fetch_add(&x->n, 64);
		sched_yield();
	}
	return NULL;
}

static void flipper_run(struct flipper *x, bool on)
{
	if (on) {
		atomic_store(&x->stop, false);
		pthread_create(&x->thread, NULL, flip, x);
	} else {
		atomic_store(&x->stop, true);
		pthread_join(x->thread, NULL);
	}
}

/* A ring full of good frames; half of them in indirect tables. */
static void frames_prepare(struct fe *fe)
{
	struct fe_ring *r = &fe->rings[TX_RING];

	for (unsigned i = 0; i < r->size; i++) {
		uint64_t gpa = raw_frame(fe, i);

		r->avail->ring[i] = (uint16_t)i;
		if (i % 2) {
			raw_desc(fe, TX_RING, i, gpa, 64 + i * 4, 0, 0);
			continue;
		}
		r->indirect[2 * i] = (struct vring_desc){gpa, fe->hdr_len, VRING_DESC_NEXT, 1};
		r->indirect[2 * i + 1] = (struct vring_desc){gpa + fe->hdr_len, 60, 0, 0};
		raw_desc(fe, TX_RING, i, fe_gpa(fe, &r->indirect[2 * i]), 32, VRING_DESC_INDIRECT,
			 0);
	}
}

static bool errored(struct fe *fe)
{
	uint64_t n;

	return read(fe->rings[RX_RING].err_fd, &n, sizeof(n)) > 0 ||
	       read(fe->rings[TX_RING].err_fd, &n, sizeof(n)) > 0;
}

/* Publishes n frames once there is room and gives all receive buffers back; false: stopped. */
static bool burst(struct fe *fe, unsigned n)
{
	struct fe_ring *r = &fe->rings[TX_RING], *rx = &fe->rings[RX_RING];
	uint64_t end_ns = loop_now_ns() + 200 * MS_NS;

	__atomic_store_n(&rx->avail->idx,
			 (uint16_t)(__atomic_load_n(&rx->used->idx, __ATOMIC_ACQUIRE) + rx->size),
			 __ATOMIC_RELEASE);
	while ((uint16_t)(r->next_avail + n - __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE)) >
	       r->size) {
		if (errored(fe) || loop_now_ns() > end_ns)
			return false;
		fe_kick(fe, TX_RING);
		sched_yield();
	}
	raw_idx(fe, TX_RING, n);
	return true;
}

/* Whatever reaches the neighbour must be whole, and ask for nothing that it did not agree to. */
static void neighbour_take(struct scene *s, struct fe *peer)
{
	static uint8_t got[65600];
	struct vnet_hdr hdr;
	int n;

	while ((n = fe_recv_hdr(peer, 0, &hdr, got, sizeof(got))) >= 0)
		if (n < 14 || hdr.flags || hdr.gso_type)
			evil_fail(
				s,
				"the neighbour got a frame of %d bytes with flags %u and gso type %u",
				n, hdr.flags, hdr.gso_type);
}

static void flips(struct scene *s)
{
	static const uint8_t answer[60] = EVIL_MAC "\x02\0\0\0\xe0\3\x88\xb6";
	struct flipper x = {.r = 88172645463325252ull + s->c->arg, .where = s->c->arg};
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	uint64_t n_flips = s->n_flips ? s->n_flips : FLIPS;
	unsigned n_resets = 0, k;

	x.fe = evil_attacker(s, (struct fe_opts){0});
	frames_prepare(x.fe);
	flipper_run(&x, true);
	for (k = 0; k < n_flips / FLIPS_BURST || atomic_load(&x.n) < n_flips; k++) {
		if (!burst(x.fe, 1 + k % 32)) {
			flipper_run(&x, false);
			if (fe_reset(x.fe) < 0)
				evil_fail(s, "the front end could not reset its device");
			evil_await(s, "up", NULL);
			errored(x.fe);
			n_resets++;
			frames_prepare(x.fe);
			flipper_run(&x, true);
		}
		for (unsigned i = 0; i < 4; i++) /* into the buffers that are flipped */
			fe_send(peer, 0, answer, sizeof(answer));
		neighbour_take(s, peer);
	}
	flipper_run(&x, false);
	if (fe_reset(x.fe) < 0)
		evil_fail(s, "the front end could not reset its device");
	evil_await(s, "up", NULL);
	snprintf(s->report->said, sizeof(s->report->said),
		 "%lu bits flipped under %u bursts, %lu frames read, %u resets",
		 (unsigned long)atomic_load(&x.n), k,
		 (unsigned long)evil_counter(s, EVIL_PORT, "rx_frames"), n_resets);
}

#define KICKS 1000000

static void *kicker(void *arg)
{
	for (unsigned i = 0; i < KICKS / 2; i++)
		fe_kick(arg, TX_RING);
	return NULL;
}

static void kicks(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	pthread_t t[2];

	for (unsigned i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, kicker, fe);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

const struct evil_case evil_races[] = {
	{"flips-headers", "10^7 bits of virtio-net headers and frames flipped while they are read",
	 "frames are forwarded or dropped; what arrives asks for nothing that was not agreed; a driver's reset heals",
	 flips, NULL, NULL, F_HEADERS},
	{"flips-descriptors", "10^7 bits of descriptors flipped while they are read",
	 "the port is errored now and then; a driver's reset heals it each time", flips, NULL, NULL,
	 F_DESCRIPTORS},
	{"flips-tables", "10^7 bits of indirect tables flipped while they are read",
	 "the port is errored now and then; a driver's reset heals it each time", flips, NULL, NULL,
	 F_TABLES},
	{"flips-available", "10^7 bits of the available rings flipped while they are read",
	 "the port is errored now and then; a driver's reset heals it each time", flips, NULL, NULL,
	 F_AVAIL},
	{"flips-all", "10^7 bits of all of these flipped while they are read",
	 "the port is errored now and then; a driver's reset heals it each time", flips, NULL, NULL,
	 F_ALL},
	{"kicks", "10^6 kicks as fast as two threads can", "the port stays up; nobody else waits",
	 kicks, "up", NULL},
	{0},
};
