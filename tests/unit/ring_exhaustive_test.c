/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All rings of up to four entries, as far as they differ for who walks them: the walk ends, touches no other
 * memory, and takes or delivers what a naive walk says, or finds the same fault.
 *
 * What     One descriptor with every boundary of each of its fields; two, with most of them; four
 *          that lead to each other in every way; tables; all 65,536 values of the indices.
 * How      tests/unit/ring_scene.h compares. Guest memory is two regions, of which the first is large enough
 *          for a window (VU_WINDOW_NEAR) of one page, so that the short ways are walked too.
 * Limits   under sanitizers, which take many times as long, every tenth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/ring_scene.h"

#define GPA	  0x10000ull
#define NEAR	  0x1000u
#define SIZE	  (VU_WINDOW_NEAR + NEAR)
#define NEXT_GPA  (GPA + SIZE) /* of the region that goes on there */
#define NEXT_SIZE 0x1000u
#define DESC	  NEXT_GPA
#define AVAIL	  (NEXT_GPA + 0x100)
#define USED	  (NEXT_GPA + 0x200)
#define TABLE	  (NEXT_GPA + 0x400)
#define END	  (NEXT_GPA + NEXT_SIZE)
#define FAR	  (GPA + 0x1800) /* not in the window, but in its region */

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

#ifdef __SANITIZE_ADDRESS__
#define EVERY 10
#else
#define EVERY 1
#endif

static struct ring_scene scene;
static struct vring_desc *desc, *table;
static unsigned long n_tried, n_left_out;

static const uint64_t features[] = {
	0,
	VU_BIT(VIRTIO_F_VERSION_1),
	VU_BIT(VIRTIO_F_VERSION_1) | VU_BIT(VIRTIO_RING_F_INDIRECT_DESC),
	VU_BIT(VIRTIO_NET_F_MRG_RXBUF) | VU_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
		VU_BIT(VIRTIO_RING_F_EVENT_IDX),
};

/* What the guest has made available. */
struct shown {
	uint16_t size, used, avail, heads[4];
};

static int scene_make(void **state)
{
	ring_scene_region(&scene, GPA, SIZE);
	ring_scene_region(&scene, NEXT_GPA, NEXT_SIZE);
	scene.compared = 0x2000;
	scene.ring.call_fd = -1;
	desc = ring_scene_at(&scene, DESC);
	table = ring_scene_at(&scene, TABLE);
	return 0;
}

static int scene_free(void **state)
{
	ring_scene_free(&scene);
	return 0;
}

static int counts_reset(void **state)
{
	n_tried = n_left_out = 0;
	return 0;
}

static int counts_tell(void **state)
{
	printf("%lu rings\n", n_tried);
	return 0;
}

static void ring_begin(const struct shown *r, uint64_t feature_bits)
{
	const struct vu_ring_state state = {.num = r->size,
					    .addr = {.desc = DESC, .avail = AVAIL, .used = USED}};
	struct vring_avail *avail = ring_scene_at(&scene, AVAIL);
	struct err err = ERR_NONE;

	((struct vring_used *)ring_scene_at(&scene, USED))->idx = r->used;
	avail->idx = r->avail;
	for (unsigned i = 0; i < r->size; i++)
		avail->ring[(uint16_t)(r->used + i) % r->size] = r->heads[i];
	if (vu_ring_start(&scene.ring, &state, feature_bits, &scene.mem, &err) < 0)
		fail_msg("%s", err.text);
	ring_scene_sync(&scene);
}

static void fail_ring(const char *broken, const struct shown *r, uint64_t feature_bits)
{
	for (unsigned i = 0; i < r->size; i++)
		print_message("  %u: 0x%llx, %u bytes, flags %u, next %u\n", i,
			      (unsigned long long)desc[i].addr, desc[i].len, desc[i].flags,
			      desc[i].next);
	for (unsigned i = 0; i < 2; i++)
		print_message("  table %u: 0x%llx, %u bytes, flags %u, next %u\n", i,
			      (unsigned long long)table[i].addr, table[i].len, table[i].flags,
			      table[i].next);
	fail_msg("%s: ring of %u, features 0x%llx, used %u, available %u: %u %u %u %u", broken,
		 r->size, (unsigned long long)feature_bits, r->used, r->avail, r->heads[0],
		 r->heads[1], r->heads[2], r->heads[3]);
}

/* As a transmit ring, until nothing more comes of it. */
static void taken(const struct shown *r, uint64_t feature_bits)
{
	const char *broken = NULL;
	unsigned n = 1;

	ring_begin(r, feature_bits);
	for (unsigned i = 0; n && !broken; i++) {
		if (i > r->size)
			fail_ring("it never ends", r, feature_bits);
		broken = ring_scene_rx(&scene, &n);
	}
	if (broken)
		fail_ring(broken, r, feature_bits);
}

/* As a receive ring, for frames of 60, 14 and 100 bytes, the last in two pieces. */
static void delivered(const struct shown *r, uint64_t feature_bits)
{
	static uint8_t rest[36];
	static const uint32_t lens[] = {60, 14, 100};
	const struct delivery d[] = {{.frame = 0, .as_is = true, .off = 12},
				     {.frame = 1, .off = 12, .tagged = true, .tci = 5},
				     {.frame = 2, .as_is = true, .off = 12}};
	struct frame *f = scene.burst.frames;
	unsigned settled;
	const char *broken;

	for (unsigned i = 0; i < 3; i++) {
		f[i] = (struct frame){.len = lens[i], .wire_len = lens[i], .drop = FRAME_NO_DROP};
		f[i].head_len = lens[i] < FRAME_HEAD ? lens[i] : FRAME_HEAD;
		memset(f[i].head, 0x40 + (int)i, FRAME_HEAD);
	}
	f[2].one = (struct seg){rest, sizeof(rest)};
	f[2].segs = &f[2].one;
	f[2].n_segs = 1;
	ring_begin(r, feature_bits);
	broken = ring_scene_tx(&scene, f, d, 3, &settled);
	if (broken)
		fail_ring(broken, r, feature_bits);
}

static void both_ways(const struct shown *r, uint64_t feature_bits)
{
	if (n_left_out++ % EVERY)
		return;
	n_tried++;
	taken(r, feature_bits);
	delivered(r, feature_bits);
}

/* ---- one descriptor ---- */

static const uint64_t addrs[] = {
	GPA + 64,	  GPA + NEAR - 16, GPA + NEAR, FAR,	NEXT_GPA - 16,
	NEXT_GPA + 0x800, END - 16,	   END,	       GPA - 1, 0,
	UINT64_MAX - 15,  1ull << 63,
};
static const uint32_t lens[] = {0, 1, 9, 10, 12, 16, 24, 72, 113, 2000, SIZE, UINT32_MAX};
static const uint16_t flags[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 0x8000, 0xffff};

static void one_descriptor_of_every_kind(void **state)
{
	static const uint16_t nexts[] = {0, 1, 0xffff};
	const struct shown r = {.size = 1, .used = 0xffff};

	for (unsigned i = 0; i < N_OF(addrs) * N_OF(lens) * N_OF(flags) * 3 * N_OF(features); i++) {
		unsigned k = i / N_OF(features);

		desc[0] = (struct vring_desc){addrs[k % N_OF(addrs)],
					      lens[k / N_OF(addrs) % N_OF(lens)],
					      flags[k / N_OF(addrs) / N_OF(lens) % N_OF(flags)],
					      nexts[k / N_OF(addrs) / N_OF(lens) / N_OF(flags)]};
		both_ways(&r, features[i % N_OF(features)]);
	}
}

/* ---- two ---- */

static struct vring_desc some_desc(unsigned i)
{
	static const uint64_t some_addrs[] = {GPA + 64, FAR, NEXT_GPA - 16, END - 16, END};
	static const uint32_t some_lens[] = {0, 10, 12, 40, 200, UINT32_MAX};
	static const uint16_t some_flags[] = {0, 1, 2, 3, 4};

	return (struct vring_desc){some_addrs[i % 5], some_lens[i / 5 % 6], some_flags[i / 30 % 5],
				   (uint16_t)(i / 150)};
}
#define N_SOME (5 * 6 * 5 * 3)

static void two_descriptors_of_most_kinds(void **state)
{
	const struct shown r = {.size = 2, .used = 7, .avail = 9, .heads = {0, 1}};

	for (unsigned i = 0; i < N_SOME * N_SOME; i++) {
		desc[0] = some_desc(i / N_SOME);
		desc[1] = some_desc(i % N_SOME);
		/* Not all features with all of them: each with many. */
		both_ways(&r, features[(i + i / N_SOME) % N_OF(features)]);
	}
}

/* ---- four ---- */

/* Of all that a descriptor can say of the way: ends, a table, or another one. */
static struct vring_desc way(unsigned i, unsigned at)
{
	struct vring_desc d = {GPA + 64 + at * 256, 30, 0, 0};

	if (i == 1)
		d.flags = VRING_DESC_WRITE;
	else if (i == 2)
		d = (struct vring_desc){TABLE, 32, VRING_DESC_INDIRECT, 0};
	else if (i > 2)
		d.flags = (uint16_t)(VRING_DESC_NEXT | ((i - 3) % 2 ? VRING_DESC_WRITE : 0));
	d.next = (uint16_t)(i > 2 ? (i - 3) / 2 : 0); /* 4 is beyond the ring */
	return d;
}
#define N_WAYS 13

static void four_descriptors_in_every_way(void **state)
{
	struct shown r = {.size = 4, .used = 0xfffe, .avail = 2, .heads = {0, 1, 2, 3}};

	for (unsigned i = 0; i < N_WAYS * N_WAYS * N_WAYS * N_WAYS; i++) {
		for (unsigned k = 0, rest = i; k < 4; k++, rest /= N_WAYS)
			desc[k] = way(rest % N_WAYS, k);
		table[0] = way(i % 2 ? 5 : 6, 4);
		table[1] = way(i % 2, 5);
		r.heads[0] = (uint16_t)(i % 5);
		both_ways(&r, features[i % 2 ? 3 : i / 2 % N_OF(features)]);
	}
}

/* ---- tables ---- */

static void tables_of_two_in_every_way(void **state)
{
	static const uint64_t places[] = {TABLE,	 TABLE + 8,    TABLE + 4,	TABLE + 1,
					  END - 16,	 END - 32,     END - 8,		END,
					  NEXT_GPA - 16, NEXT_GPA - 8, UINT64_MAX - 15, 0};
	static const uint32_t sizes[] = {
		0,	   1, 15, 16, 17, 31, 32, 33, 48, 16 * VU_RING_MAX, 16 * VU_RING_MAX + 16,
		UINT32_MAX};
	const struct shown r = {.size = 1, .used = 1, .avail = 2};

	for (unsigned i = 0; i < N_OF(places) * N_OF(sizes) * N_WAYS * N_WAYS; i++) {
		unsigned k = i / N_OF(places) / N_OF(sizes);
		uint16_t with = k % 3 == 1 ? VRING_DESC_WRITE : k % 17 == 2 ? VRING_DESC_NEXT : 0;

		desc[0] = (struct vring_desc){places[i % N_OF(places)],
					      sizes[i / N_OF(places) % N_OF(sizes)],
					      VRING_DESC_INDIRECT | with, 0};
		table[0] = way(k % N_WAYS, 0);
		table[1] = way(k / N_WAYS, 1);
		both_ways(&r, features[k % 2 + 2]);
	}
}

/* ---- indices ---- */

static void every_available_index(void **state)
{
	for (unsigned i = 0; i < 3 * 3 * 65536; i++) {
		static const uint16_t used[] = {0, 1, 0xffff};
		struct shown r = {.size = (uint16_t)(1 << i % 3),
				  .used = used[i / 3 % 3],
				  .avail = (uint16_t)(i / 9),
				  .heads = {0, 1, 2, 3}};

		for (unsigned k = 0; k < 4; k++)
			desc[k] = (struct vring_desc){GPA + 64 + k * 256, 200, 0, 0};
		both_ways(&r, features[1]);
	}
}

static void every_head(void **state)
{
	for (unsigned i = 0; i < 3 * 65536; i++) {
		struct shown r = {.size = (uint16_t)(1 << i % 3), .avail = (uint16_t)(1 << i % 3)};

		for (unsigned k = 0; k < 4; k++) {
			desc[k] = (struct vring_desc){GPA + 64 + k * 256, 200, VRING_DESC_WRITE, 0};
			r.heads[k] = (uint16_t)k;
		}
		r.heads[i % r.size] = (uint16_t)(i / 3);
		both_ways(&r, features[1]);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, counts_reset, counts_tell)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_descriptor_of_every_kind),  T(two_descriptors_of_most_kinds),
		T(four_descriptors_in_every_way), T(tables_of_two_in_every_way),
		T(every_available_index),	  T(every_head),
	};

	return cmocka_run_group_tests(tests, scene_make, scene_free);
}
