/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/ring_world.h"

#include "tests/unit/dice.h"
#include "tests/unit/matrix_frames.h"

#define N_FRAMES 8

/* ---- memory ---- */

static void memory_make(struct world *w)
{
	ring_scene_region(&w->scene, WORLD_GPA, WORLD_SIZE);
	ring_scene_region(&w->scene, WORLD_GPA + WORLD_SIZE, 0x1000);
	ring_scene_region(&w->scene, WORLD_TOP, WORLD_TOP_SIZE);
	ring_scene_region(&w->scene, WORLD_RING, 0x2000);
}

static void memory_reset(struct world *w)
{
	struct vring_desc *chain;

	for (unsigned i = 0; i < w->scene.mem.n; i++)
		memset(w->scene.mem.regions[i].va, 0, w->scene.mem.regions[i].size);
	chain = ring_scene_at(&w->scene, WORLD_CHAIN);
	for (unsigned i = 0; i < 4096; i++)
		chain[i] =
			(struct vring_desc){WORLD_GPA + i, 1, VRING_DESC_NEXT, (uint16_t)(i + 1)};
}

/* Where a buffer may be: mostly inside, in one that no other entry has. */
static uint64_t address(struct input *in, unsigned i)
{
	uint8_t how = in_u8(in);

	switch (how & 15) {
	case 0:
		return WORLD_GPA + WORLD_SIZE - how; /* across two regions */
	case 1:
		return WORLD_TOP + i * 64 + how;
	case 2:
		return WORLD_TOP + WORLD_TOP_SIZE - how; /* across the end of all addresses */
	case 3:
		return WORLD_RING + in_u16(in) % 0x2000;
	case 4:
		return in_u64(in);
	case 5:
		return WORLD_GPA + in_u32(in) % WORLD_SIZE;
	case 6:
		return WORLD_GPA - how;
	default:
		return WORLD_GPA + 0x1000 + i % 32 * 0x700 + (how >> 4);
	}
}

static uint32_t length(struct input *in)
{
	uint8_t how = in_u8(in);

	if (how < 64)
		return how;
	if (how < 200)
		return how * 8u;
	if (how < 240)
		return 10u + how % 4; /* a header, about */
	return how < 250 ? in_u16(in) : in_u32(in);
}

static void descriptor(struct world *w, struct input *in, struct vring_desc *d, unsigned i,
		       bool in_table)
{
	uint8_t flags = in_u8(in);

	d->addr = address(in, i);
	d->len = length(in);
	d->flags = (uint16_t)((flags & VRING_DESC_NEXT) | (w->sends ? 0 : VRING_DESC_WRITE));
	d->next = (uint16_t)(flags & 2 ? i + 1 : in_u8(in));
	if ((flags & 0x1c) == 4) {
		uint8_t where = in_u8(in);

		d->addr = WORLD_TABLE + where % 16 * 16u + (where >= 0xf0 ? 4 : 0);
		d->len = (uint32_t)(in_u8(in) % 24) * 16;
		d->flags |= VRING_DESC_INDIRECT;
	} else if ((flags & 0x3c) == 8 && !in_table) {
		d->addr = WORLD_CHAIN + in_u8(in) * 16u;
		d->len = in_u16(in) % 2100 * 16u;
		d->flags = VRING_DESC_INDIRECT;
	}
	if (flags >= 0xf8)
		d->flags = in_u16(in);
}

static void tables_write(struct world *w, struct input *in)
{
	struct vring_desc *desc = ring_scene_at(&w->scene, WORLD_RING);
	struct vring_desc *table = ring_scene_at(&w->scene, WORLD_TABLE);
	unsigned n = in_u8(in) % 24;

	for (unsigned i = 0; i < w->state.num && i < 32; i++)
		descriptor(w, in, &desc[i], i, false);
	for (unsigned i = 0; i < n; i++)
		descriptor(w, in, &table[i], i + 32, true);
}

/* Headers that ask for something, at the beginnings of buffers. */
static void headers_write(struct world *w, struct input *in)
{
	uint8_t which = in_u8(in);

	for (unsigned i = 0; i < 8; i++) {
		uint8_t *at = ring_scene_at(&w->scene, WORLD_GPA + 0x1000 + i * 0x700);

		if (which >> i & 1)
			in_bytes(in, at, VNET_HDR + 54);
	}
}

static uint64_t features_of(struct input *in)
{
	static const uint8_t bits[] = {
		VIRTIO_NET_F_CSUM,	 VIRTIO_NET_F_HOST_TSO4,      VIRTIO_NET_F_HOST_TSO6,
		VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4,     VIRTIO_NET_F_GUEST_TSO6,
		VIRTIO_NET_F_MRG_RXBUF,	 VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX,
		VIRTIO_F_VERSION_1,	 VIRTIO_NET_F_HOST_ECN,	      VIRTIO_NET_F_GUEST_ECN};
	uint16_t chosen = in_u16(in);
	uint64_t features = 0;

	for (unsigned i = 0; i < sizeof(bits); i++)
		features |= chosen >> i & 1 ? VU_BIT(bits[i]) : 0;
	return features;
}

void world_start(struct world *w)
{
	struct err err = ERR_NONE;

	FUZZ_CHECK(vu_ring_start(&w->scene.ring, &w->state, w->features, &w->scene.mem, &err) == 0,
		   "%s", err.text);
	ring_scene_sync(&w->scene);
}

void world_begin(struct world *w, struct input *in)
{
	uint8_t how = in_u8(in);
	uint32_t num = 1u << how % 7, used = 0x1000 - (4 + 8 * num + 2);

	hot_isa_set(HOT_ISA_PORTABLE); /* the same edges on every machine */
	if (!w->scene.mem.n)
		memory_make(w);
	memory_reset(w);
	w->sends = how & 8;
	w->features = features_of(in);
	/* The used ring ends with the page or, on some rings, goes before the others. */
	w->state = (struct vu_ring_state){.num = (uint16_t)num};
	w->state.addr = (struct vu_vring_addr){.desc = WORLD_RING,
					       .avail = WORLD_RING + 0x800,
					       .used = (WORLD_RING + used) & ~3ull};
	w->scene.ring.call_fd = -1;
	tables_write(w, in);
	headers_write(w, in);
	world_start(w);
}

static void avail_push(struct world *w, struct input *in)
{
	struct vring_avail *a = w->scene.ring.avail;
	unsigned n = 1 + in_u8(in) % 8;

	for (unsigned i = 0; i < n; i++)
		a->ring[(uint16_t)(a->idx + i) % w->state.num] = in_u8(in);
	a->idx = (uint16_t)(a->idx + n);
}

void world_guest(struct world *w, struct input *in)
{
	struct vring_avail *a = w->scene.ring.avail;
	uint8_t how = in_u8(in);

	switch (how % 8) {
	case 0: /* any byte of the ring and the table */
		((uint8_t *)w->scene.ring.desc)[in_u16(in) % 0x2000] = in_u8(in);
		break;
	case 1:
		a->idx = (uint16_t)(w->scene.ring.last_avail + in_u8(in));
		break;
	case 2:
		a->ring[w->state.num] = in_u16(in); /* used_event */
		a->flags = in_u8(in);
		break;
	case 3: {
		unsigned i = in_u8(in) % w->state.num;

		descriptor(w, in, &w->scene.ring.desc[i], i, false);
		break;
	}
	default:
		avail_push(w, in);
	}
	ring_scene_sync(&w->scene);
}

/* ---- what is delivered ---- */

static uint8_t store[N_FRAMES][FRAME_MAX];

/* Makes frame f of len bytes at `bytes`, in n pieces behind the head. */
static void frame_fill(struct burst *b, unsigned i, uint32_t len, unsigned n)
{
	struct frame *f = &b->frames[i];
	struct seg *segs = &b->segs[i * 4];
	uint32_t at = len < FRAME_HEAD ? len : FRAME_HEAD;

	memset(f, 0, sizeof(*f));
	f->len = f->wire_len = len;
	f->head_len = (uint8_t)at;
	f->drop = FRAME_NO_DROP;
	f->segs = segs;
	memcpy(f->head, store[i], at);
	for (unsigned k = 0; k < n && at < len; k++) {
		uint32_t here = k == n - 1 ? len - at : (len - at) / 2;

		segs[f->n_segs++] = (struct seg){store[i] + at, here};
		at += here;
	}
}

/* One whose sender has left work. */
static void frame_offload(struct input *in, struct burst *b, unsigned i)
{
	static struct matrix_frame m;
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct matrix_tags tags = {.n = in_u8(in) % 3, .tags = {{0x8100, 10}, {0x8100, 20}}};
	uint8_t kind = in_u8(in) % MATRIX_N_KINDS;
	struct offload o;
	uint32_t more;

	dice_state = in_u16(in);
	matrix_make(&m, kind, macs, &tags, false);
	memcpy(store[i], m.bytes, m.len);
	more = m.len < OFFLOAD_HEAD_MAX ? m.len : OFFLOAD_HEAD_MAX;
	frame_fill(b, i, m.len, 1);
	if (offload_accept(&m.hdr, store[i], more, m.len, 0xff, &o) != FRAME_NO_DROP)
		return;
	b->frames[i].offload = o;
	if (m.len > OFFLOAD_HEAD_MAX) {
		/* What is local besides the head is the first piece. */
		b->frames[i].n_segs = 2;
		b->segs[i * 4] = (struct seg){store[i] + FRAME_HEAD, OFFLOAD_HEAD_MAX - FRAME_HEAD};
		b->segs[i * 4 + 1] =
			(struct seg){store[i] + OFFLOAD_HEAD_MAX, m.len - OFFLOAD_HEAD_MAX};
	}
}

static void frame_make(struct input *in, struct burst *b, unsigned i)
{
	uint8_t how = in_u8(in);
	uint32_t len = 14 + how % 64;

	if (how % 4 == 3) {
		frame_offload(in, b, i);
		return;
	}
	if (how % 4 == 2)
		len = 14 + (how >= 0xf0 ? in_u16(in) : in_u16(in) % 2000);
	for (uint32_t k = 0; k < len && k < 64; k++)
		store[i][k] = (uint8_t)(i * 16 + k);
	frame_fill(b, i, len, 1 + how / 64 % 3);
}

/* As it came, with a tag more, or with one less. */
static void delivery_make(struct input *in, const struct frame *f, struct delivery *d)
{
	uint8_t how = in_u8(in);

	d->off = 12;
	if (how & 1 && f->head_len >= 18 && f->head[12] == 0x81 && !f->head[13]) {
		d->off = 16;
	} else if (how & 1) {
		d->tagged = true;
		d->tci = how;
	} else {
		d->as_is = true;
	}
}

unsigned world_frames(struct input *in, struct burst *b, struct delivery *d)
{
	unsigned n = 1 + in_u8(in) % N_FRAMES;

	for (unsigned i = 0; i < n; i++) {
		frame_make(in, b, i);
		d[i] = (struct delivery){.frame = (uint8_t)i};
		delivery_make(in, &b->frames[i], &d[i]);
	}
	return n;
}
