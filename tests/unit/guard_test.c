/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guards, owned addresses and isolation on a whole switch with fake ports.
 */
#include "tests/unit/lab.h"

#include <errno.h>
#include <string.h>

#include "switch/trace.h"

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1};

/* Port i has the address 02:00:00:00:00:mac and these checks. */
static void guard_set(struct lab *lab, unsigned i, uint8_t checks, uint8_t mac)
{
	struct port_policy p = {.guard.checks = checks};
	struct err err = ERR_NONE;

	memcpy(p.guard.mac, own_mac, 6);
	p.guard.mac[5] = mac;
	if (port_policy_set(fake_port(lab->port[i]), &p, &err) < 0)
		fail_msg("%s", err.text);
}

static void isolate(struct lab *lab, unsigned i)
{
	lab_policy_set(lab, i, (struct port_policy){.isolated = true});
}

/* port[0] and port[1] on the lab's bridge, a link with this policy, port[2] on another bridge. */
static void linked(struct lab *lab, struct port_policy policy)
{
	lab_ports(lab, 2);
	lab_port(lab, 2, lab_bridge(lab, 1), NULL);
	assert_int_equal(port_policy_set(lab_link(lab, "wire", 0, 1, NULL), &policy, NULL), 0);
}

/* ---- guard mac ---- */

static void own_source_passes(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	guard_set(lab, 0, GUARD_MAC, 1);
	lab_send(lab, 0, 0xff, 1, -1);
	lab_send(lab, 0, 0xff, 1, 10);
	assert_n_out(lab, 1, 2);
	assert_n_out(lab, 2, 2);
}

static void other_source_is_dropped(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	guard_set(lab, 0, GUARD_MAC, 1);
	lab_send(lab, 0, 0xff, 3, -1);
	lab_send(lab, 0, 0xff, 3, 10);
	assert_n_out(lab, 1, 0);
	assert_int_equal(lab_drops(lab, 0, RX_GUARD_MAC), 2);
	assert_false(lab_is_learned(lab, 3, 0));
}

static void one_of_a_run_is_dropped_alone(void **state)
{
	struct lab *lab = *state;
	uint8_t f[8][60];

	lab_ports(lab, 2);
	lab_send(lab, 1, 0xff, 2, -1);
	guard_set(lab, 0, GUARD_MAC, 1);
	for (unsigned k = 0; k < 8; k++)
		frame_make(f[k], 2, k == 4 ? 3 : 1, -1, 60);
	lab_send_together(lab, 0, f, 8);
	assert_n_out(lab, 1, 7);
	assert_int_equal(lab_drops(lab, 0, RX_GUARD_MAC), 1);
	for (unsigned k = 0; k < 7; k++)
		assert_int_equal(fake_out(lab->port[1], k, NULL)[11], 1);
}

/* What was decided before the guard came is not taken for the guard's word. */
static void a_new_guard_counts_at_once(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	lab_send(lab, 1, 0xff, 2, -1);
	lab_send(lab, 0, 2, 3, -1);
	lab_send(lab, 0, 2, 3, -1);
	assert_n_out(lab, 1, 2);
	guard_set(lab, 0, GUARD_MAC, 1);
	lab_send(lab, 0, 2, 3, -1);
	assert_n_out(lab, 1, 2);
	guard_set(lab, 0, 0, 1);
	lab_send(lab, 0, 2, 3, -1);
	assert_n_out(lab, 1, 3);
}

static void too_short_stays_too_short(void **state)
{
	struct lab *lab = *state;
	uint8_t f[60];

	lab_ports(lab, 2);
	guard_set(lab, 0, GUARD_MAC, 1);
	frame_make(f, 0xff, 3, -1, sizeof(f));
	fake_inject(lab->port[0], f, 13);
	assert_int_equal(lab_drops(lab, 0, RX_TOO_SHORT), 1);
	assert_int_equal(lab_drops(lab, 0, RX_GUARD_MAC), 0);
}

/* ---- owned addresses ---- */

static void another_port_cannot_take_the_address(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	guard_set(lab, 0, GUARD_MAC, 1);
	lab_send(lab, 0, 0xff, 1, -1);
	fake_clear(lab->port[1]);
	fake_clear(lab->port[2]);
	lab_send(lab, 1, 0xff, 1, -1); /* known there */
	lab_send(lab, 1, 0xff, 1, 10); /* and in a VLAN where it never sent */
	assert_int_equal(lab_drops(lab, 1, RX_MAC_OWNED), 2);
	lab_send(lab, 2, 1, 9, -1);
	assert_n_out(lab, 0, 1);
	assert_n_out(lab, 1, 0);
	assert_n_out(lab, 2, 0);
}

/* Learned elsewhere before, in use there: forgotten with the owner's coming. */
static void the_owner_takes_its_address_back(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	lab_send(lab, 1, 0xff, 1, -1);
	lab_send(lab, 1, 0xff, 1, 10);
	assert_true(lab_is_learned(lab, 1, 1));
	guard_set(lab, 0, GUARD_MAC, 1);
	assert_false(lab_is_learned(lab, 1, 1));
	fake_clear(lab->port[2]);
	lab_send(lab, 1, 0xff, 1, -1);
	assert_n_out(lab, 2, 0);
	assert_int_equal(lab_drops(lab, 1, RX_MAC_OWNED), 1);
}

/* Before it has sent anything, and while it is down. */
static void frames_to_an_owner_are_not_flooded(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	guard_set(lab, 0, GUARD_MAC, 1);
	lab_send(lab, 1, 1, 9, -1);
	assert_n_out(lab, 0, 1);
	assert_n_out(lab, 2, 0);
	assert_int_equal(port_admin_set(fake_port(lab->port[0]), false, NULL), 0);
	lab_send(lab, 1, 1, 9, -1);
	assert_n_out(lab, 2, 0);
	assert_int_equal(lab_counters(lab, 0).tx_drops[TX_NOT_UP], 1);
	lab_send(lab, 1, 0xff, 1, -1);
	assert_int_equal(lab_drops(lab, 1, RX_MAC_OWNED), 1);
}

static void other_vlans_are_not_the_owners(void **state)
{
	const struct vlan_policy ten = vlan_access(10), twenty = vlan_access(20);
	struct lab *lab = *state;

	lab_port(lab, 0, lab->br, &ten);
	lab_port(lab, 1, lab->br, &twenty);
	lab_port(lab, 2, lab->br, &twenty);
	guard_set(lab, 0, GUARD_MAC, 1);
	lab_send(lab, 1, 0xff, 1, -1);
	assert_n_out(lab, 2, 1);
	/* Until it is in them, too. */
	assert_int_equal(port_vlan_set(fake_port(lab->port[0]), &twenty, NULL), 0);
	lab_send(lab, 1, 0xff, 1, -1);
	assert_n_out(lab, 2, 1);
	assert_int_equal(lab_drops(lab, 1, RX_MAC_OWNED), 1);
}

static void nobody_owns_it_after_the_owner(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	guard_set(lab, 0, GUARD_MAC, 1);
	assert_int_equal(port_del(fake_port(lab->port[0]), NULL), 0);
	lab_send(lab, 1, 0xff, 1, -1);
	assert_n_out(lab, 2, 1);
	assert_true(lab_is_learned(lab, 1, 1));
}

static void an_address_has_one_owner(void **state)
{
	struct port_policy p = {.guard.checks = GUARD_MAC};
	struct port_opts po = {.name = "late", .bridge = NULL};
	struct lab *lab = *state;
	struct err err = ERR_NONE;
	struct fake_port *fp;

	lab_ports(lab, 3);
	guard_set(lab, 0, GUARD_MAC, 1);
	memcpy(p.guard.mac, own_mac, 6);
	assert_int_equal(port_policy_set(fake_port(lab->port[1]), &p, &err), -EEXIST);
	assert_string_equal(err.text,
			    "port \"p1\": mac 02:00:00:00:00:01 is that of port \"p0\" on "
			    "bridge \"br\" already, which guards it");
	assert_int_equal(bridge_fdb_add(lab->br, own_mac, 1, fake_port(lab->port[1]), &err),
			 -EEXIST);
	assert_int_equal(bridge_fdb_add(lab->br, own_mac, 1, fake_port(lab->port[0]), &err),
			 -EEXIST);
	po.bridge = lab->br;
	po.policy = p;
	vlan_policy_default(&po.vlan);
	assert_int_equal(fake_port_add(lab->sw, &po, 1, &fp, &err), -EEXIST);
	assert_null(port_find(lab->sw, "late"));
	p.guard.mac[5] = 7;
	assert_int_equal(bridge_fdb_add(lab->br, p.guard.mac, 30, fake_port(lab->port[2]), &err),
			 0);
	assert_int_equal(port_policy_set(fake_port(lab->port[1]), &p, &err), -EEXIST);
	assert_string_equal(
		err.text,
		"port \"p1\": its address was entered by hand for port \"p2\" in vlan 30");
	/* Its own entry by hand is no longer needed, and would let others use it. */
	assert_int_equal(port_policy_set(fake_port(lab->port[2]), &p, &err), 0);
	lab_send(lab, 1, 0xff, 7, 30);
	assert_int_equal(lab_drops(lab, 1, RX_MAC_OWNED), 1);
}

static void a_guard_needs_what_it_compares_with(void **state)
{
	static const struct {
		uint8_t checks;
		const char *text;
	} cases[] = {
		{GUARD_MAC, "port \"p0\": guard mac needs the NIC's MAC address"},
		{GUARD_ARP, "port \"p0\": guard arp needs the NIC's MAC address"},
		{GUARD_IP, "port \"p0\": guard ip needs the IP addresses that it may have"},
	};
	struct lab *lab = *state;
	struct err err = ERR_NONE;

	lab_ports(lab, 1);
	for (unsigned i = 0; i < 3; i++) {
		struct port_policy p = {.guard.checks = cases[i].checks};

		assert_int_equal(port_policy_set(fake_port(lab->port[0]), &p, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].text);
		assert_int_equal(port_policy_set(fake_port(lab->port[0]), &p, NULL), -EINVAL);
	}
}

/* ---- across links ---- */

static void an_address_is_owned_against_what_a_link_brings(void **state)
{
	struct lab *lab = *state;
	struct port_counters c;

	linked(lab, (struct port_policy){0});
	guard_set(lab, 0, GUARD_MAC, 1);
	lab_send(lab, 2, 0xff, 1, -1);
	assert_n_out(lab, 0, 0);
	assert_n_out(lab, 1, 0);
	port_counters_read(port_find(lab->sw, "wire"), &c);
	assert_int_equal(c.rx_drops[RX_MAC_OWNED], 1);
}

static void a_link_has_no_guard_of_one_machine(void **state)
{
	struct port_policy p = {.guard.checks = GUARD_MAC};
	struct lab *lab = *state;
	struct err err = ERR_NONE;

	linked(lab, (struct port_policy){0});
	memcpy(p.guard.mac, own_mac, 6);
	assert_int_equal(port_policy_set(port_find(lab->sw, "wire"), &p, &err), -EINVAL);
	assert_string_equal(err.text,
			    "port \"wire\": guard mac, ip and arp are for the port of one machine");
}

/* Four frames that are alike up to their ICMPv6 type: one is a router's. */
static void a_link_lets_no_router_through(void **state)
{
	const struct port_policy ra = {.guard.checks = GUARD_RA};
	struct lab *lab = *state;
	struct port_counters c;
	uint8_t f[4][60];

	linked(lab, ra);
	for (unsigned k = 0; k < 4; k++) {
		frame_make(f[k], 0xff, 1, -1, 60);
		memset(f[k] + 14, 0, 46);
		memcpy(f[k] + 12, (const uint8_t[]){0x86, 0xdd, 0x60}, 3);
		f[k][20] = 58;
		f[k][54] = k == 2 ? 134 : 128;
	}
	lab_send_together(lab, 2, f, 4);
	assert_n_out(lab, 0, 3);
	port_counters_read(port_find(lab->sw, "wire"), &c);
	assert_int_equal(c.rx_drops[RX_GUARD_RA], 1);
	for (unsigned k = 0; k < 3; k++)
		assert_int_equal(fake_out(lab->port[0], k, NULL)[54], 128);
}

/* ---- isolation ---- */

static void isolated_ports_exchange_nothing(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	isolate(lab, 0);
	isolate(lab, 1);
	lab_send(lab, 0, 0xff, 1, -1);
	lab_send(lab, 1, 0xff, 2, -1);
	lab_send(lab, 2, 0xff, 3, -1);
	assert_n_out(lab, 0, 1);
	assert_n_out(lab, 1, 1);
	assert_n_out(lab, 2, 2);
	lab_send(lab, 0, 2, 1, -1); /* known */
	lab_send(lab, 0, 9, 1, -1); /* unknown */
	lab_send(lab, 0, 3, 1, -1);
	assert_int_equal(lab_drops(lab, 0, RX_ISOLATED), 1);
	assert_n_out(lab, 0, 1);
	assert_n_out(lab, 1, 1);
	assert_n_out(lab, 2, 4);
}

static void a_flood_to_isolated_ports_alone_says_so(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	isolate(lab, 0);
	isolate(lab, 1);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_n_out(lab, 1, 0);
	assert_int_equal(lab_drops(lab, 0, RX_ISOLATED), 1);
	assert_int_equal(lab_drops(lab, 0, RX_NO_PORT), 0);
}

static void a_link_is_isolated_when_it_is_said(void **state)
{
	const struct port_policy isolated = {.isolated = true};
	struct lab *lab = *state;

	linked(lab, (struct port_policy){0});
	isolate(lab, 0);
	isolate(lab, 2);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_n_out(lab, 1, 1);
	assert_n_out(lab, 2, 1);
	assert_int_equal(port_policy_set(port_find(lab->sw, "wire"), &isolated, NULL), 0);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_n_out(lab, 1, 2);
	assert_n_out(lab, 2, 1);
}

/* ---- traces ---- */

struct told {
	unsigned n_dropped, n_delivered, n_learn;
	uint8_t reason;
	struct port *known;
};

static void tell(void *arg, const struct trace_step *step)
{
	struct told *t = arg;

	t->n_learn += step->kind == TRACE_LEARN;
	t->n_delivered += step->kind == TRACE_DELIVERED;
	if (step->kind == TRACE_KNOWN)
		t->known = step->to;
	if (step->kind == TRACE_DROPPED_IN) {
		t->n_dropped++;
		t->reason = step->reason;
	}
}

static struct told trace(struct lab *lab, unsigned from, uint8_t dst, uint8_t src)
{
	struct told t = {0};
	uint8_t f[60];

	frame_make(f, dst, src, -1, sizeof(f));
	assert_int_equal(
		trace_run(lab->sw, fake_port(lab->port[from]), f, sizeof(f), tell, &t, NULL), 0);
	return t;
}

static void a_trace_names_the_guard(void **state)
{
	struct lab *lab = *state;
	struct told t;

	lab_ports(lab, 3);
	guard_set(lab, 0, GUARD_MAC, 1);
	t = trace(lab, 0, 0xff, 3);
	assert_true(t.n_dropped == 1 && t.reason == RX_GUARD_MAC && !t.n_delivered);
	t = trace(lab, 1, 0xff, 1);
	assert_true(t.n_dropped == 1 && t.reason == RX_MAC_OWNED && !t.n_delivered && !t.n_learn);
	t = trace(lab, 1, 1, 9);
	assert_true(t.known == fake_port(lab->port[0]) && t.n_delivered == 1 && !t.n_dropped);
	assert_int_equal(port_policy_set(fake_port(lab->port[1]),
					 &(struct port_policy){.max_macs = 1}, NULL),
			 0);
	lab_send(lab, 1, 0xff, 9, -1);
	assert_int_equal(trace(lab, 1, 0xff, 9).n_dropped, 0);
	assert_int_equal(trace(lab, 1, 0xff, 8).reason, RX_MAC_LIMIT);
	isolate(lab, 2);
	isolate(lab, 1);
	lab_send(lab, 2, 0xff, 7, -1);
	assert_int_equal(trace(lab, 1, 7, 9).reason, RX_ISOLATED);
}

#define LAB(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(own_source_passes),
		LAB(other_source_is_dropped),
		LAB(one_of_a_run_is_dropped_alone),
		LAB(a_new_guard_counts_at_once),
		LAB(too_short_stays_too_short),
		LAB(another_port_cannot_take_the_address),
		LAB(the_owner_takes_its_address_back),
		LAB(frames_to_an_owner_are_not_flooded),
		LAB(other_vlans_are_not_the_owners),
		LAB(nobody_owns_it_after_the_owner),
		LAB(an_address_has_one_owner),
		LAB(a_guard_needs_what_it_compares_with),
		LAB(an_address_is_owned_against_what_a_link_brings),
		LAB(a_link_has_no_guard_of_one_machine),
		LAB(a_link_lets_no_router_through),
		LAB(isolated_ports_exchange_nothing),
		LAB(a_flood_to_isolated_ports_alone_says_so),
		LAB(a_link_is_isolated_when_it_is_said),
		LAB(a_trace_names_the_guard),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
