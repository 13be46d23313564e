/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sender whose headers lie: every lie is counted, arrives nowhere and harms nobody, itself
 * included.
 */
#include "tests/unit/rig.h"

#include <string.h>

#include "tests/unit/dice.h"
#include "tests/unit/matrix_frames.h"
#include "tests/unit/matrix_rings.h"

#define BIG (70 * 1024)

enum { LIAR, TAKES_ALL, TAKES_NOTHING, NEIGHBOUR_A, NEIGHBOUR_B, N_PORTS };

struct scene {
	struct fe *fe[N_PORTS];
	struct matrix_frame m;
	unsigned n_bad;
};

static const struct matrix_tags no_tags;

static void frame_make(struct scene *s, enum matrix_kind kind)
{
	static const uint8_t macs[12] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 1, 1};

	matrix_make(&s->m, kind, macs, &no_tags, false);
}

/* Neighbours in a VLAN of their own, whose frames must not mind what the liar does. */
static void vlans_set(struct rig *rig, void *arg)
{
	static const char *const names[N_PORTS] = {"v0", "v1", "v2", "v3", "v4"};

	for (unsigned i = 0; i < N_PORTS; i++) {
		const struct vlan_policy access = {
			.mode = VLAN_ACCESS, .vid = i < NEIGHBOUR_A ? 10 : 30};

		port_vlan_set(port_find(rig_switch(rig), names[i]), &access, NULL);
	}
}

static void scene_open(struct rig *rig, struct scene *s, uint64_t liars)
{
	const uint64_t base = fe_features_default(1);

	memset(s, 0, sizeof(*s));
	s->fe[LIAR] = rig_port(rig, LIAR, (struct fe_opts){
		.features = base | liars, .buf_size = BIG + MATRIX_TABLE});
	s->fe[TAKES_ALL] = rig_port(rig, TAKES_ALL, (struct fe_opts){.features = base | VU_OFFLOADS});
	for (unsigned i = TAKES_NOTHING; i < N_PORTS; i++)
		s->fe[i] = rig_port(rig, i, (struct fe_opts){.features = base});
	rig_call(rig, vlans_set, NULL);
}

static void scene_close(struct scene *s)
{
	for (unsigned i = 0; i < N_PORTS; i++)
		fe_close(s->fe[i]);
}

/* A frame of 60 bytes that asks for nothing gets through, and nothing came before it. */
static void passes(struct scene *s, unsigned from, unsigned to)
{
	uint8_t f[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 2, (uint8_t)from, 0x88, 0xb5};
	uint8_t got[2048];

	dice_fill(f + 14, sizeof(f) - 14);
	assert_true(fe_send(s->fe[from], 0, f, sizeof(f)));
	assert_int_equal(fe_recv_wait(s->fe[to], 0, got, sizeof(got)), sizeof(f));
	assert_memory_equal(got, f, sizeof(f));
}

/* Sends s->m with h, in any layout: a lie. */
static void lie(struct rig *rig, struct scene *s, const struct vnet_hdr *h)
{
	uint8_t got[2048];

	assert_true(matrix_send(s->fe[LIAR], dice_in(0, MATRIX_N_LAYOUTS - 1), h, s->m.bytes, s->m.len));
	matrix_publish(s->fe[LIAR]);
	passes(s, LIAR, TAKES_ALL);
	assert_int_equal(fe_recv_wait(s->fe[TAKES_NOTHING], 0, got, sizeof(got)), 60);
	passes(s, NEIGHBOUR_A, NEIGHBOUR_B);
	s->n_bad++;
	assert_int_equal(rig_counters(rig, LIAR).rx_drops[RX_BAD_OFFLOAD], s->n_bad);
	assert_int_equal(rig_state(rig, LIAR), PORT_UP);
}

static void lies_of(struct rig *rig, struct scene *s, enum matrix_kind kind)
{
	static const uint16_t starts[] = {0, 13, 250, 255, 256, 1000, 9000, 0x7fff, 0xffff};
	static const uint16_t offsets[] = {250, 1000, 0x7fff, 0xfffe, 0xffff};
	static const uint16_t sizes[] = {0, 1, 2, OFFLOAD_GSO_MIN - 1};
	static const uint8_t types[] = {2, 3, 5, 0x7f, 0x80, 0x83, 0xff};
	struct vnet_hdr h;

#define LIE(field, value)        \
	do {                     \
		h = s->m.hdr;    \
		h.field = value; \
		lie(rig, s, &h); \
	} while (0)
	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		LIE(csum_start, starts[i]);
	for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		LIE(csum_offset, offsets[i]);
	for (unsigned i = 0; i < sizeof(types); i++)
		LIE(gso_type, types[i]);
	if (kind < MATRIX_TSO4)
		return;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		LIE(gso_size, sizes[i]);
	LIE(flags, 0);
	LIE(gso_type, s->m.hdr.gso_type ^ VNET_HDR_GSO_TCPV4 ^ VNET_HDR_GSO_TCPV6);
	LIE(csum_start, (uint16_t)(s->m.hdr.csum_start - 1));
	LIE(csum_start, (uint16_t)(s->m.hdr.csum_start + 4));
	LIE(csum_offset, 6);
#undef LIE
}

static void lies_are_counted_and_harm_nobody(void **state)
{
	static const enum matrix_kind kinds[] = {MATRIX_TCP4, MATRIX_UDP6, MATRIX_TSO4, MATRIX_TSO6};
	static struct scene s;

	scene_open(*state, &s, VU_OFFLOADS);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		frame_make(&s, kinds[i]);
		lies_of(*state, &s, kinds[i]);
	}
	scene_close(&s);
}

static void what_was_not_negotiated_is_a_lie(void **state)
{
	static struct scene s;

	scene_open(*state, &s, 0);
	for (unsigned kind = MATRIX_PLAIN + 1; kind < MATRIX_N_KINDS; kind++) {
		frame_make(&s, kind);
		lie(*state, &s, &s.m.hdr);
	}
	scene_close(&s);
}

static void frames_cut_short_are_lies(void **state)
{
	static struct scene s;
	uint32_t headers;

	scene_open(*state, &s, VU_OFFLOADS);
	for (unsigned i = 0; i < 40; i++) {
		frame_make(&s, MATRIX_TSO4);
		headers = (uint32_t)(s.m.len - s.m.f.n_payload);
		s.m.len = dice_in(14, headers - 1);
		lie(*state, &s, &s.m.hdr);
	}
	scene_close(&s);
}

/* What nobody reads cannot deceive. */
static void length_of_headers_may_be_any(void **state)
{
	static const uint16_t lengths[] = {0, 1, 14, 200, 0x7fff, 0xffff};
	static struct matrix_packet want;
	static uint8_t got[MATRIX_ROOM];
	static struct scene s;
	struct vnet_hdr hdr;

	scene_open(*state, &s, VU_OFFLOADS);
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		frame_make(&s, MATRIX_TSO6);
		s.m.hdr.hdr_len = lengths[i];
		assert_true(matrix_send(s.fe[LIAR], MATRIX_DESC_SPLIT, &s.m.hdr, s.m.bytes, s.m.len));
		matrix_publish(s.fe[LIAR]);
		while (!rig_counters(*state, TAKES_NOTHING).tx_frames ||
		       fe_recv_hdr(s.fe[TAKES_ALL], 0, &hdr, got, sizeof(got)) != (int)s.m.len)
			;
		matrix_packet(&s.m, &no_tags, ~0u, 0, &want);
		assert_memory_equal(got, want.bytes, want.len);
		assert_int_equal(hdr.hdr_len, want.hdr.hdr_len);
		while (fe_recv(s.fe[TAKES_NOTHING], 0, got, sizeof(got)) >= 0)
			;
	}
	assert_int_equal(rig_counters(*state, LIAR).rx_forwarded, 6);
	scene_close(&s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(lies_are_counted_and_harm_nobody),
		T(what_was_not_negotiated_is_a_lie),
		T(frames_cut_short_are_lies),
		T(length_of_headers_may_be_any),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
