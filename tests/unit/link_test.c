/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links between bridges, with fake ports at the ends.
 */
#include "tests/unit/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Bridges 0 to n-1 in a row, port 0 on the first, port 1 on the last; returns the last link. */
static struct port *chain(struct lab *lab, unsigned n)
{
	struct port *last = NULL;
	char name[16];

	for (unsigned i = 0; i + 1 < n; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		last = lab_link(lab, name, i, i + 1, NULL);
	}
	lab_port(lab, 0, lab->br, NULL);
	lab_port(lab, 1, lab_bridge(lab, n - 1), NULL);
	return last;
}

static struct port_counters count(const struct port *p)
{
	struct port_counters c;

	port_counters_read(p, &c);
	return c;
}

/* What leaves by one end of a link comes in by the other; and how many frames did. */
static uint64_t wires_close(struct lab *lab)
{
	uint64_t n = 0;

	for (struct port *p = port_next(lab->sw, NULL); p; p = port_next(lab->sw, p)) {
		struct port_counters here = count(p), there;

		if (!link_peer(p))
			continue;
		there = count(link_peer(p));
		assert_int_equal(here.tx_frames, there.rx_frames);
		assert_int_equal(here.tx_bytes, there.rx_bytes);
		n += here.tx_frames;
	}
	sums_check(lab->sw);
	return n;
}

static uint64_t tx_drops(struct lab *lab, enum tx_drop why)
{
	uint64_t n = 0;

	for (struct port *p = port_next(lab->sw, NULL); p; p = port_next(lab->sw, p))
		n += count(p).tx_drops[why];
	return n;
}

/* Port 0 asks by broadcast, port 1 answers by unicast: the bytes arrive, and nowhere else. */
static void chain_delivers(void **state, unsigned n)
{
	struct lab *lab = *state;
	uint8_t f[60];

	chain(lab, n);
	lab_port(lab, 2, lab_bridge(lab, n / 2), NULL);
	lab_send(lab, 0, 0xff, 1, 10);
	assert_n_out(lab, 1, 1);
	assert_memory_equal(fake_out(lab->port[1], 0, NULL), f, frame_make(f, 0xff, 1, 10, 60));
	fake_clear(lab->port[2]);
	lab_send(lab, 1, 1, 2, 10);
	assert_n_out(lab, 0, 1);
	assert_n_out(lab, 2, 0);
	lab_send(lab, 0, 2, 1, 10);
	assert_n_out(lab, 1, 2);
	assert_n_out(lab, 2, 0);
	assert_int_equal(wires_close(lab), 3 * (n - 1));
	assert_int_equal(tx_drops(lab, TX_LINK_LOOP), 0);
}

#define CHAIN(n)                                             \
	static void chain_of_##n##_bridges_delivers(void **state) \
	{                                                    \
		chain_delivers(state, n);                    \
	}
CHAIN(2)
CHAIN(3)
CHAIN(4)
CHAIN(5)
CHAIN(6)
CHAIN(7)
CHAIN(8)

static void ninth_bridge_in_a_row_counts_link_loop(void **state)
{
	struct lab *lab = *state;
	struct port *last = chain(lab, 9);

	lab_send(lab, 0, 0xff, 1, -1);
	assert_n_out(lab, 1, 0);
	assert_int_equal(count(last).tx_drops[TX_LINK_LOOP], 1);
	assert_int_equal(count(last).tx_frames, 0);
	assert_int_equal(wires_close(lab), 7);
}

static void each_bridge_on_the_way_learns(void **state)
{
	struct lab *lab = *state;
	struct fdb_record r[8];

	chain(lab, 3);
	lab_send(lab, 0, 0xff, 1, 10);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const where[] = {"p0", "l0~peer", "l1~peer"};
		struct port_info info;
		uint64_t at = 0;
		unsigned n = 0;

		do
			n += bridge_fdb_read(lab_bridge(lab, i), &at, r, 8);
		while (at && !n);
		assert_int_equal(n, 1);
		assert_memory_equal(r[0].mac, "\x02\0\0\0\0\x01", 6);
		assert_int_equal(r[0].vid, 10);
		port_info(r[0].port, &info);
		assert_string_equal(info.name, where[i]);
	}
}

/* Both ways round, eight bridges deep, each bridge hears it again every third hop. */
static void broadcast_in_a_ring_of_bridges_ends(void **state)
{
	struct lab *lab = *state;

	lab_link(lab, "l0", 0, 1, NULL);
	lab_link(lab, "l1", 1, 2, NULL);
	lab_link(lab, "l2", 2, 0, NULL);
	for (unsigned i = 0; i < 3; i++)
		lab_port(lab, i, lab_bridge(lab, i), NULL);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_n_out(lab, 0, 4);
	assert_n_out(lab, 1, 5);
	assert_n_out(lab, 2, 5);
	assert_int_equal(wires_close(lab), 14);
	assert_int_equal(tx_drops(lab, TX_LINK_LOOP), 2);
}

static void unicast_in_a_ring_of_bridges_arrives(void **state)
{
	struct lab *lab = *state;

	lab_link(lab, "l0", 0, 1, NULL);
	lab_link(lab, "l1", 1, 2, NULL);
	lab_link(lab, "l2", 2, 0, NULL);
	lab_port(lab, 0, lab_bridge(lab, 0), NULL);
	lab_port(lab, 1, lab_bridge(lab, 1), NULL);
	for (unsigned i = 0; i < 200; i++) {
		lab_send(lab, 0, i % 3 ? 2 : 0xff, 1, -1);
		lab_send(lab, 1, i % 5 ? 1 : 0xff, 2, -1);
	}
	assert_true(fake_n_out(lab->port[0]) + fake_n_out(lab->port[1]) < 400 * 16);
	wires_close(lab);
}

static void parallel_links_are_bounded_and_unicast_takes_one(void **state)
{
	struct lab *lab = *state;

	lab_link(lab, "l0", 0, 1, NULL);
	lab_link(lab, "l1", 0, 1, NULL);
	lab_port(lab, 0, lab_bridge(lab, 0), NULL);
	lab_port(lab, 1, lab_bridge(lab, 1), NULL);
	lab_send(lab, 1, 0xff, 2, -1);
	assert_n_out(lab, 0, 8); /* two ways, depths 1, 3, 5 and 7 */
	assert_int_equal(tx_drops(lab, TX_LINK_LOOP), 2);
	wires_close(lab);
}

/* Six links: 6 * 5^7 ways through eight bridges, far beyond the bound. */
static void copies_beyond_the_bound_are_counted(void **state)
{
	struct lab *lab = *state;
	char name[16];

	lab_port(lab, 0, lab_bridge(lab, 0), NULL);
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		lab_link(lab, name, 0, 1, NULL);
	}
	lab_port(lab, 1, lab_bridge(lab, 1), NULL); /* the last of the flood */
	lab_port(lab, 2, lab_bridge(lab, 0), NULL);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_in_range(wires_close(lab), 100, 4096);
	/* Every flood that was broken off says where, the first one on its second link. */
	assert_true(tx_drops(lab, TX_COPY_LIMIT) >= 2);
	assert_int_equal(count(port_find(lab->sw, "l1")).tx_drops[TX_COPY_LIMIT] > 0, 1);
}

/* Copies that took different ways may pass each other; those of one way may not. */
static void burst_of_broadcasts_through_parallel_links_keeps_order(void **state)
{
	struct lab *lab = *state;
	uint8_t f[64], n_seen[100] = {0}, next[8] = {0};

	lab_link(lab, "l0", 0, 1, NULL);
	lab_link(lab, "l1", 0, 1, NULL);
	lab_port(lab, 0, lab_bridge(lab, 0), NULL);
	lab_port(lab, 1, lab_bridge(lab, 1), NULL);
	for (unsigned i = 0; i < 100; i++) {
		frame_make(f, 0xff, 1, -1, sizeof(f));
		f[20] = (uint8_t)i;
		fake_inject(lab->port[0], f, sizeof(f));
	}
	assert_n_out(lab, 1, 800);
	for (unsigned k = 0; k < 800; k++) {
		uint8_t i = fake_out(lab->port[1], k, NULL)[20], copy = n_seen[i]++;

		assert_in_range(copy, 0, 7);
		assert_int_equal(i, next[copy]++);
	}
	for (unsigned copy = 0; copy < 8; copy++)
		assert_int_equal(next[copy], 100);
	wires_close(lab);
}

/* Host 0 is on access 10, behind an access link: two tags of VLAN 0 come off, a second one of VLAN 20 is
 * refused, though both frames begin alike; and a frame may end with its first tag. */
static void second_tag_is_judged_frame_by_frame(void **state)
{
	struct vlan_policy ten = vlan_access(10);
	struct lab *lab = *state;
	struct port *l = lab_link(lab, "l0", 0, 1, &ten);
	unsigned n_good = 0, n_bad = 0;
	uint8_t f[60];

	lab_port(lab, 0, lab_bridge(lab, 0), &ten);
	lab_port(lab, 1, lab_bridge(lab, 1), &ten);
	lab_send(lab, 1, 0xff, 2, -1);
	fake_clear(lab->port[0]);
	for (unsigned i = 0; i < 600; i++) {
		frame_make(f, 2, 1, 0, sizeof(f));
		memcpy(f + 16, "\x81\x00\x00\x00\x88\xb5", 6);
		if (i % 3 == 1)
			f[19] = 20;
		if (i % 3 == 2)
			fake_inject(lab->port[0], f, 18);
		else
			fake_inject(lab->port[0], f, sizeof(f));
		n_good += i % 3 == 0;
		n_bad += i % 3 == 1;
	}
	assert_n_out(lab, 1, n_good);
	for (unsigned i = 0; i < n_good; i++)
		assert_int_equal(out_tci(lab, 1, i), -1);
	assert_int_equal(count(link_peer(l)).rx_drops[RX_VLAN_TAGGED_ON_ACCESS], n_bad);
	assert_int_equal(count(link_peer(l)).rx_drops[RX_TOO_SHORT], n_bad);
	wires_close(lab);
}

/* Hosts 0, 1, 2 on bridge 0 and 3, 4, 5 on bridge 1, in VLANs 10, 20, 30; one link. */
static struct port *hosts(struct lab *lab, struct vlan_policy vlan)
{
	for (unsigned i = 0; i < 6; i++) {
		struct vlan_policy a = vlan_access((uint16_t)(10 * (i % 3 + 1)));

		lab_port(lab, i, lab_bridge(lab, i / 3), &a);
	}
	return lab_link(lab, "l0", 0, 1, &vlan);
}

static void each_host_broadcasts(struct lab *lab, unsigned n10, unsigned n20, unsigned n30)
{
	for (uint8_t i = 0; i < 6; i++)
		lab_send(lab, i, 0xff, (uint8_t)(i + 1), -1);
	for (unsigned i = 0; i < 6; i++) {
		const unsigned n[] = {n10, n20, n30};

		assert_n_out(lab, i, n[i % 3]);
	}
	wires_close(lab);
}

static void trunk_link_carries_its_vlans_only(void **state)
{
	struct lab *lab = *state;
	struct port *l = hosts(lab, vlan_trunk(0, (uint16_t[]){10, 20, 0}));

	each_host_broadcasts(lab, 1, 1, 0);
	assert_int_equal(count(l).tx_frames, 2);
	assert_int_equal(count(l).tx_bytes, 2 * 64); /* tagged on the wire */
	assert_int_equal(lab_counters(lab, 2).rx_drops[RX_NO_PORT], 1);
}

static void native_vlan_of_a_link_passes_untagged(void **state)
{
	struct lab *lab = *state;
	struct port *l = hosts(lab, vlan_trunk(10, (uint16_t[]){20, 0}));

	each_host_broadcasts(lab, 1, 1, 0);
	assert_int_equal(count(l).tx_bytes, 60 + 64);
}

static void access_link_carries_one_vlan_untagged(void **state)
{
	struct lab *lab = *state;
	struct port *l = hosts(lab, vlan_access(20));

	each_host_broadcasts(lab, 0, 1, 0);
	assert_int_equal(count(l).tx_bytes, 60);
}

static void native_vlan_of_a_link_is_no_way_into_another(void **state)
{
	struct lab *lab = *state;
	struct vlan_policy tunnel = vlan_tunnel(10);
	uint8_t f[60];

	hosts(lab, vlan_trunk(10, (uint16_t[]){20, 0}));
	lab_port(lab, 6, lab_bridge(lab, 0), &tunnel);
	lab_port(lab, 7, lab_bridge(lab, 1), &tunnel);
	lab_send(lab, 6, 0xff, 7, 20); /* for the tunnel the tag is payload */
	assert_n_out(lab, 4, 0);       /* VLAN 20 */
	assert_n_out(lab, 3, 1);       /* VLAN 10 */
	assert_n_out(lab, 7, 1);
	assert_memory_equal(fake_out(lab->port[7], 0, NULL), f, frame_make(f, 0xff, 7, 20, 60));
	wires_close(lab);
}

static void priority_is_kept_across_a_link(void **state)
{
	struct lab *lab = *state;

	chain(lab, 3);
	lab_send(lab, 0, 0xff, 1, 0xb00a);
	assert_int_equal(out_tci(lab, 1, 0), 0xb00a);
}

static void reserved_address_is_asked_in_every_bridge(void **state)
{
	struct lab *lab = *state;
	struct bridge_opts o = *bridge_opts(lab->br);
	uint8_t f[60];

	chain(lab, 2);
	frame_make(f, 9, 1, -1, 60);
	memcpy(f, "\x01\x80\xc2\0\0\x0e", 6);
	o.forward_reserved = RESERVED_LLDP;
	assert_int_equal(bridge_set(lab->br, &o, NULL), 0);
	fake_inject(lab->port[0], f, 60);
	assert_n_out(lab, 1, 0);
	assert_int_equal(count(port_find(lab->sw, "l0~peer")).rx_drops[RX_RESERVED_ADDRESS], 1);
	assert_int_equal(bridge_set(lab_bridge(lab, 1), &o, NULL), 0);
	fake_inject(lab->port[0], f, 60);
	assert_n_out(lab, 1, 1);
	wires_close(lab);
}

static void link_that_is_down_counts_not_up_and_heals(void **state)
{
	struct lab *lab = *state;
	struct port *l = chain(lab, 2);
	struct port_info info;

	lab_send(lab, 1, 0xff, 2, -1);
	assert_int_equal(port_admin_set(link_peer(l), false, NULL), 0); /* either end */
	port_info(l, &info);
	assert_int_equal(info.state, PORT_DOWN);
	lab_send(lab, 0, 2, 1, -1);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_n_out(lab, 1, 0);
	assert_int_equal(count(l).tx_drops[TX_NOT_UP], 1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_NO_PORT], 1);
	assert_int_equal(port_admin_set(l, true, NULL), 0);
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 1, 1);
	wires_close(lab);
}

static void deleting_one_end_removes_both(void **state)
{
	struct lab *lab = *state;
	struct port *l = chain(lab, 2);

	lab_send(lab, 1, 0xff, 2, -1);
	fake_clear(lab->port[0]);
	assert_int_equal(port_del(link_peer(l), NULL), 0);
	assert_null(port_find(lab->sw, "l0"));
	assert_null(port_find(lab->sw, "l0~peer"));
	assert_int_equal(bridge_n_ports(lab->br), 1);
	assert_int_equal(bridge_n_ports(lab_bridge(lab, 1)), 1);
	assert_int_equal(bridge_n_macs(lab->br), 0); /* what was behind the link is forgotten */
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 1, 0);
	lab_link(lab, "l0", 0, 1, NULL);
	lab_send(lab, 0, 2, 1, -1);
	assert_n_out(lab, 1, 1);
}

static void link_within_one_bridge_is_refused(void **state)
{
	struct lab *lab = *state;
	struct port_opts o = {.name = "l", .bridge = lab->br};
	struct err err = ERR_NONE;
	struct port *p;

	vlan_policy_default(&o.vlan);
	assert_int_equal(link_add(lab->sw, &o, lab->br, &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "joins two bridges"));
	assert_int_equal(bridge_n_ports(lab->br), 0);
}

static void half_made_link_leaves_nothing(void **state)
{
	struct lab *lab = *state;
	struct port_opts o = {.name = "l", .bridge = lab->br};
	struct err err = ERR_NONE;
	struct port *p;

	vlan_policy_default(&o.vlan);
	lab_link(lab, "l~peer", 0, 1, NULL); /* the name of the other end is taken */
	assert_int_equal(link_add(lab->sw, &o, lab_bridge(lab, 1), &p, &err), -EEXIST);
	assert_null(port_find(lab->sw, "l"));
	assert_int_equal(bridge_n_ports(lab->br), 1);
	assert_int_equal(bridge_n_ports(lab_bridge(lab, 1)), 1);
}

static void frame_over_the_links_mtu_is_counted_there(void **state)
{
	struct lab *lab = *state;
	struct port *l = chain(lab, 2);
	uint8_t f[1600];

	assert_int_equal(port_mtu_set(link_peer(l), 1500, NULL), 0); /* a wire has one MTU */
	fake_inject(lab->port[0], f, frame_make(f, 9, 1, -1, 1523));
	fake_inject(lab->port[0], f, frame_make(f, 9, 1, -1, 1522));
	assert_n_out(lab, 1, 1);
	assert_int_equal(count(l).tx_drops[TX_TOO_LONG], 1);
	wires_close(lab);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(chain_of_2_bridges_delivers),
		T(chain_of_3_bridges_delivers),
		T(chain_of_4_bridges_delivers),
		T(chain_of_5_bridges_delivers),
		T(chain_of_6_bridges_delivers),
		T(chain_of_7_bridges_delivers),
		T(chain_of_8_bridges_delivers),
		T(ninth_bridge_in_a_row_counts_link_loop),
		T(each_bridge_on_the_way_learns),
		T(broadcast_in_a_ring_of_bridges_ends),
		T(unicast_in_a_ring_of_bridges_arrives),
		T(parallel_links_are_bounded_and_unicast_takes_one),
		T(copies_beyond_the_bound_are_counted),
		T(burst_of_broadcasts_through_parallel_links_keeps_order),
		T(second_tag_is_judged_frame_by_frame),
		T(trunk_link_carries_its_vlans_only),
		T(native_vlan_of_a_link_passes_untagged),
		T(access_link_carries_one_vlan_untagged),
		T(native_vlan_of_a_link_is_no_way_into_another),
		T(priority_is_kept_across_a_link),
		T(reserved_address_is_asked_in_every_bridge),
		T(link_that_is_down_counts_not_up_and_heals),
		T(deleting_one_end_removes_both),
		T(link_within_one_bridge_is_refused),
		T(half_made_link_leaves_nothing),
		T(frame_over_the_links_mtu_is_counted_there),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
