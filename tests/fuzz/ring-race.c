/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Split rings whose guest writes to them while they are walked: another thread flips bits of the ring, the
 * table and the headers, all the time.
 *
 * How      Nothing can be said of what is taken; but that it is no more than there can be, that its pieces
 *          are guest memory (the address sanitizer looks) and together as long as the frame, and that
 *          what is delivered is counted.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "tests/fuzz/ring_world.h"

static struct world w;
static atomic_uint asked, flipping; /* rounds: to be done, and under way; even: none */

/* A byte that the switch reads: of descriptors, the available ring, the table, a header. */
static volatile uint8_t *place(uint64_t x, uint8_t *ring, uint8_t *data)
{
	switch (x % 8) {
	case 0:
		return &ring[0x800 + x / 8 % 0x30];
	case 1:
		return &ring[0x1000 + x / 8 % 0x100];
	case 2:
		return &data[0x1000 + x / 8 % 4 * 0x700 + x / 32 % 80];
	default:
		return &ring[x / 8 % 0x80];
	}
}

/*
 * Flips one bit to and fro as fast as it goes, for a while, then another one: between two looks at a field
 * there are a few nanoseconds. Some stay flipped.
 */
static void round_flip(unsigned round, uint8_t *ring, uint8_t *data)
{
	uint64_t x = round * 0x9e3779b97f4a7c15ull;

	while (atomic_load_explicit(&asked, memory_order_relaxed) == round) {
		volatile uint8_t *at;
		uint8_t mask;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		at = place(x >> 8, ring, data);
		mask = (uint8_t)(1u << x % 8);
		for (unsigned i = 0; i < 400 + (x >> 60 == 0); i++)
			*at ^= mask;
	}
}

static void *mutator(void *arg)
{
	uint8_t *ring = ring_scene_at(&w.scene, WORLD_RING),
		*data = ring_scene_at(&w.scene, WORLD_GPA);

	for (;;) {
		unsigned round = atomic_load(&asked);

		if (round % 2) {
			atomic_store(&flipping, round);
			round_flip(round, ring, data);
			atomic_store(&flipping, round + 1);
		} else {
			sched_yield();
		}
	}
	return NULL;
}

static void frame_look(const struct frame *f)
{
	static uint8_t out[FRAME_MAX];
	uint32_t at = f->head_len;

	FUZZ_CHECK(f->head_len <= FRAME_HEAD, "%u", f->head_len);
	if (f->len > FRAME_MAX) {
		FUZZ_CHECK(f->drop == RX_TOO_LONG, "%u", f->len);
		return;
	}
	FUZZ_CHECK(f->wire_len <= f->len, "%u of %u", f->wire_len, f->len);
	for (unsigned i = 0; i < f->n_segs; at += f->segs[i++].len) {
		FUZZ_CHECK(at + f->segs[i].len <= f->len, "piece %u of a frame of %u", i, f->len);
		memcpy(out, f->segs[i].va, f->segs[i].len);
	}
	FUZZ_CHECK(at == f->len, "%u bytes of %u", at, f->len);
}

static void burst_take(void)
{
	struct burst *b = &w.scene.burst;
	unsigned n;

	b->n_segs = 0;
	n = vu_ring_rx(&w.scene.ring, b);
	FUZZ_CHECK(n <= BURST_MAX && n <= w.state.num, "%u frames", n);
	FUZZ_CHECK(b->n_segs <= BURST_SEGS, "%u pieces", b->n_segs);
	for (unsigned i = 0; i < n; i++)
		frame_look(&b->frames[i]);
	if (n)
		vu_ring_rx_done(&w.scene.ring);
}

static void burst_deliver(struct input *in)
{
	static struct burst b;
	struct delivery d[BURST_MAX];
	unsigned n = world_frames(in, &b, d), settled;
	uint64_t sum = 0;

	memset(&w.scene.c, 0, sizeof(w.scene.c));
	settled = vu_ring_tx(&w.scene.ring, b.frames, d, n, &w.scene.c);
	sum = w.scene.c.tx_frames;
	for (unsigned i = 0; i < N_TX_DROPS; i++)
		sum += w.scene.c.tx_drops[i];
	FUZZ_CHECK(settled <= n && sum == settled, "%u of %u settled, %u counted", settled, n,
		   (unsigned)sum);
}

static void avail_more(void)
{
	struct vring_avail *a = w.scene.ring.avail;

	for (unsigned i = 0; i < w.state.num; i++)
		a->ring[i] = (uint16_t)i;
	a->idx = (uint16_t)(w.scene.ring.last_avail + w.state.num);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	static pthread_t thread;
	unsigned round;

	w.scene.compared = 1; /* nothing is */
	world_begin(&w, &in);
	if (!thread)
		pthread_create(&thread, NULL, mutator, NULL);
	round = atomic_fetch_add(&asked, 1) + 1;
	for (unsigned i = 0; i < 100 && atomic_load(&flipping) != round; i++)
		sched_yield();
	for (unsigned i = 0; i < 32; i++) {
		avail_more();
		if (w.sends)
			burst_take();
		else
			burst_deliver(&in);
		if (w.scene.ring.fault)
			world_start(&w);
	}
	atomic_fetch_add(&asked, 1);
	/* Nobody may write when memory is made anew. */
	while (atomic_load(&flipping) == round)
		sched_yield();
	return 0;
}
