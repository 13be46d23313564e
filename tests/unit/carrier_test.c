/* SPDX-License-Identifier: BSD-3-Clause */
/* Who shall see a link: by the administrator, and along a wire. */
#include "tests/unit/lab.h"

#include <string.h>

static struct bridge *wire(struct lab *lab)
{
	const struct bridge_opts opts = {.ageing_s = 300, .max_macs = 64, .wire = true};
	struct bridge *br;
	struct err err = ERR_NONE;

	if (bridge_add(lab->sw, "wire", &opts, &br, &err) < 0)
		fail_msg("%s", err.text);
	return br;
}

static void admin(struct lab *lab, unsigned i, bool up)
{
	assert_int_equal(port_admin_set(fake_port(lab->port[i]), up, NULL), 0);
}

static bool carrier(struct lab *lab, unsigned i)
{
	struct port_info info;

	port_info(fake_port(lab->port[i]), &info);
	assert_int_equal(info.carrier, fake_carrier(lab->port[i], NULL));
	return info.carrier;
}

static void down_is_no_carrier_and_up_is_one(void **state)
{
	struct lab *lab = *state;
	unsigned n, told;

	lab_ports(lab, 2);
	assert_true(carrier(lab, 0));
	fake_carrier(lab->port[0], &told);
	admin(lab, 0, false);
	assert_false(carrier(lab, 0));
	assert_true(carrier(lab, 1)); /* a switch goes on showing its ports */
	admin(lab, 0, true);
	assert_true(carrier(lab, 0));
	fake_carrier(lab->port[0], &n);
	assert_int_equal(n, told + 2);
}

static void wire_has_no_carrier_without_the_other_end(void **state)
{
	struct lab *lab = *state;
	struct bridge *br = wire(lab);
	struct vlan_policy vlan;

	vlan_policy_default(&vlan);
	lab_port(lab, 0, br, &vlan);
	assert_false(carrier(lab, 0));
	lab_port(lab, 1, br, &vlan);
	assert_true(carrier(lab, 0));
	assert_true(carrier(lab, 1));
	admin(lab, 1, false);
	assert_false(carrier(lab, 0));
	assert_false(carrier(lab, 1));
	admin(lab, 1, true);
	assert_true(carrier(lab, 0));
	assert_true(carrier(lab, 1));
	assert_int_equal(port_del(fake_port(lab->port[1]), NULL), 0);
	assert_false(carrier(lab, 0));
}

/* A guest that boots holds its end; one that has gone does not. */
static void other_end_is_there_while_it_negotiates(void **state)
{
	struct lab *lab = *state;
	struct bridge *br = wire(lab);
	struct vlan_policy vlan;

	vlan_policy_default(&vlan);
	lab_port(lab, 0, br, &vlan);
	lab_port(lab, 1, br, &vlan);
	port_state_set(fake_port(lab->port[1]), PORT_NEGOTIATING, "%s", "");
	assert_true(carrier(lab, 0));
	port_state_set(fake_port(lab->port[1]), PORT_CONNECTING, "%s", "");
	assert_false(carrier(lab, 0));
	assert_true(carrier(lab, 1)); /* or neither would ever be the first */
	port_state_set(fake_port(lab->port[1]), PORT_ERRORED, "%s", "");
	assert_false(carrier(lab, 0));
	port_state_set(fake_port(lab->port[1]), PORT_UP, "%s", "");
	assert_true(carrier(lab, 0));
}

static void cut_link_takes_no_carrier_from_the_bridges(void **state)
{
	struct lab *lab = *state;
	const struct bridge_opts opts = {.ageing_s = 300, .max_macs = 64};
	struct port_opts po = {.name = "l", .bridge = lab->br};
	struct err err = ERR_NONE;
	struct bridge *br;
	struct port *link;

	lab_ports(lab, 1);
	assert_int_equal(bridge_add(lab->sw, "br2", &opts, &br, &err), 0);
	vlan_policy_default(&po.vlan);
	assert_int_equal(link_add(lab->sw, &po, br, &link, &err), 0);
	assert_int_equal(port_admin_set(link, false, &err), 0);
	assert_true(carrier(lab, 0));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(down_is_no_carrier_and_up_is_one),
		T(wire_has_no_carrier_without_the_other_end),
		T(other_end_is_there_while_it_negotiates),
		T(cut_link_takes_no_carrier_from_the_bridges),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
