/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every reason for which a frame is dropped is produced here, by what produces it in use.
 *
 * How      Each test makes a switch drop frames; what its ports have counted at its end is noted. The
 *          last test goes through the reasons of switch/counters.h and fails for one that nobody
 *          noted: whoever adds a reason adds a test here, or, where only a device can make it, a row
 *          in elsewhere[] with the test that does.
 */
#include "tests/unit/lab.h"
#include "tests/unit/rig.h"

#include <stdio.h>
#include <string.h>

#include "switch/vnet_hdr.h"

static bool rx_seen[N_RX_DROPS], tx_seen[N_TX_DROPS];

/* Reasons that only devices and hosts make: the test that asserts them. */
static const struct {
	bool tx;
	unsigned reason;
	const char *test;
} elsewhere[] = {
	{true, TX_HOST_REFUSED, "smoke/dgram.py"},
	{false, RX_BAD_CSUM, "smoke/uplink.py"},
	{false, RX_MISSED, "smoke/uplink.py"},
	{false, RX_NOT_UP, "unit/pump_test.c"},
};

static void note(struct switch_ *sw)
{
	for (struct port *p = port_next(sw, NULL); p; p = port_next(sw, p)) {
		struct port_counters c;

		port_counters_read(p, &c);
		for (unsigned i = 0; i < N_RX_DROPS; i++)
			rx_seen[i] |= c.rx_drops[i] > 0;
		for (unsigned i = 0; i < N_TX_DROPS; i++)
			tx_seen[i] |= c.tx_drops[i] > 0;
	}
}

static int lab_end(void **state)
{
	struct lab *lab = *state;

	fake_settle(lab->sw);
	note(lab->sw);
	return lab_teardown(state);
}

static void rig_note(struct rig *rig, void *arg)
{
	note(rig_switch(rig));
}

static int rig_end(void **state)
{
	rig_call(*state, rig_note, NULL);
	return rig_teardown(state);
}

static struct port *port(struct lab *lab, unsigned i)
{
	return fake_port(lab->port[i]);
}

static void send_long(struct lab *lab, unsigned i, uint8_t dst)
{
	uint8_t f[1514];

	fake_inject(lab->port[i], f, frame_make(f, dst, 1, -1, sizeof(f)));
	fake_settle(lab->sw);
}

/* ---- from a port ---- */

static void rx_too_short(void **state)
{
	struct lab *lab = *state;
	uint8_t f[60];

	lab_ports(lab, 2);
	frame_make(f, 0xff, 1, -1, sizeof(f));
	fake_inject(lab->port[0], f, 13);
	fake_settle(lab->sw);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_TOO_SHORT], 1);
}

static void rx_too_long(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	assert_int_equal(port_mtu_set(port(lab, 0), 576, NULL), 0);
	send_long(lab, 0, 0xff);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_TOO_LONG], 1);
}

static void rx_src_invalid(void **state)
{
	struct lab *lab = *state;
	uint8_t f[60];

	lab_ports(lab, 2);
	frame_make(f, 0xff, 1, -1, sizeof(f));
	f[6] |= 1;
	fake_inject(lab->port[0], f, sizeof(f));
	fake_settle(lab->sw);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_SRC_INVALID], 1);
}

static void rx_reserved_address(void **state)
{
	static const uint8_t stp[6] = {0x01, 0x80, 0xc2, 0, 0, 0};
	struct lab *lab = *state;
	uint8_t f[60];

	lab_ports(lab, 2);
	frame_make(f, 0, 1, -1, sizeof(f));
	memcpy(f, stp, sizeof(stp));
	fake_inject(lab->port[0], f, sizeof(f));
	fake_settle(lab->sw);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_RESERVED_ADDRESS], 1);
}

static void rx_vlan_tagged_on_access(void **state)
{
	const struct vlan_policy access = vlan_access(10);
	struct lab *lab = *state;

	lab_ports(lab, 2);
	lab_port(lab, 2, lab->br, &access);
	lab_send(lab, 2, 0xff, 1, 20);
	assert_int_equal(lab_counters(lab, 2).rx_drops[RX_VLAN_TAGGED_ON_ACCESS], 1);
}

static void rx_vlan_not_allowed_and_no_native(void **state)
{
	const uint16_t vids[] = {10, 0};
	const struct vlan_policy trunk = vlan_trunk(0, vids);
	struct lab *lab = *state;

	lab_ports(lab, 2);
	lab_port(lab, 2, lab->br, &trunk);
	lab_send(lab, 2, 0xff, 1, 20);
	lab_send(lab, 2, 0xff, 1, -1);
	assert_int_equal(lab_counters(lab, 2).rx_drops[RX_VLAN_NOT_ALLOWED], 1);
	assert_int_equal(lab_counters(lab, 2).rx_drops[RX_VLAN_NO_NATIVE], 1);
}

static void rx_vlan_reserved(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	lab_send(lab, 0, 0xff, 1, 0xfff);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_VLAN_RESERVED], 1);
}

static void rx_same_port(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	lab_send(lab, 0, 0xff, 1, -1);
	lab_send(lab, 0, 1, 2, -1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_SAME_PORT], 1);
}

static void rx_no_port(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 1);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_NO_PORT], 1);
}

/* ---- guards and limits ---- */

static void policy(struct lab *lab, unsigned i, struct port_policy p)
{
	if (p.guard.checks)
		memcpy(p.guard.mac, (const uint8_t[6]){2, 0, 0, 0, 0, 1}, 6);
	if (p.guard.checks)
		p.guard.n_addresses = 1;
	assert_int_equal(port_policy_set(port(lab, i), &p, NULL), 0);
}

/* An empty packet of this type (and next header or protocol) from the NIC's own MAC. */
static void send_packet(struct lab *lab, unsigned type, uint8_t version, unsigned at, uint8_t next,
			uint8_t first)
{
	uint8_t f[80] = {0};

	frame_make(f, 0xff, 1, -1, sizeof(f));
	memset(f + 14, 0, sizeof(f) - 14);
	f[12] = (uint8_t)(type >> 8);
	f[13] = (uint8_t)type;
	f[14] = version;
	f[at] = next;
	f[version >> 4 == 6 ? 54 : 35] = first;
	fake_inject(lab->port[0], f, sizeof(f));
	fake_settle(lab->sw);
}

static void rx_guards(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	policy(lab, 0, (struct port_policy){.guard.checks = GUARD_ALL});
	lab_send(lab, 0, 0xff, 2, -1);
	send_packet(lab, 0x0800, 0x65, 23, 0, 0);	/* no IPv4 header */
	send_packet(lab, 0x0806, 0, 23, 0, 0);		/* no ARP for Ethernet and IPv4 */
	send_packet(lab, 0x0800, 0x45, 23, 17, 67);	/* UDP from a server's port */
	send_packet(lab, 0x86dd, 0x60, 20, 58, 134);	/* RA */
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_GUARD_MAC], 1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_GUARD_IP], 1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_GUARD_ARP], 1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_GUARD_DHCP], 1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_GUARD_RA], 1);
}

static void rx_mac_owned(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	policy(lab, 0, (struct port_policy){.guard.checks = GUARD_MAC});
	lab_send(lab, 1, 0xff, 1, -1);
	assert_int_equal(lab_counters(lab, 1).rx_drops[RX_MAC_OWNED], 1);
}

static void rx_mac_limit(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	policy(lab, 0, (struct port_policy){.max_macs = 1});
	lab_send(lab, 0, 0xff, 1, -1);
	lab_send(lab, 0, 0xff, 2, -1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_MAC_LIMIT], 1);
}

static void rx_storm(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	policy(lab, 0, (struct port_policy){.storm = 1});
	lab_send(lab, 0, 0xff, 1, -1);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_STORM], 1);
}

static void rx_isolated(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	policy(lab, 0, (struct port_policy){.isolated = true});
	policy(lab, 1, (struct port_policy){.isolated = true});
	lab_send(lab, 0, 0xff, 1, -1);
	assert_int_equal(lab_counters(lab, 0).rx_drops[RX_ISOLATED], 1);
}

/* ---- to a port ---- */

static void tx_ring_full(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	fake_full_set(lab->port[1], true);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_int_equal(lab_counters(lab, 1).tx_drops[TX_RING_FULL], 1);
}

static void tx_not_up(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	lab_send(lab, 1, 0xff, 2, -1);
	assert_int_equal(port_admin_set(port(lab, 1), false, NULL), 0);
	lab_send(lab, 0, 2, 1, -1);
	assert_int_equal(lab_counters(lab, 1).tx_drops[TX_NOT_UP], 1);
}

static void tx_too_long(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 2);
	assert_int_equal(port_mtu_set(port(lab, 1), 576, NULL), 0);
	send_long(lab, 0, 0xff);
	assert_int_equal(lab_counters(lab, 1).tx_drops[TX_TOO_LONG], 1);
}

static struct bridge *bridge(struct lab *lab, const char *name)
{
	const struct bridge_opts o = {.ageing_s = 300, .max_macs = 64};
	struct bridge *br;

	assert_int_equal(bridge_add(lab->sw, name, &o, &br, NULL), 0);
	return br;
}

static void wire(struct lab *lab, const char *name, struct bridge *a, struct bridge *b)
{
	struct port_opts o = {.name = name, .bridge = a};
	struct port *p;

	vlan_policy_default(&o.vlan);
	assert_int_equal(link_add(lab->sw, &o, b, &p, NULL), 0);
}

/* Two links make a circle: each way round ends at the eighth bridge. */
static void tx_link_loop(void **state)
{
	struct lab *lab = *state;
	struct bridge *other = bridge(lab, "other");

	lab_ports(lab, 1);
	wire(lab, "l0", lab->br, other);
	wire(lab, "l1", lab->br, other);
	lab_send(lab, 0, 0xff, 1, -1);
}

/* Six links make 6 * 5^7 ways. */
static void copy_limit_of_both_ways(void **state)
{
	static const char *const names[] = {"l0", "l1", "l2", "l3", "l4", "l5"};
	struct lab *lab = *state;
	struct bridge *other = bridge(lab, "other");

	lab_ports(lab, 1);
	for (unsigned i = 0; i < 6; i++)
		wire(lab, names[i], lab->br, other);
	lab_send(lab, 0, 0xff, 1, -1);
}

/* ---- on real rings ---- */

static void tx_buffer_too_small(void **state)
{
	const uint64_t mergeless = 1ull << 32; /* VERSION_1 alone */
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){.features = mergeless, .buf_size = 512});
	uint8_t f[1514], got[1514];

	assert_true(fe_send(a, 0, f, (uint32_t)frame_make(f, 0xff, 1, -1, sizeof(f))));
	assert_true(fe_send(a, 0, f, (uint32_t)frame_make(f, 0xff, 1, -1, 60)));
	assert_int_equal(fe_recv_wait(b, 0, got, sizeof(got)), 60);
	assert_int_equal(rig_counters(rig, 1).tx_drops[TX_BUFFER_TOO_SMALL], 1);
	fe_close(a);
	fe_close(b);
}

static void rx_bad_offload(void **state)
{
	const struct vnet_hdr lie = {.flags = 1, .csum_start = 0xffff};
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){0});
	uint8_t f[60], got[60];

	frame_make(f, 0xff, 1, -1, sizeof(f));
	assert_true(fe_send_hdr(a, 0, &lie, f, sizeof(f)));
	assert_true(fe_send(a, 0, f, sizeof(f)));
	assert_int_equal(fe_recv_wait(b, 0, got, sizeof(got)), 60);
	assert_int_equal(rig_counters(rig, 0).rx_drops[RX_BAD_OFFLOAD], 1);
	fe_close(a);
	fe_close(b);
}

/* ---- all of them ---- */

/* True when the smoke test asks for this reason by name. */
static bool test_has(const char *file, const char *reason)
{
	char path[512], quoted[64], line[512];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/%s", SOURCE_ROOT, file);
	snprintf(quoted, sizeof(quoted), "\"%s\"", reason);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		found |= strstr(line, quoted) != NULL;
	if (f)
		fclose(f);
	return found;
}

static void is_produced(bool tx, unsigned reason, const char *name, const char *text, bool seen)
{
	for (size_t i = 0; !seen && i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (elsewhere[i].tx == tx && elsewhere[i].reason == reason) {
			seen = test_has(elsewhere[i].test, name);
			printf("%s %s: by tests/%s\n", tx ? "tx" : "rx", name,
			       elsewhere[i].test);
		}
	if (!seen)
		fail_msg("nobody produces %s drop \"%s\": add a test that does to "
			 "tests/unit/drops_test.c",
			 tx ? "tx" : "rx", name);
	/* What `lanyard drops` says: a sentence with advice, not just the name. */
	assert_true(strlen(text) > 30);
}

static void every_reason_was_produced(void **state)
{
	for (unsigned i = 0; i < N_RX_DROPS; i++)
		is_produced(false, i, rx_drop_names[i], rx_drop_texts[i], rx_seen[i]);
	for (unsigned i = 0; i < N_TX_DROPS; i++)
		is_produced(true, i, tx_drop_names[i], tx_drop_texts[i], tx_seen[i]);
}

#define LAB(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_end)
#define RIG(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(rx_too_short),
		LAB(rx_too_long),
		LAB(rx_src_invalid),
		LAB(rx_reserved_address),
		LAB(rx_vlan_tagged_on_access),
		LAB(rx_vlan_not_allowed_and_no_native),
		LAB(rx_vlan_reserved),
		LAB(rx_same_port),
		LAB(rx_no_port),
		LAB(rx_guards),
		LAB(rx_mac_owned),
		LAB(rx_mac_limit),
		LAB(rx_storm),
		LAB(rx_isolated),
		LAB(tx_ring_full),
		LAB(tx_not_up),
		LAB(tx_too_long),
		LAB(tx_link_loop),
		LAB(copy_limit_of_both_ways),
		RIG(tx_buffer_too_small),
		RIG(rx_bad_offload),
		cmocka_unit_test(every_reason_was_produced),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
