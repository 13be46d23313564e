/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which addresses the learning bridge knows, over fake ports: learned, moved, aged, flushed and static ones, and that
 * what was decided before does not outlive them.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "switch/internal.h"
#include "tests/unit/lab.h"

static void learned_address_gets_unicast(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	lab_send(lab, 1, 0xff, 2, -1);
	fake_clear(lab->port[0]);
	fake_clear(lab->port[2]);
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 1, 1);
	assert_n_out(lab, 2, 0);
}

static void learned_mac_moves_to_new_port(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	lab_send(lab, 1, 0xff, 2, -1);
	lab_send(lab, 2, 0xff, 2, -1);
	for (int i = 0; i < 3; i++)
		fake_clear(lab->port[i]);
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 1, 0);
	assert_n_out(lab, 2, 1);
}

/* 0 and 1 have talked just now: what was decided for them is still known. */
static void two_talk(struct lab *lab)
{
	lab_ports(lab, 3);
	lab_send(lab, 1, 0xff, 2, -1);
	for (int i = 0; i < 3; i++)
		lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 1, 3);
	for (int i = 0; i < 3; i++)
		fake_clear(lab->port[i]);
}

static void talk_follows_a_mac_that_moves_at_once(void **state)
{
	struct lab *lab = *state;

	two_talk(lab);
	lab_send(lab, 2, 0xff, 2, -1);
	fake_clear(lab->port[1]);
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 1, 0);
	assert_n_out(lab, 2, 1);
}

static void talk_is_flooded_at_once_when_its_mac_is_flushed(void **state)
{
	struct lab *lab = *state;

	two_talk(lab);
	bridge_fdb_flush(lab->br, NULL);
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 1, 1);
	assert_n_out(lab, 2, 1);
}

static void talk_ends_at_once_when_a_port_leaves_the_vlan(void **state)
{
	struct vlan_policy other = vlan_access(20);
	struct lab *lab = *state;

	two_talk(lab);
	assert_int_equal(port_vlan_set(fake_port(lab->port[1]), &other, NULL), 0);
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 1, 0);
}

/* The sender's own address moves while what it sends is known: the way back has to follow. */
static void sender_is_learned_again_on_its_new_port(void **state)
{
	struct lab *lab = *state;

	two_talk(lab);
	lab_send(lab, 2, 2, 1, -1);
	lab_send(lab, 1, 1, 2, -1);
	assert_n_out(lab, 2, 1);
	lab_send(lab, 0, 2, 1, -1); /* and back */
	fake_clear(lab->port[0]);
	lab_send(lab, 1, 1, 2, -1);
	assert_n_out(lab, 0, 1);
	assert_n_out(lab, 2, 1);
}

static void addresses_are_learned_per_vlan(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	lab_send(lab, 1, 0xff, 2, 10);
	lab_send(lab, 2, 0xff, 2, 20);
	for (int i = 0; i < 3; i++)
		fake_clear(lab->port[i]);
	lab_send(lab, 0, 2, 1, 10);
	assert_n_out(lab, 1, 1);
	assert_n_out(lab, 2, 0);
	lab_send(lab, 0, 2, 1, 20);
	assert_n_out(lab, 1, 1);
	assert_n_out(lab, 2, 1);
}

static void expired_address_is_flooded(void **state)
{
	struct lab *lab = *state;
	struct bridge_opts o = *bridge_opts(lab->br);

	o.ageing_s = 1;
	assert_int_equal(bridge_set(lab->br, &o, NULL), 0);
	lab_ports(lab, 3);
	lab_send(lab, 1, 0xff, 2, -1);
	usleep(2100000); /* ages are whole seconds: more than one, whatever the phase */
	fake_clear(lab->port[2]);
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 2, 1);
}

/* Runs the loop until the timer of the sweep is there, or gone. */
static void sweep_await(struct lab *lab, bool planned)
{
	uint64_t end_ns = loop_now_ns() + 20 * S_NS;

	while ((lab->sw->sweep_timer != NULL) != planned) {
		assert_true(loop_now_ns() < end_ns);
		assert_int_equal(loop_once(lab->loop, 100), 0);
	}
}

static void timer_ticks_only_while_addresses_can_expire(void **state)
{
	struct lab *lab = *state;
	struct bridge_opts o = *bridge_opts(lab->br);
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};

	o.ageing_s = 1;
	assert_int_equal(bridge_set(lab->br, &o, NULL), 0);
	lab_ports(lab, 2);
	assert_int_equal(bridge_fdb_add(lab->br, mac, 1, fake_port(lab->port[1]), NULL), 0);
	for (unsigned i = 0; i < 5; i++)
		loop_once(lab->loop, 20);
	assert_null(lab->sw->sweep_timer);
	for (unsigned again = 0; again < 2; again++) {
		lab_send(lab, 0, 9, 1, -1);
		sweep_await(lab, true);
		assert_int_equal(bridge_n_macs(lab->br), 2);
		sweep_await(lab, false);
		assert_int_equal(bridge_n_macs(lab->br), 1);
	}
}

static void static_address_never_moves(void **state)
{
	struct lab *lab = *state;
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};

	lab_ports(lab, 3);
	assert_int_equal(bridge_fdb_add(lab->br, mac, 1, fake_port(lab->port[1]), NULL), 0);
	lab_send(lab, 2, 0xff, 2, -1);
	for (int i = 0; i < 3; i++)
		fake_clear(lab->port[i]);
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 1, 1);
	assert_n_out(lab, 2, 0);
}

static void smaller_table_loses_no_static_address(void **state)
{
	struct bridge_opts o = {.ageing_s = 300, .max_macs = BRIDGE_MACS_MIN};
	struct lab *lab = *state;
	struct err err = ERR_NONE;

	lab_ports(lab, 1);
	for (unsigned i = 0; i < 100; i++) {
		const uint8_t mac[6] = {2, 0, 0, 0, 1, (uint8_t)i};

		assert_int_equal(bridge_fdb_add(lab->br, mac, 1, fake_port(lab->port[0]), NULL), 0);
	}
	assert_int_equal(bridge_set(lab->br, &o, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "static addresses do not fit into max-macs 16"));
	assert_int_equal(bridge_n_macs(lab->br), 100);
	o.max_macs = 1000;
	assert_int_equal(bridge_set(lab->br, &o, &err), 0);
	assert_int_equal(bridge_n_macs(lab->br), 100);
}

static void deleted_port_is_forgotten(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	lab_send(lab, 1, 0xff, 2, -1);
	assert_int_equal(port_del(fake_port(lab->port[1]), NULL), 0);
	lab_port(lab, 3, lab->br, NULL); /* takes the free id */
	fake_clear(lab->port[2]);
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 2, 1); /* flooded: unknown */
	assert_n_out(lab, 3, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(learned_address_gets_unicast),
		T(learned_mac_moves_to_new_port),
		T(talk_follows_a_mac_that_moves_at_once),
		T(talk_is_flooded_at_once_when_its_mac_is_flushed),
		T(talk_ends_at_once_when_a_port_leaves_the_vlan),
		T(sender_is_learned_again_on_its_new_port),
		T(addresses_are_learned_per_vlan),
		T(expired_address_is_flooded),
		T(timer_ticks_only_while_addresses_can_expire),
		T(static_address_never_moves),
		T(smaller_table_loses_no_static_address),
		T(deleted_port_is_forgotten),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
