/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings by themselves, without switch, socket or front end: what takes 65,536 entries to happen, and
 * layouts that no driver here makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vhost-user/vu_ring.h"

#define N    4	     /* entries of a ring */
#define GPA  0x10000 /* of struct guest */
#define V1   (VU_BIT(VIRTIO_F_VERSION_1) | VU_BIT(VIRTIO_RING_F_EVENT_IDX))

/* A guest's memory: one ring, a buffer an entry, and a table. */
struct guest {
	struct vring_desc desc[N];
	struct vring_desc table[N];
	struct {
		struct vring_avail h;
		uint16_t ring[N], used_event;
	} avail;
	struct {
		struct vring_used h;
		struct vring_used_elem ring[N];
		uint16_t avail_event;
	} used __attribute__((aligned(4)));
	uint8_t buf[N][2048];
};

struct scene {
	struct guest *guest;
	struct vu_mem mem;
	struct vu_ring ring;
	struct vu_ring_state state;
	struct burst burst;
	struct port_counters c;
};

static uint64_t gpa_of(const struct scene *s, const void *at)
{
	return GPA + (uint64_t)((const uint8_t *)at - (const uint8_t *)s->guest);
}

static int scene_setup(void **state)
{
	struct scene *s = aligned_alloc(64, (sizeof(*s) + 63) / 64 * 64);
	struct guest *g = aligned_alloc(64, (sizeof(*g) + 63) / 64 * 64);

	memset(s, 0, sizeof(*s));
	memset(g, 0, sizeof(*g));
	s->guest = g;
	s->mem.n = 1;
	s->mem.regions[0] = (struct vu_region){
		.gpa = GPA, .size = sizeof(*g), .uva = (uintptr_t)g, .va = (uint8_t *)g};
	s->state = (struct vu_ring_state){
		.num = N,
		.addr = {.desc = (uintptr_t)g->desc, .avail = (uintptr_t)&g->avail,
			 .used = (uintptr_t)&g->used},
	};
	s->ring.call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*state = s;
	return 0;
}

static int scene_teardown(void **state)
{
	struct scene *s = *state;

	close(s->ring.call_fd);
	free(s->guest);
	free(s);
	return 0;
}

static void ring_start(struct scene *s, uint64_t features)
{
	struct err err = ERR_NONE;

	if (vu_ring_start(&s->ring, &s->state, features, &s->mem, &err) < 0)
		fail_msg("%s", err.text);
}

static void desc(struct scene *s, struct vring_desc *d, const void *at, uint32_t len, uint16_t flags,
		 uint16_t next)
{
	*d = (struct vring_desc){gpa_of(s, at), len, flags, next};
}

static void avail_push(struct scene *s, uint16_t head)
{
	struct vring_avail *a = &s->guest->avail.h;

	s->guest->avail.ring[a->idx % N] = head;
	a->idx++;
}

/* The guest makes receive buffer 0 available, and one frame of 60 bytes is put into it. */
static void deliver_one(struct scene *s)
{
	const struct delivery d = {.as_is = true, .off = 12};
	struct frame *f = &s->burst.frames[0];

	f->len = f->head_len = 60;
	desc(s, &s->guest->desc[0], s->guest->buf[0], 2048, VRING_DESC_WRITE, 0);
	avail_push(s, 0);
	vu_ring_tx(&s->ring, s->burst.frames, &d, 1, &s->c);
}

static bool called(struct scene *s)
{
	uint64_t n;

	return read(s->ring.call_fd, &n, sizeof(n)) == sizeof(n);
}

static void event_is_met_however_long_nobody_was_called(void **state)
{
	struct scene *s = *state;

	ring_start(s, V1);
	deliver_one(s);
	assert_true(called(s)); /* the first one always calls */
	/* The guest polls, for longer than indices are wide … */
	s->guest->avail.used_event = 0x8000;
	for (unsigned i = 0; i < 0x8000 - 1; i++)
		deliver_one(s);
	assert_false(called(s));
	s->guest->avail.used_event = 0;
	for (unsigned i = 0; i < 0x8000; i++)
		deliver_one(s);
	assert_int_equal(s->guest->used.h.idx, 0);
	assert_false(called(s));
	/* … and sleeps: the entry after this index is the one that it wants to hear of. */
	deliver_one(s);
	assert_true(called(s));
	deliver_one(s);
	assert_false(called(s));
	assert_int_equal(s->c.tx_frames, 0x10000 + 2);
}

static void chain_may_end_in_a_table(void **state)
{
	struct scene *s = *state;
	struct guest *g = s->guest;
	struct frame *f = &s->burst.frames[0];

	for (unsigned i = 0; i < 100; i++)
		g->buf[0][VNET_HDR + i] = (uint8_t)i;
	desc(s, &g->desc[2], g->buf[0], VNET_HDR, VRING_DESC_NEXT, 1);
	desc(s, &g->desc[1], g->table, 2 * sizeof(g->table[0]), VRING_DESC_INDIRECT | VRING_DESC_WRITE,
	     0);
	desc(s, &g->table[0], g->buf[0] + VNET_HDR, 30, VRING_DESC_NEXT, 1);
	desc(s, &g->table[1], g->buf[0] + VNET_HDR + 30, 70, 0, 0);
	ring_start(s, V1 | VU_BIT(VIRTIO_RING_F_INDIRECT_DESC));
	avail_push(s, 2);
	assert_int_equal(vu_ring_rx(&s->ring, &s->burst), 1);
	assert_int_equal(f->len, 100);
	assert_memory_equal(f->head, g->buf[0] + VNET_HDR, FRAME_HEAD);
	assert_int_equal(f->n_segs, 1);
	assert_ptr_equal(f->segs[0].va, g->buf[0] + VNET_HDR + FRAME_HEAD);
	vu_ring_rx_done(&s->ring);
	assert_int_equal(g->used.ring[0].id, 2);
}

static void nothing_follows_a_table(void **state)
{
	struct scene *s = *state;
	struct guest *g = s->guest;

	desc(s, &g->desc[0], g->buf[0], 50, VRING_DESC_NEXT, 1);
	desc(s, &g->desc[1], g->table, sizeof(g->table[0]), VRING_DESC_INDIRECT | VRING_DESC_NEXT, 0);
	ring_start(s, V1 | VU_BIT(VIRTIO_RING_F_INDIRECT_DESC));
	avail_push(s, 0);
	assert_int_equal(vu_ring_rx(&s->ring, &s->burst), 0);
	assert_int_equal(s->ring.fault, VU_FAULT_INDIRECT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(event_is_met_however_long_nobody_was_called),
		T(chain_may_end_in_a_table),
		T(nothing_follows_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
