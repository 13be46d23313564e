/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a port may use of others' room and time: addresses, storms, a rate, its share of a worker.
 */
#include "tests/unit/lab.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- max-macs ---- */

static void a_port_has_no_more_addresses_than_it_may(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	assert_int_equal(port_policy_set(fake_port(lab->port[0]),
					 &(struct port_policy){.max_macs = 2}, NULL),
			 0);
	lab_send(lab, 0, 0xff, 1, -1);
	lab_send(lab, 0, 0xff, 2, -1);
	lab_send(lab, 0, 0xff, 3, -1);
	lab_send(lab, 0, 0xff, 1, -1);
	lab_send(lab, 1, 0xff, 4, -1);
	lab_send(lab, 0, 0xff, 4, -1); /* nor by a move */
	assert_n_out(lab, 1, 3);
	assert_int_equal(lab_drops(lab, 0, RX_MAC_LIMIT), 2);
	assert_false(lab_is_learned(lab, 3, 0));
	/* Room again. */
	bridge_fdb_flush(lab->br, fake_port(lab->port[0]));
	lab_send(lab, 0, 0xff, 3, -1);
	assert_n_out(lab, 1, 4);
}

/* ---- storm ---- */

/* 100 a second, 10 at once: of 200 at once some tens pass, if the machine is slow; the others are counted. */
static void a_storm_is_cut_off(void **state)
{
	struct lab *lab = *state;
	uint8_t f[200][60];
	uint64_t begin_ns, ms, n;

	lab_ports(lab, 3);
	lab_send(lab, 1, 0xff, 2, -1);
	fake_clear(lab->port[2]);
	lab_policy_set(lab, 0, (struct port_policy){.storm = 100});
	for (unsigned k = 0; k < 200; k++)
		frame_make(f[k], k % 3 ? 0xff : 9, 1, -1, 60); /* broadcast, and unknown */
	begin_ns = loop_now_ns();
	lab_send_together(lab, 0, f, 200);
	ms = (loop_now_ns() - begin_ns) / 1000000;
	n = fake_n_out(lab->port[1]);
	assert_in_range(n, 10, 11 + ms / 10);
	assert_int_equal(lab_drops(lab, 0, RX_STORM), 200 - n);
	/* The first ones, whole, to each. */
	assert_n_out(lab, 2, (unsigned)n);
	for (unsigned k = 0; k < 10; k++)
		assert_memory_equal(fake_out(lab->port[2], k, NULL), f[k], 60);
	/* What is not flooded is no storm. */
	for (unsigned k = 0; k < 100; k++)
		frame_make(f[k], 2, 1, -1, 60);
	lab_send_together(lab, 0, f, 100);
	assert_n_out(lab, 1, (unsigned)n + 100);
}

static void what_is_left_of_a_run_crosses_a_link_with_its_bytes(void **state)
{
	struct lab *lab = *state;
	struct port_counters c;
	uint8_t f[32][60];
	uint64_t n;

	lab_ports(lab, 2);
	lab_port(lab, 2, lab_bridge(lab, 1), NULL);
	lab_link(lab, "wire", 0, 1, NULL);
	lab_policy_set(lab, 0, (struct port_policy){.storm = 100});
	for (unsigned k = 0; k < 32; k++)
		frame_make(f[k], 0xff, 1, -1, 60);
	lab_send_together(lab, 0, f, 32);
	n = 32 - lab_drops(lab, 0, RX_STORM);
	assert_in_range(n, 10, 31);
	assert_n_out(lab, 2, (unsigned)n);
	port_counters_read(port_find(lab->sw, "wire"), &c);
	assert_int_equal(c.tx_frames, n);
	assert_int_equal(c.tx_bytes, n * 60);
}

/* ---- rate ---- */

static uint64_t polls(struct lab *lab)
{
	struct worker_stats w;

	switch_worker_stats(lab->sw, 0, &w);
	return w.polls;
}

static void inject_large(struct lab *lab, unsigned i, unsigned n)
{
	uint8_t f[1514];

	frame_make(f, 0xff, 1, -1, sizeof(f));
	for (unsigned k = 0; k < n; k++)
		fake_inject(lab->port[i], f, sizeof(f));
}

/* Never more than the rate and its depth; never less while the worker has its CPU: some of the windows show that. */
static void a_rate_is_kept_and_nothing_is_lost(void **state)
{
	const double rate = 100e6 / 8;
	struct lab *lab = *state;
	uint64_t begin_ns = loop_now_ns(), was_ns = begin_ns, was = 0;
	unsigned n = 0;
	bool exact = false;

	lab_ports(lab, 2);
	lab_policy_set(lab, 0, (struct port_policy){.rate = 100000000});
	inject_large(lab, 0, 8000); /* a second */
	while (n < 8000) {
		uint64_t now_ns, bytes;

		usleep(50000);
		bytes = lab_counters(lab, 0).rx_bytes;
		now_ns = loop_now_ns();
		n = fake_n_out(lab->port[1]);
		assert_true((double)bytes <
			    rate * ((double)(now_ns - begin_ns) / 1e9 + 0.021) * 1.02);
		if (was && n < 8000) {
			double of =
				(double)(bytes - was) / (rate * (double)(now_ns - was_ns) / 1e9);

			exact |= of > 0.98 && of < 1.02;
		}
		assert_true(now_ns - begin_ns < 30 * S_NS);
		was = bytes;
		was_ns = now_ns;
	}
	assert_true(exact);
	assert_true(loop_now_ns() - begin_ns > 930000000);
	assert_n_out(lab, 1, 8000);
}

static void who_is_held_up_holds_up_nobody_else(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	lab_policy_set(lab, 0, (struct port_policy){.rate = 1000000});
	inject_large(lab, 0, 30);
	for (unsigned k = 0; k < 20; k++) {
		uint8_t f[60];
		unsigned n_before = fake_n_out(lab->port[2]);
		uint64_t end_ns = loop_now_ns() + 10 * S_NS;

		fake_inject(lab->port[1], f, frame_make(f, 0xff, 2, -1, sizeof(f)));
		while (fake_n_out(lab->port[2]) == n_before)
			assert_true(loop_now_ns() < end_ns);
	}
	/* Another limit counts soon, and the old one's debts do not. */
	lab_policy_set(lab, 0, (struct port_policy){.rate = 1000000000});
	assert_n_out(lab, 2, 50);
}

/* Not while it waits, and not while it has nothing to wait for. */
static void a_worker_sleeps_while_a_port_is_held_up(void **state)
{
	struct lab *lab = *state;
	uint64_t before, waiting;

	lab_ports(lab, 2);
	lab_policy_set(lab, 0, (struct port_policy){.rate = 1000000});
	inject_large(lab, 0, 20); /* 240 ms */
	before = polls(lab);
	assert_n_out(lab, 1, 20);
	waiting = polls(lab) - before;
	assert_true(waiting < 30000);
	while (!fake_is_quiet(lab->port[0]))
		usleep(1000);
	usleep(50000);
	before = polls(lab);
	usleep(200000);
	assert_int_equal(polls(lab), before);
}

/* ---- shares ---- */

#define N_EACH	6000 /* frames of each sender in a race */
#define N_RACES 8

static uint64_t busy(struct lab *lab, unsigned i)
{
	return atomic_load(&fake_port(lab->port[i])->load[0].busy_cycles);
}

/* What both had used when port 1 began and when it ended, by the worker's own hand. */
struct race {
	struct lab *lab;
	uint64_t begin[2], end[2];
	bool runs;
};

static void on_taken(void *arg, unsigned n_left)
{
	struct race *r = arg;

	for (unsigned i = 0; i < 2; i++) {
		r->begin[i] = r->runs ? r->begin[i] : busy(r->lab, i);
		r->end[i] = busy(r->lab, i);
	}
	r->runs = n_left;
}

/* Both send all that they have. The share of port 1, in per cent. */
static double race(struct lab *lab, struct race *r)
{
	double flood, own;
	uint8_t f[60];

	fake_hold_all(true);
	for (unsigned i = 0; i < 2; i++) {
		frame_make(f, i ? 3 : 0xff, (uint8_t)(1 + i), -1, sizeof(f));
		for (unsigned k = 0; k < N_EACH; k++)
			fake_inject(lab->port[i], f, sizeof(f));
	}
	for (unsigned i = 2; i < 14; i++)
		fake_clear(lab->port[i]);
	fake_hold_all(false);
	fake_settle(lab->sw);
	flood = (double)(r->end[0] - r->begin[0]);
	own = (double)(r->end[1] - r->begin[1]);
	print_message("unicast had %.1f %% of %.1f million cycles\n", 100 * own / (own + flood),
		      (own + flood) / 1e6);
	return 100 * own / (own + flood);
}

/* Port 0 floods to 13 others, port 1 sends to one; both all the time. A worker that loses its CPU in the
 * middle has cycles that nobody used: one race without that will do. */
static void a_flood_leaves_half_of_the_worker_to_unicast(void **state)
{
	struct race r = {.lab = *state};
	bool fair = false;

	lab_ports(r.lab, 14);
	lab_send(r.lab, 2, 0xff, 3, -1);
	fake_on_taken(r.lab->port[1], on_taken, &r);
	for (unsigned i = 0; i < N_RACES && !fair; i++) {
		double share = race(r.lab, &r);

		fair = share > 45;
	}
	assert_true(fair);
}

#define LAB(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(a_port_has_no_more_addresses_than_it_may),
		LAB(a_storm_is_cut_off),
		LAB(what_is_left_of_a_run_crosses_a_link_with_its_bytes),
		LAB(a_rate_is_kept_and_nothing_is_lost),
		LAB(who_is_held_up_holds_up_nobody_else),
		LAB(a_worker_sleeps_while_a_port_is_held_up),
		LAB(a_flood_leaves_half_of_the_worker_to_unicast),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
