/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's methods: names, ports, links, addresses, leases. */
#include "tests/unit/control_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void port_list_has_the_keys_of_the_contract(void **state)
{
	static const char *const keys[] = {"name",  "lab",    "type",	  "bridge",
					   "state", "reason", "path",	  "vlan",
					   "mtu",   "queues", "features", "counters"};
	struct fixture *f = *state;
	char key[32];

	BRIDGE("b");
	PORT("p", "b");
	ask(f, "port.list", "{}");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(key, sizeof(key), "\"%s\":", keys[i]);
		assert_non_null(strstr(f->text, key));
	}
	assert_non_null(strstr(f->text,
			       "\"vlan\":{\"mode\":\"trunk\",\"vid\":null,\"vids\":[[1,4094]],"
			       "\"native\":1}"));
}

static void bare_name_finds_the_only_object_of_a_lab(void **state)
{
	struct fixture *f = *state;

	LAB_BRIDGE("one", "sw");
	expect(f, "bridge.list", "{\"name\":\"sw\"}", "\"name\":\"one/sw\",\"lab\":\"one\"");
}

static void ambiguous_name_is_refused_with_the_candidates(void **state)
{
	struct fixture *f = *state;

	LAB_BRIDGE("one", "sw");
	LAB_BRIDGE("two", "sw");
	expect(f, "bridge.list", "{\"name\":\"sw\"}",
	       "bridge \\\"sw\\\" may be one of 2: \\\"one/sw\\\", \\\"two/sw\\\"");
}

static void lab_prefix_is_for_objects_of_that_lab(void **state)
{
	struct fixture *f = *state;

	expect(f, "bridge.add", "{\"name\":\"one/sw\"}", "names with / belong to labs");
	expect(f, "bridge.add", "{\"name\":\"sw\",\"lab\":\"one\"}", "is named one/");
	expect(f, "bridge.add", "{\"name\":\"two/sw\",\"lab\":\"one\"}", "is named one/");
	ok(f, "bridge.add", "{\"name\":\"one@2/sw\",\"lab\":\"one@2\"}");
}

static void dotted_name_is_for_ports_of_vms(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	expect(f, "port.add", "{\"name\":\"vm.0\",\"type\":\"fake\",\"bridge\":\"b\"}",
	       "names with a dot belong to NICs");
	ok(f, "port.add",
	   "{\"name\":\"vm.0\",\"type\":\"fake\",\"bridge\":\"b\",\"transient\":true}");
}

static void hand_made_port_needs_a_hand_made_bridge(void **state)
{
	struct fixture *f = *state;

	LAB_BRIDGE("one", "sw");
	expect(f, "port.add", "{\"name\":\"p\",\"type\":\"fake\",\"bridge\":\"sw\"}",
	       "bridge \\\"one/sw\\\" is not part of what is saved");
}

static void transient_objects_are_not_in_the_configuration(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	LAB_BRIDGE("one", "sw");
	ok(f, "port.add",
	   "{\"name\":\"vm.0\",\"type\":\"fake\",\"bridge\":\"b\",\"transient\":true}");
	expect(f, "config.list", "{}",
	       "{\"items\":[{\"section\":\"bridges\",\"name\":\"b\",\"settings\":{}}],\"next\":null}");
}

static void unknown_port_type_names_those_there_are(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	expect(f, "port.add", "{\"name\":\"p\",\"type\":\"tap\",\"bridge\":\"b\"}",
	       "this build has no port type \\\"tap\\\"; it has fake, link");
}

static void parameter_of_another_type_is_refused(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	expect(f, "port.add", "{\"name\":\"p\",\"type\":\"link\",\"bridge\":\"b\",\"path\":\"/x\"}",
	       "a link port has no path");
}

static void what_cannot_be_set_says_where_it_can(void **state)
{
	static const char *const cases[][2] = {
		{"mirror", "mirror cannot be changed here\",\"data\":{\"hint\":\"`lanyard mirror add`"},
		{"type", "delete the port and add it anew"},
		{"down", "`lanyard port up` and"},
		{"max_mac", "did you mean \\\"max_macs\\\""},
		{"lab", "there is no parameter \\\"lab\\\""},
	};
	struct fixture *f = *state;
	char params[128];

	BRIDGE("b");
	PORT("p", "b");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(params, sizeof(params), "{\"name\":\"p\",\"settings\":{\"%s\":\"x\"}}", cases[i][0]);
		expect(f, "port.set", params, cases[i][1]);
		assert_null(strstr(f->text, "did you mean \\\"type"));
	}
	expect(f, "port.set", "{\"name\":\"p\",\"settings\":{\"max_macs\":\"0\"}}", "max-macs: 0 is outside");
}

static void sentences_name_the_way_out(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	PORT("p", "b");
	LAB_BRIDGE("one", "sw");
	ok(f, "port.add", "{\"name\":\"one/h1.eth0\",\"type\":\"fake\",\"bridge\":\"one/sw\",\"lab\":\"one\"}");
	expect(f, "port.down", "{\"name\":\"h1\"}", "h1 is a VM, and the port of its NIC is one/h1.eth0");
	expect(f, "port.down", "{\"name\":\"one/h1\"}", "one/h1 is a VM, and the port of its NIC is one/h1.eth0");
	expect(f, "port.add", "{\"name\":\"p\",\"type\":\"fake\",\"bridge\":\"b\"}", "port \\\"p\\\" exists already");
	expect(f, "port.add", "{\"name\":\"q\",\"type\":\"fake\",\"bridge\":\"one/sw\"}", "under ports: of the lab's file");
	ok(f, "fdb.add", "{\"mac\":\"02:00:00:00:00:07\",\"bridge\":\"b\",\"vlan\":12,\"port\":\"p\"}");
	expect(f, "fdb.del", "{\"mac\":\"02:00:00:00:00:07\",\"bridge\":\"b\"}", "it is in vlan 12; --vlan 12");
	ok(f, "port.set", "{\"name\":\"p\",\"settings\":{\"access\":\"10\"}}");
	expect(f, "port.set", "{\"name\":\"p\",\"settings\":{\"access\":\"none\"}}",
	       "is a trunk of all VLANs now, 1-4094, with native VLAN 1");
	expect(f, "port.set", "{\"name\":\"p\",\"settings\":{\"guard\":\"mac\"}}", "like mac=02:00:00:00:00:01");
	expect(f, "events.subscribe", "{\"kinds\":[\"port.sate\"]}", "did you mean port.state?");
}

static void contradicting_vlans_are_refused(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	expect(f, "port.add",
	       "{\"name\":\"p\",\"type\":\"fake\",\"bridge\":\"b\",\"access\":1,\"tunnel\":2}",
	       "access, trunk and tunnel exclude each other");
}

static void port_that_cannot_be_made_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	expect(f, "port.add",
	       "{\"name\":\"p\",\"type\":\"fake\",\"bridge\":\"b\",\"path\":\"/fail\"}",
	       "port \\\"p\\\": cannot be made");
	expect(f, "port.list", "{}", "\"items\":[]");
	ok(f, "bridge.del", "{\"name\":\"b\"}");
}

static void new_vlan_mode_replaces_the_old_one(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	PORT("p", "b");
	ok(f, "port.set", "{\"name\":\"p\",\"settings\":{\"access\":\"10\"}}");
	expect(f, "port.list", "{}", "\"vlan\":{\"mode\":\"access\",\"vid\":10,");
	ok(f, "port.set", "{\"name\":\"p\",\"settings\":{\"trunk\":\"5\"}}");
	ok(f, "port.set", "{\"name\":\"p\",\"settings\":{\"native\":\"7\"}}");
	expect(f, "port.list", "{}", "\"vids\":[[5,5]],\"native\":7");
	ok(f, "port.set", "{\"name\":\"p\",\"settings\":{\"native\":\"none\"}}");
	expect(f, "port.list", "{}", "\"vids\":[[5,5]],\"native\":null");
}

static void either_end_deletes_a_link(void **state)
{
	struct fixture *f = *state;

	BRIDGE("a");
	BRIDGE("b");
	ok(f, "port.add",
	   "{\"name\":\"l\",\"type\":\"link\",\"bridge\":\"a\",\"peer_bridge\":\"b\"}");
	expect(f, "config.list", "{}", "\"name\":\"l\"");
	ok(f, "port.del", "{\"name\":\"l~peer\"}");
	expect(f, "port.list", "{}", "\"items\":[]");
}

static void loop_of_links_is_found(void **state)
{
	struct fixture *f = *state;

	BRIDGE("a");
	BRIDGE("b");
	ok(f, "port.add",
	   "{\"name\":\"l\",\"type\":\"link\",\"bridge\":\"a\",\"peer_bridge\":\"b\"}");
	assert_null(strstr(ask(f, "daemon.facts", "{}"), "closes a loop"));
	ok(f, "port.add",
	   "{\"name\":\"m\",\"type\":\"link\",\"bridge\":\"b\",\"peer_bridge\":\"a\"}");
	expect(f, "daemon.facts", "{}", "link \\\"m\\\" closes a loop of bridges");
}

static void long_lists_come_in_pages(void **state)
{
	struct fixture *f = *state;
	char params[64];

	for (unsigned i = 0; i < 5; i++) {
		snprintf(params, sizeof(params), "{\"name\":\"b%u\"}", i);
		ok(f, "bridge.add", params);
	}
	expect(f, "bridge.list", "{\"limit\":3}", "\"next\":\"3\"");
	ask(f, "bridge.list", "{\"limit\":3,\"cursor\":\"3\"}");
	assert_non_null(strstr(f->text, "\"b4\""));
	assert_null(strstr(f->text, "\"b2\""));
	assert_non_null(strstr(f->text, "\"next\":null"));
	expect(f, "config.list", "{\"limit\":2,\"cursor\":\"2\"}",
	       "{\"items\":[{\"section\":\"bridges\",\"name\":\"b2\",\"settings\":{}},"
	       "{\"section\":\"bridges\",\"name\":\"b3\",\"settings\":{}}],\"next\":\"4\"}");
}

/* ---- fdb ---- */

static void address_entered_by_hand_is_listed(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	PORT("p", "b");
	ok(f, "fdb.add",
	   "{\"mac\":\"02:00:00:00:00:AB\",\"bridge\":\"b\",\"vlan\":7,\"port\":\"p\"}");
	expect(f, "fdb.list", "{}",
	       "{\"bridge\":\"b\",\"vlan\":7,\"mac\":\"02:00:00:00:00:ab\",\"port\":\"p\","
	       "\"static\":true,");
	ok(f, "fdb.del", "{\"mac\":\"02:00:00:00:00:ab\",\"bridge\":\"b\",\"vlan\":7}");
	expect(f, "fdb.list", "{}", "\"items\":[]");
}

/* ---- leases ---- */

static void switch_ends_with_its_last_lease(void **state)
{
	struct fixture *f = *state;
	uint64_t start_ns;

	f->d.until_unused = true;
	daemon_lease_wait(&f->d);
	ok(f, "lease.hold", "{\"name\":\"vm h1\"}");
	expect(f, "lease.hold", "{}", "\"leases\":1");
	assert_null(f->d.lease_timer);
	shutdown(f->fd, SHUT_RDWR);
	start_ns = loop_now_ns();
	while (!f->d.stop_timer && loop_now_ns() - start_ns < 3 * S_NS)
		loop_once(f->d.loop, 50);
	assert_non_null(f->d.stop_timer);
	assert_true(loop_now_ns() - start_ns >= S_NS * 9 / 10);
}

static void lease_does_not_end_a_switch_started_by_hand(void **state)
{
	struct fixture *f = *state;

	ok(f, "lease.hold", "{}");
	shutdown(f->fd, SHUT_RDWR);
	loop_once(f->d.loop, 50);
	assert_null(f->d.lease_timer);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(port_list_has_the_keys_of_the_contract),
		TEST(bare_name_finds_the_only_object_of_a_lab),
		TEST(ambiguous_name_is_refused_with_the_candidates),
		TEST(lab_prefix_is_for_objects_of_that_lab),
		TEST(dotted_name_is_for_ports_of_vms),
		TEST(hand_made_port_needs_a_hand_made_bridge),
		TEST(transient_objects_are_not_in_the_configuration),
		TEST(unknown_port_type_names_those_there_are),
		TEST(parameter_of_another_type_is_refused),
		TEST(contradicting_vlans_are_refused),
		TEST(what_cannot_be_set_says_where_it_can),
		TEST(sentences_name_the_way_out),
		TEST(port_that_cannot_be_made_leaves_nothing),
		TEST(new_vlan_mode_replaces_the_old_one),
		TEST(either_end_deletes_a_link),
		TEST(loop_of_links_is_found),
		TEST(long_lists_come_in_pages),
		TEST(address_entered_by_hand_is_listed),
		TEST(switch_ends_with_its_last_lease),
		TEST(lease_does_not_end_a_switch_started_by_hand),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
