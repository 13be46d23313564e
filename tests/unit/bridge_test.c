/* SPDX-License-Identifier: BSD-3-Clause */
/* What the learning bridge delivers where, over fake ports: floods, bursts, full rings, what is dropped and why. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "switch/internal.h"
#include "tests/unit/lab.h"

static void unknown_unicast_floods_all_but_ingress(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	lab_send(lab, 0, 9, 1, -1);
	assert_n_out(lab, 0, 0);
	assert_n_out(lab, 1, 1);
	assert_n_out(lab, 2, 1);
}

/* n frames from port 0 to port 1, numbered, in as few bursts as the worker makes of them. */
static void send_numbered(struct lab *lab, unsigned n)
{
	uint8_t f[60];

	frame_make(f, 2, 1, -1, sizeof(f));
	for (unsigned i = 0; i < n; i++) {
		f[20] = (uint8_t)i;
		fake_inject(lab->port[0], f, sizeof(f));
	}
}

/* Room for 8, then for 8 again: what a burst finds full is tried once more, and once only. */
static void full_ring_try(struct lab *lab, bool helper_counts)
{
	struct port_counters c;
	unsigned last = 0;

	lab_ports(lab, 2);
	fake_helper_counts_set(lab->port[1], helper_counts);
	lab_send(lab, 1, 0xff, 2, -1);
	fake_room_set(lab->port[1], 8);
	send_numbered(lab, 200);
	fake_settle(lab->sw);
	c = lab_counters(lab, 1);
	assert_int_equal(c.tx_frames + c.tx_drops[TX_RING_FULL], 200);
	assert_int_equal(c.tx_frames, fake_n_out(lab->port[1]));
	/* 16 of each full burst of 32. Without the second try a burst would get 8. */
	assert_true(c.tx_frames >= 90);
	for (unsigned i = 0; i < c.tx_frames; i++) {
		unsigned number = fake_out(lab->port[1], i, NULL)[20];

		assert_true(!i || number > last);
		last = number;
	}
}

static void full_ring_is_tried_again_once(void **state)
{
	full_ring_try(*state, false);
}

/* The worker's block, which shows no frame sent, does not mean that the port takes none. */
static void full_ring_is_tried_again_where_a_helper_counts(void **state)
{
	full_ring_try(*state, true);
}

static void ring_that_stays_full_gets_no_second_try(void **state)
{
	struct lab *lab = *state;
	unsigned n;

	lab_ports(lab, 2);
	lab_send(lab, 1, 0xff, 2, -1);
	fake_full_set(lab->port[1], true);
	usleep(5000);
	n = fake_n_tx_calls(lab->port[1]);
	for (unsigned i = 0; i < 50; i++)
		lab_send(lab, 0, 2, 1, -1);
	fake_settle(lab->sw);
	assert_int_equal(fake_n_tx_calls(lab->port[1]) - n, 50);
	assert_int_equal(lab_counters(lab, 1).tx_drops[TX_RING_FULL], 50);
}

static void frame_to_own_port_is_dropped(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	lab_send(lab, 0, 0xff, 1, -1);
	fake_clear(lab->port[1]);
	lab_send(lab, 0, 1, 2, -1);
	assert_n_out(lab, 1, 0);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_SAME_PORT], 1);
}

static void every_size_is_delivered_byte_for_byte(void **state)
{
	struct lab *lab = *state;
	uint8_t f[9018];

	lab_ports(lab, 2);
	for (size_t len = 14; len <= sizeof(f); len += len < 200 ? 1 : 451) {
		const uint8_t *out;
		size_t out_len;

		fake_inject(lab->port[0], f, frame_make(f, 9, 1, -1, len));
		assert_n_out(lab, 1, 1);
		out = fake_out(lab->port[1], 0, &out_len);
		assert_int_equal(out_len, len);
		assert_memory_equal(out, f, len);
		fake_clear(lab->port[1]);
	}
}

static void order_is_kept_over_bursts(void **state)
{
	struct lab *lab = *state;
	uint8_t f[64];

	lab_ports(lab, 2);
	for (unsigned i = 0; i < 10000; i++) {
		frame_make(f, 9, 1, -1, sizeof(f));
		memcpy(f + 20, &i, sizeof(i));
		fake_inject(lab->port[0], f, sizeof(f));
	}
	assert_n_out(lab, 1, 10000);
	for (unsigned i = 0; i < 10000; i++)
		assert_memory_equal(fake_out(lab->port[1], i, NULL) + 20, &i, sizeof(i));
}

static void invalid_sources_are_dropped(void **state)
{
	struct lab *lab = *state;
	uint8_t f[60];

	lab_ports(lab, 2);
	frame_make(f, 9, 1, -1, 60);
	f[6] |= 1;
	fake_inject(lab->port[0], f, 60);
	memset(f + 6, 0, 6);
	fake_inject(lab->port[0], f, 60);
	assert_n_out(lab, 1, 0);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_SRC_INVALID], 2);
}

static void reserved_groups_pass_only_where_allowed(void **state)
{
	struct lab *lab = *state;
	struct bridge_opts o = *bridge_opts(lab->br);
	uint8_t f[60];

	lab_ports(lab, 2);
	o.forward_reserved = RESERVED_LLDP;
	assert_int_equal(bridge_set(lab->br, &o, NULL), 0);
	for (int last = 0; last < 17; last++) {
		frame_make(f, 9, 1, -1, 60);
		memcpy(f, "\x01\x80\xc2\x00\x00", 5);
		f[5] = (uint8_t)last;
		fake_inject(lab->port[0], f, 60);
	}
	assert_n_out(lab, 1, 2);
	assert_int_equal(fake_out(lab->port[1], 0, NULL)[5], 0xe);
	assert_int_equal(fake_out(lab->port[1], 1, NULL)[5], 0x10);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_RESERVED_ADDRESS], 15);
}

static void lengths_outside_the_rules_are_counted(void **state)
{
	struct lab *lab = *state;
	uint8_t f[2000];

	lab_ports(lab, 2);
	assert_int_equal(port_mtu_set(fake_port(lab->port[0]), 1500, NULL), 0);
	fake_inject(lab->port[0], f, frame_make(f, 9, 1, -1, 13));
	fake_inject(lab->port[0], f, frame_make(f, 9, 1, 10, 17)); /* a tag without its type */
	fake_inject(lab->port[0], f, frame_make(f, 9, 1, -1, 1522));
	fake_inject(lab->port[0], f, frame_make(f, 9, 1, -1, 1523));
	assert_n_out(lab, 1, 1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_TOO_SHORT], 2);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_TOO_LONG], 1);
}

static void frame_over_the_egress_mtu_is_counted_there(void **state)
{
	struct lab *lab = *state;
	uint8_t f[2000];

	lab_ports(lab, 2);
	assert_int_equal(port_mtu_set(fake_port(lab->port[1]), 1500, NULL), 0);
	fake_inject(lab->port[0], f, frame_make(f, 9, 1, -1, 1600));
	assert_n_out(lab, 1, 0);
	assert_int_equal(lab_counters(lab, 1).tx_drops[TX_TOO_LONG], 1);
	assert_int_equal(lab_counters(lab, 0).rx_forwarded, 1);
}

static void down_port_gets_no_floods_and_counts_unicast(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	lab_send(lab, 1, 0xff, 2, -1);
	assert_int_equal(port_admin_set(fake_port(lab->port[1]), false, NULL), 0);
	lab_send(lab, 0, 2, 1, -1);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_n_out(lab, 1, 0);
	assert_int_equal(lab_counters(lab, 1).tx_drops[TX_NOT_UP], 1);
}

static void lone_port_counts_no_port(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 1);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_NO_PORT], 1);
}

static void flood_reaches_more_ports_than_are_staged_at_once(void **state)
{
	struct lab *lab = *state;
	struct fake_port *fp[100];
	char name[16];

	for (unsigned i = 0; i < 100; i++) {
		struct port_opts po = {.name = name, .bridge = lab->br};

		snprintf(name, sizeof(name), "x%u", i);
		vlan_policy_default(&po.vlan);
		assert_int_equal(fake_port_add(lab->sw, &po, 1, &fp[i], NULL), 0);
	}
	for (uint8_t i = 0; i < 40; i++) {
		uint8_t f[60];

		fake_inject(fp[0], f, frame_make(f, 0xff, i, -1, 60));
	}
	fake_settle(lab->sw);
	for (unsigned i = 1; i < 100; i++) {
		assert_int_equal(fake_n_out(fp[i]), 40);
		for (unsigned k = 0; k < 40; k++)
			assert_int_equal(fake_out(fp[i], k, NULL)[11], k);
	}
}

static void helpers_are_summed_and_the_scratch_block_is_not(void **state)
{
	struct lab *lab = *state;
	struct port *p;

	lab_ports(lab, 2);
	p = fake_port(lab->port[1]);
	lab_send(lab, 0, 0xff, 1, -1);
	lab_send(lab, 0, 0xff, 1, -1);
	for (unsigned h = 0; h < PORT_HELPERS_MAX; h++)
		port_helper_counters(p, h)->tx_drops[TX_HOST_REFUSED] = 1;
	port_helper_counters(p, PORT_HELPERS_MAX - 1)->tx_frames = 5;
	p->counters[port_scratch_block(lab->sw)].tx_frames = 100;
	assert_int_equal(lab_counters(lab, 1).tx_frames, 2 + 5);
	assert_int_equal(lab_counters(lab, 1).tx_drops[TX_HOST_REFUSED], PORT_HELPERS_MAX);
}

/* Frames in one burst share a decision only while everything it looks at is the same. */
static void neighbours_in_a_burst_are_told_apart(void **state)
{
	struct lab *lab = *state;
	struct vlan_policy native = vlan_trunk(5, (const uint16_t[]){5, 6, 0});
	uint8_t f[1600];
	static const struct {
		int tci;
		uint16_t inner; /* type behind the tag */
		size_t len;
		int tci_out; /* -2: dropped */
	} cases[] = {
		{5, 0x88b5, 60, -1},	  {5, 0x88b5, 61, -1},	    {5, 0x8100, 60, 5},
		{5, 0x88b5, 60, -1},	  {6, 0x88b5, 60, 6},	    {6, 0x88b5, 1523, -2},
		{6, 0x88b5, 60, 6},	  {7, 0x88b5, 60, -2},	    {0x2006, 0x88b5, 60, 0x2006},
		{0x2006, 0x88b5, 17, -2}, {-1, 0x88b5, 60, -1},	    {-1, 0x88b5, 14, -1},
		{-1, 0x88b5, 13, -2},	  {-1, 0x88b5, 14, -1},
	};
	unsigned n_out = 0;

	for (unsigned i = 0; i < 2; i++)
		lab_port(lab, i, lab->br, &native);
	assert_int_equal(port_mtu_set(fake_port(lab->port[0]), 1500, NULL), 0);
	fake_inject(lab->port[1], f, frame_make(f, 1, 9, 5, 60));
	fake_inject(lab->port[1], f, frame_make(f, 1, 9, 6, 60));
	fake_settle(lab->sw);
	assert_int_equal(port_admin_set(fake_port(lab->port[0]), false, NULL), 0);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		frame_make(f, 9, 1, cases[i].tci, cases[i].len);
		if (cases[i].tci >= 0) {
			f[16] = (uint8_t)(cases[i].inner >> 8);
			f[17] = (uint8_t)cases[i].inner;
		}
		fake_inject(lab->port[0], f, cases[i].len);
	}
	/* All of them wait: the worker takes them in one burst. */
	assert_int_equal(port_admin_set(fake_port(lab->port[0]), true, NULL), 0);
	fake_settle(lab->sw);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (cases[i].tci_out != -2)
			assert_int_equal(out_tci(lab, 1, n_out++), cases[i].tci_out);
	assert_n_out(lab, 1, n_out);
}

static void two_workers_keep_each_flow_in_order(void **state)
{
	struct lab *lab = *state;
	unsigned next[2] = {0, 0};
	uint8_t f[64];

	lab_ports(lab, 3); /* ports 0 and 1 are polled by different workers, both send to 2 */
	lab_send(lab, 2, 0xff, 9, -1);
	fake_clear(lab->port[0]);
	fake_clear(lab->port[1]);
	for (unsigned i = 0; i < 20000; i++) {
		frame_make(f, 9, (uint8_t)(1 + i % 2), -1, sizeof(f));
		memcpy(f + 20, &i, sizeof(i));
		fake_inject(lab->port[i % 2], f, sizeof(f));
	}
	assert_n_out(lab, 2, 20000);
	for (unsigned k = 0; k < 20000; k++) {
		unsigned i, from;

		memcpy(&i, fake_out(lab->port[2], k, NULL) + 20, sizeof(i));
		from = i % 2;
		assert_int_equal(i / 2, next[from]);
		next[from]++;
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(unknown_unicast_floods_all_but_ingress),
		T(full_ring_is_tried_again_once),
		T(full_ring_is_tried_again_where_a_helper_counts),
		T(ring_that_stays_full_gets_no_second_try),
		T(frame_to_own_port_is_dropped),
		T(every_size_is_delivered_byte_for_byte),
		T(order_is_kept_over_bursts),
		T(invalid_sources_are_dropped),
		T(reserved_groups_pass_only_where_allowed),
		T(lengths_outside_the_rules_are_counted),
		T(frame_over_the_egress_mtu_is_counted_there),
		T(down_port_gets_no_floods_and_counts_unicast),
		T(lone_port_counts_no_port),
		T(flood_reaches_more_ports_than_are_staged_at_once),
		T(helpers_are_summed_and_the_scratch_block_is_not),
		T(neighbours_in_a_burst_are_told_apart),
		cmocka_unit_test_setup_teardown(two_workers_keep_each_flow_in_order, lab_setup_2_workers, lab_teardown),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
