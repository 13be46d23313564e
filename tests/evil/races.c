/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests that rewrite what is being read, and that never stop kicking.
 */
#include <pthread.h>
#include <stdio.h>

#include "tests/evil/raw.h"
#include "tests/flipper.h"

#define FLIPS	    10000000
#define FLIPS_BURST 500 /* that there must be a burst for, at least */

/* Where bits are flipped. */
enum { F_HEADERS, F_DESCRIPTORS, F_TABLES, F_AVAIL, F_ALL };

static uint8_t *place(const struct flipper *x, uint64_t r)
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
	struct flipper x = {.place = place, .r = 88172645463325252ull + s->c->arg, .where = s->c->arg};
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	uint64_t n_flips = s->n_flips ? s->n_flips : FLIPS;
	unsigned n_resets = 0, k;

	x.fe = evil_attacker(s, (struct fe_opts){0});
	frames_prepare(x.fe);
	flipper_start(&x);
	for (k = 0; k < n_flips / FLIPS_BURST || atomic_load(&x.n) < n_flips; k++) {
		if (!flipper_burst(x.fe, 1 + k % 32)) {
			flipper_stop(&x);
			if (fe_reset(x.fe) < 0)
				evil_fail(s, "the front end could not reset its device");
			evil_await(s, "up", NULL);
			flipper_errored(x.fe);
			n_resets++;
			frames_prepare(x.fe);
			flipper_start(&x);
		}
		for (unsigned i = 0; i < 4; i++) /* into the buffers that are flipped */
			fe_send(peer, 0, answer, sizeof(answer));
		neighbour_take(s, peer);
	}
	flipper_stop(&x);
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
