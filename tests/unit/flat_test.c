/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames from and to local memory: whatever the pieces, the bytes are the same, and packets are
 * those that the oracle builds from fields.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "switch/flat.h"
#include "tests/unit/dice.h"
#include "tests/unit/packet_oracle.h"
#include "tests/unit/packet_random.h"

#define ROUNDS 1000
#define ALL    (OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_ECN)
#define ROOM   (FRAME_MAX + 2 * VLAN_TAG)
#define PIECES 12

static uint8_t payload_bytes[ROOM], sent[ROOM], got[ROOM], want[ROOM];
static struct burst burst;

/* Cuts len bytes at `at` into random pieces, some of them empty. Returns how many. */
static unsigned pieces_cut(uint8_t *at, uint32_t len, struct seg *out)
{
	unsigned n = 0;

	while (n + 1 < PIECES && !dice_once_in(4)) {
		uint32_t here = dice_in(0, len < 300 ? len : 300);

		out[n++] = (struct seg){at, here};
		at += here;
		len -= here;
	}
	out[n++] = (struct seg){at, len};
	return n;
}

/* A TCP frame with its sum left to others, in `sent`; hdr asks for TSO when `several`. */
static struct layout tcp_make(struct fields *f, struct vnet_hdr *hdr, bool several)
{
	struct layout at;

	random_fields(f, ORACLE_TCP);
	f->n_tags = 0; /* so that a pushed one is the first */
	f->payload = payload_bytes;
	f->n_payload = several ? dice_in(1500, 8000) : dice_in(0, 1000);
	dice_fill(payload_bytes, f->n_payload);
	at = oracle_build(f, ORACLE_PARTIAL, sent);
	*hdr = (struct vnet_hdr){
		.flags = VNET_HDR_NEEDS_CSUM, .csum_start = (uint16_t)at.l4, .csum_offset = 16};
	if (several) {
		hdr->gso_type = f->v6 ? VNET_HDR_GSO_TCPV6 : VNET_HDR_GSO_TCPV4;
		hdr->gso_size = (uint16_t)dice_in(100, 1400);
	}
	return at;
}

static void frame_load(const struct vnet_hdr *hdr, uint32_t len)
{
	struct seg pieces[PIECES];

	burst.n_segs = 0;
	memset(burst.frames[0].head, 0xee, FRAME_HEAD);
	assert_true(flat_frame(&burst, 0, hdr, ALL, pieces, pieces_cut(sent, len, pieces)));
}

static void assert_bytes(const struct frame *f, uint32_t len)
{
	uint32_t at = f->head_len;

	assert_int_equal(f->len, len);
	assert_memory_equal(f->head, sent, at);
	for (unsigned i = 0; i < f->n_segs; i++) {
		assert_memory_equal(f->segs[i].va, sent + at, f->segs[i].len);
		at += f->segs[i].len;
	}
	assert_int_equal(at, len);
}

static void frame_has_the_bytes_of_its_pieces(void **state)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t len = dice_in(0, dice_once_in(2) ? 100 : 3000);

		dice_fill(sent, len);
		frame_load(NULL, len);
		assert_bytes(&burst.frames[0], len);
		assert_int_equal(burst.frames[0].offload.bits, 0);
		assert_int_equal(burst.frames[0].drop, FRAME_NO_DROP);
	}
}

static void offload_is_accepted_with_its_headers_local(void **state)
{
	struct vnet_hdr hdr;
	struct fields fields;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct layout at = tcp_make(&fields, &hdr, dice_once_in(2));
		const struct frame *f = &burst.frames[0];

		frame_load(&hdr, (uint32_t)at.len);
		assert_bytes(f, (uint32_t)at.len);
		assert_int_equal(f->drop, FRAME_NO_DROP);
		assert_int_equal(f->offload.csum_start, at.l4);
		if (at.len > FRAME_HEAD)
			assert_ptr_equal(f->segs[0].va, burst.heads[0] + FRAME_HEAD);
	}
}

static void lying_header_and_great_length_are_drops(void **state)
{
	static uint8_t huge[FRAME_MAX + 1];
	struct seg piece = {huge, sizeof(huge)};
	struct vnet_hdr hdr;
	struct fields fields;
	struct layout at = tcp_make(&fields, &hdr, false);

	hdr.csum_start = 4;
	frame_load(&hdr, (uint32_t)at.len);
	assert_int_equal(burst.frames[0].drop, RX_BAD_OFFLOAD);
	assert_true(flat_frame(&burst, 0, NULL, 0, &piece, 1));
	assert_int_equal(burst.frames[0].drop, RX_TOO_LONG);
	burst.n_segs = BURST_SEGS - 1;
	assert_false(flat_frame(&burst, 0, NULL, 0, &piece, 1));
}

/* As it came, or with a tag pushed. */
static struct delivery random_delivery(struct fields *f)
{
	if (dice_once_in(2))
		return (struct delivery){.off = 12, .as_is = true};
	f->n_tags = 1;
	f->tags[0][0] = 0x8100;
	f->tags[0][1] = (uint16_t)dice();
	return (struct delivery){.off = 12, .tagged = true, .tci = f->tags[0][1]};
}

static void whole_delivery_has_all_bytes_and_the_header(void **state)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct vnet_hdr hdr, out;
		struct fields fields;
		struct layout at = tcp_make(&fields, &hdr, dice_once_in(2));
		struct delivery d = random_delivery(&fields);

		frame_load(&hdr, (uint32_t)at.len);
		flat_whole(&burst.frames[0], &d, got, &out);
		at = oracle_build(&fields, ORACLE_PARTIAL, want);
		assert_int_equal(delivery_len(&burst.frames[0], &d), at.len);
		assert_memory_equal(got, want, at.len);
		assert_int_equal(out.csum_start, at.l4);
		assert_int_equal(out.gso_type, burst.frames[0].offload.bits & OFFLOAD_TSO
						       ? hdr.gso_type
						       : VNET_HDR_GSO_NONE);
	}
}

/* Into random pieces, which lie side by side in `got`. */
static void packet_write(struct flat *w, uint32_t len)
{
	struct seg pieces[PIECES];
	struct vnet_hdr hdr;

	pieces_cut(got, len, pieces);
	flat_write(w, pieces, &hdr);
	assert_int_equal(hdr.flags, 0);
	assert_int_equal(hdr.gso_type, VNET_HDR_GSO_NONE);
}

static void packets_are_finished_for_who_takes_nothing(void **state)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct fields fields, segment;
		struct vnet_hdr hdr;
		struct layout at = tcp_make(&fields, &hdr, dice_once_in(2));
		struct delivery d = random_delivery(&fields);
		unsigned n = 1;
		struct flat w;
		uint32_t len;

		frame_load(&hdr, (uint32_t)at.len);
		flat_begin(&w, &burst.frames[0], &d, 0);
		if (hdr.gso_size)
			n = oracle_segment(&fields, hdr.gso_size, 0, &segment);
		for (unsigned i = 0; i < n; i++) {
			if (hdr.gso_size)
				oracle_segment(&fields, hdr.gso_size, i, &segment);
			else
				segment = fields;
			at = oracle_build(&segment, ORACLE_FULL, want);
			len = flat_next(&w);
			assert_int_equal(len, at.len);
			packet_write(&w, len);
			assert_memory_equal(got, want, len);
		}
		assert_int_equal(flat_next(&w), 0);
	}
}

static void frame_without_offload_is_one_packet(void **state)
{
	struct delivery d = {.off = 12, .as_is = true};
	struct flat w;

	dice_fill(sent, 60);
	frame_load(NULL, 42);
	flat_begin(&w, &burst.frames[0], &d, 0);
	assert_int_equal(flat_next(&w), 42);
	memset(got, 0xee, 64);
	packet_write(&w, 42);
	assert_memory_equal(got, sent, 42);
	assert_int_equal(got[42], 0xee);
	assert_int_equal(flat_pad(got, 42), 60);
	assert_int_equal(got[42] | got[59], 0);
	assert_int_equal(got[60], 0xee);
	assert_int_equal(flat_next(&w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_has_the_bytes_of_its_pieces),
		cmocka_unit_test(offload_is_accepted_with_its_headers_local),
		cmocka_unit_test(lying_header_and_great_length_are_drops),
		cmocka_unit_test(whole_delivery_has_all_bytes_and_the_header),
		cmocka_unit_test(packets_are_finished_for_who_takes_nothing),
		cmocka_unit_test(frame_without_offload_is_one_packet),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
