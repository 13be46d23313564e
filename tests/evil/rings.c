/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings that no driver writes.
 */
#include <string.h>
#include <unistd.h>

#include "tests/evil/raw.h"

#define NEXT	 VRING_DESC_NEXT
#define WRITE	 VRING_DESC_WRITE
#define INDIRECT VRING_DESC_INDIRECT

/* ---- what the guest transmits ---- */

static void direct_loop(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	unsigned n = s->c->arg; /* descriptors in the loop */

	for (unsigned i = 0; i < n; i++)
		raw_desc(fe, TX_RING, i, raw_frame(fe, i), 72, NEXT, (i + 1) % n);
	raw_offer(fe, TX_RING, 0);
}

static void address(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	const uint64_t gpas[] = {0, FE_GPA - 16, FE_GPA + fe->mem_size - 16, 0ull - 16,
				 FE_GPA + fe->mem_size};

	raw_desc(fe, TX_RING, 0, gpas[s->c->arg], 72, 0, 0);
	raw_offer(fe, TX_RING, 0);
}

/* Header here, the rest of the frame where nothing is. */
static void second_outside(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});

	raw_desc(fe, TX_RING, 0, raw_frame(fe, 0), fe->hdr_len, NEXT, 1);
	raw_desc(fe, TX_RING, 1, 1ull << 60, 60, 0, 0);
	raw_offer(fe, TX_RING, 0);
}

/* Buffers that begin in one region and end in the next are no fault: the frame arrives. */
static void across_regions(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.n_regions = 4});
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	uint64_t edge = FE_GPA + fe->mem_size / 4 / 4096 * 4096 - 30,
		 end_ns = loop_now_ns() + 5 * S_NS;
	uint8_t *at = fe->mem + (edge - FE_GPA), got[128];
	int n;

	memset(at, 0, fe->hdr_len);
	memset(at + fe->hdr_len, 0x5a, 60);
	memcpy(at + fe->hdr_len, BROADCAST EVIL_MAC "\x88\xb6", 14);
	raw_desc(fe, TX_RING, 0, edge, fe->hdr_len + 60, 0, 0);
	raw_offer(fe, TX_RING, 0);
	while ((n = fe_recv(peer, 0, got, sizeof(got))) < 0 && loop_now_ns() < end_ns)
		usleep(500);
	if (n != 60 || memcmp(got, at + fe->hdr_len, 60))
		evil_fail(s, "the frame arrived as %d bytes, or others than were sent", n);
}

static void sum_over_4_gib(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.ring_size = 1024, .buf_size = 8192});
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});

	(void)peer;
	/* 1,024 times all of memory: with sums of 32 bits it may come out as anything. */
	for (unsigned i = 0; i < 1024; i++)
		raw_desc(fe, TX_RING, i, FE_GPA, (uint32_t)fe->mem_size, i < 1023 ? NEXT : 0,
			 i + 1);
	raw_offer(fe, TX_RING, 0);
	evil_await_counter(s, EVIL_PORT, "rx_drops.too_long", 1);
}

static void chain_long(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.ring_size = 2048, .buf_size = 128});

	for (unsigned i = 0; i < 2048; i++)
		raw_desc(fe, TX_RING, i, raw_frame(fe, 0), s->c->arg, i < 2047 ? NEXT : 0, i + 1);
	raw_offer(fe, TX_RING, 0);
}

/* A whole ring of the longest chains, again and again: slow for its owner only. */
static void chains_of_one_byte(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.ring_size = 1024});
	struct vring_desc *t = (void *)fe->rings[RX_RING].bufs; /* not in use: nobody sends to us */
	uint64_t end_ns = loop_now_ns() + S_NS, gpa = raw_frame(fe, 0);
	unsigned sent = 0;

	for (unsigned i = 0; i < 1024; i++)
		t[i] = (struct vring_desc){gpa + (i < 72 ? i : 40), 1, i < 1023 ? NEXT : 0,
					   (uint16_t)(i + 1)};
	for (unsigned i = 0; i < 1024; i++)
		raw_desc(fe, TX_RING, i, fe_gpa(fe, t), 1024 * 16, INDIRECT, 0);
	while (loop_now_ns() < end_ns) {
		uint16_t used = __atomic_load_n(&fe->rings[TX_RING].used->idx, __ATOMIC_ACQUIRE);

		while ((uint16_t)(fe->rings[TX_RING].next_avail - used) < 1024) {
			raw_offer(fe, TX_RING, sent % 1024);
			sent++;
		}
		usleep(200);
	}
}

static void head_range(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});

	raw_desc(fe, TX_RING, 0, raw_frame(fe, 0), 72, NEXT, s->c->arg);
	raw_offer(fe, TX_RING, s->c->arg == 300 ? 0 : s->c->arg);
}

static void direction(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});

	raw_desc(fe, TX_RING, 0, raw_frame(fe, 0), 72, WRITE, 0);
	raw_offer(fe, TX_RING, 0);
}

static void header_short(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});

	raw_desc(fe, TX_RING, 0, raw_frame(fe, 0), s->c->arg, 0, 0);
	raw_offer(fe, TX_RING, 0);
}

/* As strange as it is allowed: the frame must arrive. */
static void header_in_bytes(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	uint64_t gpa = raw_frame(fe, 0), end_ns = loop_now_ns() + 5 * S_NS;
	uint8_t got[128];
	int n;

	for (unsigned i = 0; i < 72; i++)
		raw_desc(fe, TX_RING, i, gpa + i, 1, i < 71 ? NEXT : 0, i + 1);
	raw_offer(fe, TX_RING, 0);
	while ((n = fe_recv(peer, 0, got, sizeof(got))) < 0 && loop_now_ns() < end_ns)
		usleep(500);
	if (n != 60 || memcmp(got, BROADCAST EVIL_MAC "\x88\xb6", 14))
		evil_fail(s, "the frame arrived as %d bytes", n);
}

static void avail_jump(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});

	raw_idx(fe, TX_RING, s->c->arg);
}

/* Indices run backwards while frames are under way. */
static void avail_backwards(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});

	for (unsigned i = 0; i < 64; i++) {
		raw_desc(fe, TX_RING, i, raw_frame(fe, i), 72, 0, 0);
		raw_offer(fe, TX_RING, i);
	}
	if (!raw_used(fe, TX_RING))
		evil_fail(s, "64 good frames were not taken");
	raw_idx(fe, TX_RING, 0u - 10);
}

/* ---- indirect tables ---- */

enum {
	T_LOOP,
	T_EMPTY,
	T_HUGE,
	T_ODD,
	T_UNALIGNED,
	T_NESTED,
	T_OUTSIDE,
	T_ACROSS,
	T_WRAPS,
	T_NEXT,
	T_NEXT_RANGE,
	T_NOT_AGREED
};

static void indirect(struct scene *s)
{
	uint64_t features = fe_features_default(1);
	struct fe *fe;
	struct vring_desc *t;
	uint64_t gpa;

	if (s->c->arg == T_NOT_AGREED)
		features &= ~VU_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	fe = evil_attacker(s, (struct fe_opts){.n_indirect = 16, .features = features});
	t = fe->rings[TX_RING].indirect;
	gpa = raw_frame(fe, 0);
	for (unsigned i = 0; i < 16; i++)
		t[i] = (struct vring_desc){gpa, 72, i < 15 ? NEXT : 0, (uint16_t)(i + 1)};
	raw_desc(fe, TX_RING, 0, fe_gpa(fe, t), 16 * 16, INDIRECT, 0);
	switch (s->c->arg) {
	case T_LOOP:
		t[15].flags = NEXT;
		t[15].next = 3;
		break;
	case T_EMPTY:
		fe->rings[TX_RING].desc[0].len = 0;
		break;
	case T_HUGE:
		fe->rings[TX_RING].desc[0].len = 0xfffffff0;
		break;
	case T_ODD:
		fe->rings[TX_RING].desc[0].len = 17;
		break;
	case T_UNALIGNED:
		fe->rings[TX_RING].desc[0].addr += 4;
		break;
	case T_NESTED:
		t[1].flags = INDIRECT;
		t[1].len = 32;
		t[1].addr = fe_gpa(fe, t);
		break;
	case T_OUTSIDE:
		fe->rings[TX_RING].desc[0].addr = 0x1000;
		break;
	case T_ACROSS: /* six descriptors inside, the seventh not */
		memcpy(fe->mem + fe->mem_size - 96, t, 96);
		fe->rings[TX_RING].desc[0].addr = FE_GPA + fe->mem_size - 96;
		break;
	case T_WRAPS:
		fe->rings[TX_RING].desc[0].addr = 0ull - 16;
		break;
	case T_NEXT:
		fe->rings[TX_RING].desc[0].flags = INDIRECT | NEXT;
		fe->rings[TX_RING].desc[0].next = 1;
		break;
	case T_NEXT_RANGE:
		t[0].next = 16;
		break;
	}
	raw_offer(fe, TX_RING, 0);
}

/* ---- what is delivered to the guest ---- */

enum {
	B_EMPTY,
	B_ONE_BYTE,
	B_ONE_BYTE_ALONE,
	B_READ_ONLY,
	B_OUTSIDE,
	B_LOOP,
	B_IN_ITS_RINGS,
	B_NONE,
	B_HEAD
};

/* A neighbour's frame finds buffers of a kind. */
static void buffers(struct scene *s)
{
	uint64_t features = fe_features_default(1);
	struct fe *fe, *peer;

	if (s->c->arg == B_ONE_BYTE_ALONE)
		features &= ~VU_BIT(VIRTIO_NET_F_MRG_RXBUF);
	fe = evil_attacker(s, (struct fe_opts){.features = features});
	peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	for (unsigned i = 0; i < fe->rings[RX_RING].size; i++) {
		struct vring_desc *d = &fe->rings[RX_RING].desc[i];

		switch (s->c->arg) {
		case B_EMPTY:
			d->len = 0;
			break;
		case B_ONE_BYTE:
		case B_ONE_BYTE_ALONE:
			d->len = 1;
			break;
		case B_READ_ONLY:
			d->flags = 0;
			break;
		case B_OUTSIDE:
			d->addr += 1ull << 40;
			break;
		case B_LOOP:
			d->len = 8;
			d->flags |= NEXT;
			d->next = (uint16_t)i;
			break;
		case B_IN_ITS_RINGS: /* what arrives is written over its own descriptors and indices */
			d->addr = fe_gpa(fe, fe->rings[RX_RING].desc) + 64 * (i % 80);
			break;
		case B_HEAD:
			fe->rings[RX_RING].avail->ring[i] = (uint16_t)(1000 + i);
			break;
		}
	}
	if (s->c->arg == B_NONE) { /* never any more */
		for (unsigned i = 0; i < 400; i++, usleep(100))
			raw_send(s, peer, 60);
		evil_await_counter(s, EVIL_PORT, "tx_drops.rx_ring_full", 100);
		return;
	}
	for (unsigned i = 0; i < 40; i++)
		raw_send(s, peer, 60 + i);
	if (s->c->arg == B_ONE_BYTE)
		evil_await_counter(s, EVIL_PORT, "tx_frames", 1);
	else if (s->c->arg == B_ONE_BYTE_ALONE)
		evil_await_counter(s, EVIL_PORT, "tx_drops.buffer_too_small", 40);
	if (s->c->arg == B_IN_ITS_RINGS)
		evil_await_counter(s, "evil2", "rx_frames", 40);
}

/* The descriptor table, the available and the used ring at one place. */
static void parts_overlap(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
	struct fe_ring *r = &fe->rings[TX_RING];

	fe_ring_start(fe, RX_RING, 0);
	r->avail = (void *)r->desc;
	r->used = (void *)r->desc;
	fe_ring_start(fe, TX_RING, 0);
	for (unsigned i = 0; i < 1000; i++) {
		memset(r->desc, (int)i, 256);
		fe_kick(fe, TX_RING);
		usleep(100);
	}
}

/* Both queues of a pair are told to be the same ring. */
static void queues_share_a_ring(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});

	fe->rings[TX_RING].desc = fe->rings[RX_RING].desc;
	fe->rings[TX_RING].avail = fe->rings[RX_RING].avail;
	fe->rings[TX_RING].used = fe->rings[RX_RING].used;
	fe_ring_start(fe, RX_RING, 0);
	fe_ring_start(fe, TX_RING, 0);
	for (unsigned i = 0; i < 40; i++)
		raw_send(s, peer, 60);
	fe_kick(fe, TX_RING);
}

const struct evil_case evil_rings[] = {
	{"direct-loop", "a chain of two descriptors that goes on at its first",
	 "the port is errored: the chain loops", direct_loop, "errored",
	 "longer than its table or 1024, or loops", 2},
	{"direct-self-loop", "a descriptor that goes on at itself",
	 "the port is errored: the chain loops", direct_loop, "errored",
	 "longer than its table or 1024, or loops", 1},
	{"direct-ring-loop", "a chain of all 256 descriptors that goes on at its first",
	 "the port is errored: the chain loops", direct_loop, "errored", "or loops", 256},
	{"address-zero", "a buffer at guest address 0", "the port is errored, the address named",
	 address, "errored", "guest address 0x0, 72 bytes, is outside", 0},
	{"address-before", "a buffer that begins before guest memory",
	 "the port is errored, the address named", address, "errored",
	 "guest address 0x3ffffff0, 72 bytes, is outside", 1},
	{"address-across", "a buffer that begins in guest memory and ends behind it",
	 "the port is errored, the address named", address, "errored",
	 "72 bytes, is outside guest memory", 2},
	{"address-wraps", "a buffer that wraps around the end of the address space",
	 "the port is errored, the address named", address, "errored",
	 "guest address 0xfffffffffffffff0, 72 bytes, is outside", 3},
	{"address-behind", "a buffer that begins where guest memory ends",
	 "the port is errored, the address named", address, "errored",
	 "72 bytes, is outside guest memory", 4},
	{"address-second", "a good header, and the frame outside guest memory",
	 "the port is errored, the address named", second_outside, "errored",
	 "guest address 0x1000000000000000, 60 bytes, is outside"},
	{"across-regions", "a frame that lies across two regions of guest memory",
	 "the frame arrives as it was sent", across_regions, "up", NULL},
	{"sum-over-4-gib", "a chain of 1,024 descriptors with 9 GiB in all",
	 "the frame is dropped as too_long", sum_over_4_gib, "up", NULL},
	{"chain-of-2048", "a chain of 2,048 descriptors", "the port is errored: longer than 1,024",
	 chain_long, "errored", "longer than its table or 1024", 1},
	{"chain-of-nothing", "a chain of 2,048 descriptors without a byte",
	 "the port is errored: longer than 1,024", chain_long, "errored",
	 "longer than its table or 1024", 0},
	{"chains-of-one-byte",
	 "a ring full of chains of 1,024 descriptors of one byte, for a second",
	 "its frames are forwarded or dropped; nobody else waits for them", chains_of_one_byte,
	 "up", NULL},
	{"head-range", "the available ring names descriptor 256 of 256",
	 "the port is errored, the descriptor named", head_range, "errored",
	 "names descriptor 256; there are 256", 256},
	{"head-65535", "the available ring names descriptor 65535",
	 "the port is errored, the descriptor named", head_range, "errored",
	 "names descriptor 65535; there are 256", 65535},
	{"next-range", "a chain that goes on at descriptor 300 of 256",
	 "the port is errored, the descriptor named", head_range, "errored",
	 "goes on at descriptor 300, beyond its table", 300},
	{"direction", "a buffer to write into among those that are sent",
	 "the port is errored: the direction is wrong", direction, "errored",
	 "mixes buffers to read with buffers to write"},
	{"header-short", "a chain of 11 bytes, less than a virtio-net header",
	 "the port is errored, both lengths named", header_short, "errored",
	 "has 11 bytes, less than the 12 of a virtio-net header", 11},
	{"header-empty", "a chain of no bytes", "the port is errored, both lengths named",
	 header_short, "errored", "has 0 bytes, less than the 12", 0},
	{"header-in-bytes", "a header and a frame in 72 descriptors of one byte",
	 "the frame arrives as it was sent", header_in_bytes, "up", NULL},
	{"avail-jump", "the available index jumps by more than the ring has",
	 "the port is errored, both indices named", avail_jump, "errored",
	 "available index went from 0 to 257, more than the ring's 256", 257},
	{"avail-half", "the available index jumps by 32,768",
	 "the port is errored, both indices named", avail_jump, "errored",
	 "available index went from 0 to 32768", 32768},
	{"avail-backwards", "the available index goes back by ten",
	 "the port is errored, both indices named", avail_backwards, "errored",
	 "available index went from 64 to 54"},
	{"indirect-loop", "an indirect table whose last descriptor goes on inside it",
	 "the port is errored: the chain loops", indirect, "errored",
	 "longer than its table or 1024, or loops", T_LOOP},
	{"indirect-empty", "an indirect table of 0 bytes", "the port is errored, the size named",
	 indirect, "errored", "indirect table of descriptor 0 has 0 bytes", T_EMPTY},
	{"indirect-huge", "an indirect table of 4 GiB", "the port is errored, the size named",
	 indirect, "errored", "indirect table of descriptor 0 has 4294967280 bytes", T_HUGE},
	{"indirect-odd", "an indirect table of 17 bytes", "the port is errored, the size named",
	 indirect, "errored", "indirect table of descriptor 0 has 17 bytes", T_ODD},
	{"indirect-unaligned", "an indirect table at an address that is not a multiple of 8",
	 "the port is errored, the address named", indirect, "errored", "is not aligned to 8 bytes",
	 T_UNALIGNED},
	{"indirect-nested", "an indirect table in an indirect table",
	 "the port is errored and says so", indirect, "errored",
	 "indirect table of descriptor 0 holds another one", T_NESTED},
	{"indirect-outside", "an indirect table outside guest memory",
	 "the port is errored, the address named", indirect, "errored",
	 "guest address 0x1000, 16 bytes, is outside", T_OUTSIDE},
	{"indirect-across", "an indirect table that ends behind guest memory",
	 "the port is errored, the address named", indirect, "errored",
	 "16 bytes, is outside guest memory", T_ACROSS},
	{"indirect-wraps", "an indirect table that wraps around the end of the address space",
	 "the port is errored, the address named", indirect, "errored", "is outside guest memory",
	 T_WRAPS},
	{"indirect-next", "an indirect table with a chain behind it",
	 "the port is errored and says so", indirect, "errored", "or a chain goes on behind it",
	 T_NEXT},
	{"indirect-next-range", "a chain in an indirect table that goes on behind its end",
	 "the port is errored, the descriptor named", indirect, "errored",
	 "goes on at descriptor 16, beyond its table", T_NEXT_RANGE},
	{"indirect-not-agreed", "an indirect table though none were negotiated",
	 "the port is errored and says so", indirect, "errored",
	 "is indirect, which was not negotiated", T_NOT_AGREED},
	{"buffers-empty", "receive buffers of 0 bytes", "the port is errored and says so", buffers,
	 "errored", "the receive buffer at descriptor 0 has no bytes", B_EMPTY},
	{"buffers-of-1-byte", "mergeable receive buffers of one byte",
	 "frames are delivered in 72 buffers each", buffers, "up", NULL, B_ONE_BYTE},
	{"buffers-of-1-byte-alone", "receive buffers of one byte that cannot be merged",
	 "frames are dropped as buffer_too_small", buffers, "up", NULL, B_ONE_BYTE_ALONE},
	{"buffers-read-only", "receive buffers that may only be read",
	 "the port is errored and says so", buffers, "errored",
	 "mixes buffers to read with buffers to write", B_READ_ONLY},
	{"buffers-outside", "receive buffers outside guest memory",
	 "the port is errored, the address named", buffers, "errored", "is outside guest memory",
	 B_OUTSIDE},
	{"buffers-loop", "receive buffers of 8 bytes that go on at themselves",
	 "the port is errored: the chain loops", buffers, "errored", "or loops", B_LOOP},
	{"buffers-head-range", "receive buffers that do not exist",
	 "the port is errored, the descriptor named", buffers, "errored",
	 "names descriptor 1000; there are 256", B_HEAD},
	{"buffers-in-its-rings", "receive buffers that lie over the guest's own rings",
	 "the guest spoils its own port, whatever comes of it", buffers, NULL, NULL,
	 B_IN_ITS_RINGS},
	{"buffers-none", "a receive ring that stays empty",
	 "frames for it are dropped as rx_ring_full", buffers, "up", NULL, B_NONE},
	{"parts-overlap", "descriptors, available and used ring at one place",
	 "the guest spoils its own port only", parts_overlap, NULL, NULL},
	{"queues-share-a-ring", "one ring for both queues of a pair",
	 "the guest spoils its own port only", queues_share_a_ring, NULL, NULL},
	{0},
};
