/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits of a port where there is nothing left to limit: a table that others have filled, a receiver that is not there.
 */
#include "tests/unit/lab.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MACS BRIDGE_MACS_MIN

/* Learned addresses of the bridge; of a port, or (-1) of all. */
static unsigned n_learned(struct lab *lab, struct bridge *br, int port)
{
	struct fdb_record e[64];
	unsigned n_found = 0;
	uint64_t at = 0;

	do {
		unsigned n = bridge_fdb_read(br, &at, e, 64);

		for (unsigned i = 0; i < n; i++)
			n_found += port < 0 || e[i].port == fake_port(lab->port[port]);
	} while (at);
	return n_found;
}

/* Ports 0 to 2 on a bridge of so few addresses that port 0 has filled it. */
static struct bridge *full_bridge(struct lab *lab)
{
	const struct bridge_opts bo = {.ageing_s = 300, .max_macs = MACS};
	struct bridge *br;

	assert_int_equal(bridge_add(lab->sw, "small", &bo, &br, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		lab_port(lab, i, br, NULL);
	for (uint8_t mac = 100; mac < 100 + 4 * MACS; mac++)
		lab_send(lab, 0, 0xff, mac, -1);
	assert_in_range(n_learned(lab, br, 0), MACS, 2 * MACS);
	fake_clear(lab->port[1]);
	fake_clear(lab->port[2]);
	return br;
}

/* ---- max-macs ---- */

/* It gets its few, keeps them against who filled the table, and no more of them. */
static void a_full_table_holds_what_a_port_may_have(void **state)
{
	struct lab *lab = *state;
	struct bridge *br = full_bridge(lab);

	lab_policy_set(lab, 1, (struct port_policy){.max_macs = 2});
	for (uint8_t mac = 1; mac <= 4; mac++)
		lab_send(lab, 1, 0xff, mac, -1);
	assert_int_equal(lab_drops(lab, 1, RX_MAC_LIMIT), 2);
	assert_n_out(lab, 2, 2);
	for (uint8_t mac = 100; mac < 100 + 4 * MACS; mac++)
		lab_send(lab, 0, 0xff, mac, -1);
	assert_int_equal(n_learned(lab, br, 1), 2);
	/* To them, and nowhere else. */
	fake_clear(lab->port[1]);
	fake_clear(lab->port[2]);
	lab_send(lab, 0, 1, 100, -1);
	lab_send(lab, 0, 2, 100, -1);
	assert_n_out(lab, 1, 2);
	assert_n_out(lab, 2, 0);
	assert_int_equal(lab_drops(lab, 1, RX_MAC_LIMIT), 2);
}

/* A table that has no room is no limit of the port: what is not learned is forwarded all the same. */
static void a_limit_beyond_a_full_table_drops_nothing(void **state)
{
	struct lab *lab = *state;
	struct bridge *br = full_bridge(lab);

	lab_policy_set(lab, 0, (struct port_policy){.max_macs = 4 * MACS});
	lab_policy_set(lab, 1, (struct port_policy){.max_macs = 4 * MACS});
	for (uint8_t mac = 1; mac <= 3 * MACS; mac++)
		lab_send(lab, 1, 0xff, mac, -1);
	assert_n_out(lab, 2, 3 * MACS);
	assert_int_equal(lab_drops(lab, 1, RX_MAC_LIMIT), 0);
	assert_in_range(n_learned(lab, br, 1), MACS / 2, MACS + MACS / 4);
	/* Nor has the other one less than its share. */
	assert_in_range(n_learned(lab, br, 0), MACS / 4, MACS);
}

/* What the limit took from others' room while it was not there stays; a new one is not among it. */
static void a_limit_that_comes_to_a_full_table_takes_nothing_away(void **state)
{
	struct lab *lab = *state;
	struct bridge *br = full_bridge(lab);
	unsigned n = n_learned(lab, br, 0);

	lab_policy_set(lab, 0, (struct port_policy){.max_macs = 1});
	lab_send(lab, 0, 0xff, 9, -1);
	assert_int_equal(lab_drops(lab, 0, RX_MAC_LIMIT), 1);
	assert_n_out(lab, 2, 0);
	assert_int_equal(n_learned(lab, br, 0), n);
	bridge_fdb_flush(br, fake_port(lab->port[0]));
	lab_send(lab, 0, 0xff, 9, -1);
	assert_n_out(lab, 2, 1);
}

/* ---- rate ---- */

#define N_EACH 20

static uint64_t polls(struct lab *lab)
{
	struct worker_stats w;

	switch_worker_stats(lab->sw, 0, &w);
	return w.polls;
}

/* 1 Mbit/s each, 12.1 ms a frame: what nobody takes is paid for as well, and the worker sleeps in between. */
static void two_rates_toward_an_absent_port_are_kept(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct lab *lab = *state;
	uint64_t begin_ns, before;
	uint8_t f[1514];

	lab_ports(lab, 4);
	assert_int_equal(bridge_fdb_add(lab->br, mac, 1, fake_port(lab->port[2]), NULL), 0);
	assert_int_equal(port_admin_set(fake_port(lab->port[2]), false, NULL), 0);
	for (unsigned i = 0; i < 2; i++)
		lab_policy_set(lab, i, (struct port_policy){.rate = 1000000});
	begin_ns = loop_now_ns();
	before = polls(lab);
	for (unsigned i = 0; i < 2; i++) {
		frame_make(f, 9, (uint8_t)(1 + i), -1, sizeof(f));
		for (unsigned k = 0; k < N_EACH; k++)
			fake_inject(lab->port[i], f, sizeof(f));
	}
	fake_settle(lab->sw);
	assert_int_equal(lab_counters(lab, 2).tx_drops[TX_NOT_UP], 2 * N_EACH);
	/* The first frame of each costs nothing yet, and 20 ms are its depth. */
	assert_true(loop_now_ns() - begin_ns > (N_EACH - 1) * 12 * MS_NS - 20 * MS_NS);
	assert_true(polls(lab) - before < 30000);
	assert_n_out(lab, 3, 0);
	/* When it comes, what follows comes there, at the same rates. */
	assert_int_equal(port_admin_set(fake_port(lab->port[2]), true, NULL), 0);
	begin_ns = loop_now_ns();
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < N_EACH / 2; k++)
			fake_inject(lab->port[i], f, sizeof(f));
	assert_n_out(lab, 2, N_EACH);
	assert_true(loop_now_ns() - begin_ns > (N_EACH / 2 - 1) * 12 * MS_NS - 20 * MS_NS);
}

/* One that is full keeps frames on their rings for a moment: neither of the two waits for it longer than its rate says. */
static void two_rates_toward_a_port_that_takes_nothing_are_kept(void **state)
{
	struct lab *lab = *state;
	uint64_t begin_ns;
	uint8_t f[1514];

	lab_ports(lab, 3);
	lab_send(lab, 2, 0xff, 9, -1);
	for (unsigned i = 0; i < 2; i++)
		lab_policy_set(lab, i, (struct port_policy){.rate = 1000000});
	fake_full_set(lab->port[2], true);
	begin_ns = loop_now_ns();
	for (unsigned i = 0; i < 2; i++) {
		frame_make(f, 9, (uint8_t)(1 + i), -1, sizeof(f));
		for (unsigned k = 0; k < N_EACH; k++)
			fake_inject(lab->port[i], f, sizeof(f));
	}
	fake_settle(lab->sw);
	assert_int_equal(lab_counters(lab, 2).tx_drops[TX_RING_FULL], 2 * N_EACH);
	assert_true(loop_now_ns() - begin_ns > (N_EACH - 1) * 12 * MS_NS - 20 * MS_NS);
	fake_full_set(lab->port[2], false);
	lab_send(lab, 0, 9, 1, -1);
	lab_send(lab, 1, 9, 2, -1);
	assert_n_out(lab, 2, 2);
}

#define LAB(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(a_full_table_holds_what_a_port_may_have),
		LAB(a_limit_beyond_a_full_table_drops_nothing),
		LAB(a_limit_that_comes_to_a_full_table_takes_nothing_away),
		LAB(two_rates_toward_an_absent_port_are_kept),
		LAB(two_rates_toward_a_port_that_takes_nothing_are_kept),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
