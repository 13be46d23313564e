/* SPDX-License-Identifier: BSD-3-Clause */
/* Documents that are applied, confirmed, undone and saved, and what comes back of them at the next start. */
#include "tests/unit/control_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void dry_run_changes_nothing(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	expect(f, "config.apply", DOCUMENT("\"c\":{}", "") ",\"dry_run\":true}", "\"n_changes\":2");
	expect(f, "bridge.list", "{}", "\"name\":\"b\"");
}

static void apply_makes_the_hand_made_part_equal(void **state)
{
	struct fixture *f = *state;

	BRIDGE("a");
	BRIDGE("b");
	PORT("p", "a");
	PORT("q", "b");
	ok(f, "config.apply",
	   DOCUMENT("\"b\":{\"ageing\":10},\"c\":{}",
		    "\"q\":" FAKE("b", ",\"access\":5") ",\"r\":" FAKE("c", "")) "}");
	expect(f, "config.apply",
	       DOCUMENT("\"b\":{\"ageing\":10},\"c\":{}",
			"\"q\":" FAKE("b", ",\"access\":5") ",\"r\":" FAKE("c", "")) "}",
	       "\"n_changes\":0");
	expect(f, "bridge.list", "{}", "\"ageing_s\":10");
}

static void seconds_are_kept_as_they_are_shown(void **state)
{
	struct fixture *f = *state;

	ok(f, "bridge.add", "{\"name\":\"a\",\"ageing\":10.0}");
	ok(f, "bridge.add", "{\"name\":\"b\",\"ageing\":2.50000000000000044}");
	expect(f, "config.apply", DOCUMENT("\"a\":{\"ageing\":10},\"b\":{\"ageing\":2.5}", "") "}",
	       "\"n_changes\":0");
}

static void defaults_that_are_written_out_are_no_change(void **state)
{
	static const char *const documents[] = {
		DOCUMENT("\"b\":{\"ageing\":300,\"max_macs\":65536,\"forward_reserved\":\"none\"}",
			 "\"p\":" FAKE("b", ",\"guard\":\"off\",\"trunk\":\"1-4094\",\"native\":1,\"isolated\":false")) "}",
		DOCUMENT("\"b\":{}", "\"p\":" FAKE("b", ",\"native\":1")) "}",
	};
	struct fixture *f = *state;

	BRIDGE("b");
	PORT("p", "b");
	for (unsigned i = 0; i < 2; i++)
		expect(f, "config.apply", documents[i], "\"n_changes\":0");
	/* Without a native VLAN it is another one. */
	expect(f, "config.apply", DOCUMENT("\"b\":{}", "\"p\":" FAKE("b", ",\"trunk\":\"1-4094\"")) "}",
	       "\"n_changes\":1");
	expect(f, "config.apply", DOCUMENT("\"b\":{\"ageing\":301}", "\"p\":" FAKE("b", ",\"trunk\":\"1-4094\"")) "}",
	       "\"n_changes\":1");
}

static void apply_keeps_a_port_that_changes_in_place(void **state)
{
	struct fixture *f = *state;
	struct port *before;

	BRIDGE("b");
	PORT("p", "b");
	before = port_find(f->d.sw, "p");
	ok(f, "config.apply",
	   DOCUMENT("\"b\":{}", "\"p\":" FAKE("b", ",\"access\":5,\"mtu\":9000")) "}");
	assert_ptr_equal(port_find(f->d.sw, "p"), before);
}

static void apply_undoes_what_it_did_when_a_step_fails(void **state)
{
	struct fixture *f = *state;
	char before[1024];

	BRIDGE("a");
	BRIDGE("b");
	PORT("p", "a");
	snprintf(before, sizeof(before), "%s", ask(f, "config.list", "{}"));
	expect(f, "config.apply",
	       DOCUMENT("\"b\":{\"ageing\":10},\"c\":{}",
			"\"q\":" FAKE("c", ",\"path\":\"/fail\"")) "}",
	       "port \\\"q\\\": cannot be made");
	ask(f, "config.list", "{}");
	assert_non_null(strstr(f->text, "\"name\":\"a\",\"settings\":{}"));
	assert_non_null(strstr(f->text, "\"name\":\"b\",\"settings\":{}"));
	assert_non_null(strstr(f->text, "\"name\":\"p\""));
	assert_int_equal(strlen(f->text), strlen(before));
}

#define SLOW(name) "\"" name "\":" FAKE("b", ",\"path\":\"/slow\"") ","

static void vm_that_comes_during_an_apply_saves_no_half_of_it(void **state)
{
	static const char requests[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"config.apply\",\"params\":" DOCUMENT(
			"\"b\":{}", SLOW("p") SLOW("p2") SLOW("p3") SLOW("p4")
					     "\"q\":" FAKE("b", ",\"path\":\"/fail\"")) "}}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"port.add\",\"params\":{\"name\":\"h.eth0\","
		"\"type\":\"fake\",\"bridge\":\"b\",\"transient\":true}}\n";
	struct fixture *f = *state;

	BRIDGE("b");
	assert_int_equal(send(f->fd, requests, sizeof(requests) - 1, 0), sizeof(requests) - 1);
	for (unsigned i = 0; i < 100 && !port_find(f->d.sw, "h.eth0"); i++)
		loop_once(f->d.loop, 20);
	assert_non_null(f->d.apply); /* or this test sees nothing */
	for (unsigned i = 0; i < 100 && f->d.apply; i++)
		loop_once(f->d.loop, 20);
	expect(f, "config.list", "{}", "\"name\":\"b\"");
	assert_null(port_find(f->d.sw, "p"));
	assert_false(is_saved(f, "ports", "p"));
}

static void apply_touches_no_lab(void **state)
{
	struct fixture *f = *state;

	LAB_BRIDGE("one", "sw");
	BRIDGE("b");
	ok(f, "config.apply", DOCUMENT("", "") "}");
	expect(f, "bridge.list", "{}", "\"name\":\"one/sw\"");
	assert_null(strstr(f->text, "\"name\":\"b\""));
}

static void apply_refuses_to_delete_a_bridge_under_a_vm(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	ok(f, "port.add",
	   "{\"name\":\"vm.0\",\"type\":\"fake\",\"bridge\":\"b\",\"transient\":true}");
	expect(f, "config.apply", DOCUMENT("", "") "}", "port \\\"vm.0\\\" of a VM is on it");
}

static void apply_refuses_a_wrong_document_before_it_changes_anything(void **state)
{
	struct fixture *f = *state;

	expect(f, "config.apply", DOCUMENT("\"a\":{},\"b\":{\"aging\":3}", "") "}",
	       "bridge \\\"b\\\": there is no parameter \\\"aging\\\"");
	expect(f, "config.apply", DOCUMENT("\"a\":{}", "\"p\":" FAKE("z", "")) "}",
	       "bridge \\\"z\\\" is not in the configuration");
	expect(f, "config.apply", "{\"document\":{\"bridges\":3}}", "nothing else");
	expect(f, "bridge.list", "{}", "\"items\":[]");
}

static void unconfirmed_apply_goes_back(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	ok(f, "config.apply", DOCUMENT("\"c\":{}", "") ",\"confirm\":1}");
	expect(f, "bridge.add", "{\"name\":\"d\"}", "an apply waits to be confirmed");
	expect(f, "bridge.list", "{}", "\"name\":\"c\"");
	for (unsigned i = 0; i < 60 && f->d.before_apply; i++)
		loop_once(f->d.loop, 50);
	expect(f, "bridge.list", "{}", "\"name\":\"b\"");
	ok(f, "bridge.add", "{\"name\":\"d\"}");
}

static void unconfirmed_apply_is_not_saved(void **state)
{
	struct fixture *f = *state;
	json_t *document = NULL;

	BRIDGE("b");
	ok(f, "config.apply", DOCUMENT("\"c\":{}", "") ",\"confirm\":60}");
	assert_int_equal(store_read(&f->d.store, 0, &document, NULL), 0);
	assert_non_null(json_object_get(json_object_get(document, "bridges"), "b"));
	json_decref(document);
	ok(f, "config.confirm", "{}");
	assert_int_equal(store_read(&f->d.store, 0, &document, NULL), 0);
	assert_non_null(json_object_get(json_object_get(document, "bridges"), "c"));
	json_decref(document);
}

static void apply_whose_way_back_cannot_be_noted_is_undone(void **state)
{
	struct fixture *f = *state;
	int dir_fd = f->d.store.dir_fd;

	BRIDGE("b");
	f->d.store.dir_fd = open("/proc", O_RDONLY | O_DIRECTORY); /* where nobody makes files */
	expect(f, "config.apply", DOCUMENT("\"c\":{}", "") ",\"confirm\":60}",
	       "nothing was changed: what awaits its confirmation cannot be noted");
	close(f->d.store.dir_fd);
	f->d.store.dir_fd = dir_fd;
	expect(f, "bridge.list", "{}", "\"name\":\"b\"");
	BRIDGE("d");
}

static void rollback_that_fails_leaves_the_confirmation_awaited(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	ok(f, "port.add",
	   "{\"name\":\"p\",\"type\":\"fake\",\"bridge\":\"b\",\"path\":\"/fickle\"}");
	ok(f, "config.apply", DOCUMENT("\"c\":{}", "") ",\"confirm\":60}");
	fixture_fails = true;
	expect(f, "config.rollback", "{}", "cannot be made");
	fixture_fails = false;
	expect(f, "bridge.list", "{}", "\"name\":\"c\"");
	expect(f, "bridge.add", "{\"name\":\"d\"}", "an apply waits to be confirmed");
	ok(f, "config.rollback", "{}");
	expect(f, "port.list", "{}", "\"name\":\"p\"");
	ok(f, "bridge.add", "{\"name\":\"d\"}");
}

static void rollback_goes_back_one_change(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	BRIDGE("c");
	ok(f, "config.rollback", "{}");
	expect(f, "bridge.list", "{}", "\"name\":\"b\"");
	assert_null(strstr(f->text, "\"name\":\"c\""));
	expect(f, "config.rollback", "{\"n\":4}", "there is no saved configuration 4 changes back");
}

/* ---- restore ---- */

static void restart(struct fixture *f)
{
	struct port *p;
	struct bridge *br;

	daemon_forget(&f->d);
	f->d.before_apply = NULL;
	while ((p = port_next(f->d.sw, NULL)))
		port_del(p, NULL);
	while ((br = bridge_next(f->d.sw, NULL)))
		bridge_del(br, NULL);
	assert_int_equal(daemon_restore(&f->d, NULL), 0);
}

static void saved_objects_come_back(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	PORT("p", "b");
	ok(f, "port.down", "{\"name\":\"p\"}");
	LAB_BRIDGE("one", "sw");
	restart(f);
	expect(f, "port.list", "{}", "\"state\":\"down\"");
	assert_null(strstr(ask(f, "bridge.list", "{}"), "one/sw"));
}

static void object_that_cannot_be_restored_stays_saved(void **state)
{
	static const struct port_type *const link_only[] = {&port_type_link, NULL};
	struct fixture *f = *state;

	BRIDGE("b");
	PORT("p", "b");
	f->d.types = link_only;
	restart(f);
	expect(f, "port.list", "{}", "kept out: port \\\"p\\\": this build has no port type");
	expect(f, "daemon.facts", "{}", "port \\\"p\\\": this build has no port type");
	BRIDGE("c");
	f->d.types = fixture_types;
	restart(f);
	expect(f, "port.list", "{}", "\"name\":\"p\"");
}

/* Port p of bridge b is saved, could not be made at the start, and could be by now. */
static void keep_out_p(struct fixture *f)
{
	static const struct port_type *const link_only[] = {&port_type_link, NULL};

	BRIDGE("b");
	PORT("p", "b");
	f->d.types = link_only;
	restart(f);
	f->d.types = fixture_types;
	assert_null(port_find(f->d.sw, "p"));
}

static void change_of_what_was_kept_out_is_undone_with_it(void **state)
{
	static const char *const changes[][2] = {
		{"port.add", "{\"name\":\"p\",\"type\":\"fake\",\"bridge\":\"b\",\"mtu\":900}"},
		{"port.del", "{\"name\":\"p\"}"},
	};
	struct fixture *f = *state;
	int dir_fd = f->d.store.dir_fd;

	keep_out_p(f);
	for (unsigned i = 0; i < 2; i++) {
		f->d.store.dir_fd = open("/proc", O_RDONLY | O_DIRECTORY); /* where nobody makes files */
		expect(f, changes[i][0], changes[i][1], "nothing was changed");
		close(f->d.store.dir_fd);
		f->d.store.dir_fd = dir_fd;
		assert_null(port_find(f->d.sw, "p"));
	}
	BRIDGE("c");
	assert_true(is_saved(f, "ports", "p"));
}

static void what_rollback_goes_back_to_is_listed(void **state)
{
	struct fixture *f = *state;

	expect(f, "config.generations", "{}", "\"generations\":[]");
	BRIDGE("b");
	PORT("p", "b");
	ok(f, "port.down", "{\"name\":\"p\"}");
	ok(f, "port.del", "{\"name\":\"p\"}");
	expect(f, "config.generations", "{}", "{\"n\":1,\"saved\":1");
	assert_non_null(strstr(f->text, "\"changes\":[\"port p deleted\"]},{\"n\":2,"));
	assert_non_null(strstr(f->text, "\"changes\":[\"port p changed\"]},{\"n\":3,"));
	assert_non_null(strstr(f->text, "\"changes\":[\"port p added\"]}]"));
}

static void what_was_kept_out_is_shown_changed_and_made(void **state)
{
	struct fixture *f = *state;

	keep_out_p(f);
	expect(f, "port.list", "{\"name\":\"p\"}", "\"state\":\"errored\",\"reason\":\"kept out: port");
	expect(f, "port.list", "{}", "\"kept_out\":true");
	expect(f, "port.list", "{}", "\"counters\":{\"rx_frames\":0,");
	expect(f, "daemon.status", "{}", "\"kept_out\":[{\"kind\":\"port\",\"name\":\"p\",\"reason\":");
	expect(f, "daemon.facts", "{}", "`lanyard port up p` tries again");
	expect(f, "port.down", "{\"name\":\"p\"}", "port \\\"p\\\" is kept out: ");
	expect(f, "port.set", "{\"name\":\"p\",\"settings\":{\"access\":\"5000\"}}", "outside 1-4094");
	expect(f, "port.set", "{\"name\":\"p\",\"settings\":{\"access\":\"10\"}}", "is kept out still");
	assert_true(is_saved(f, "ports", "p"));
	ok(f, "port.up", "{\"name\":\"p\"}");
	expect(f, "port.list", "{}", "\"vlan\":{\"mode\":\"access\",\"vid\":10");
	expect(f, "daemon.status", "{}", "\"kept_out\":[]");
	assert_null(strstr(ask(f, "port.list", "{}"), "kept_out"));
}

static void kept_out_ports_are_on_pages_after_the_others(void **state)
{
	struct fixture *f = *state;

	keep_out_p(f);
	PORT("q", "b");
	expect(f, "port.list", "{\"limit\":1}", "\"name\":\"q\"");
	expect(f, "port.list", "{\"limit\":1}", "\"next\":\"1\"");
	expect(f, "port.list", "{\"limit\":1,\"cursor\":\"1\"}", "\"name\":\"p\"");
	expect(f, "port.list", "{\"limit\":1,\"cursor\":\"1\"}", "\"next\":null");
}

static void apply_that_is_gone_back_from_keeps_what_was_kept_out(void **state)
{
	struct fixture *f = *state;

	keep_out_p(f);
	ok(f, "config.apply", DOCUMENT("\"b\":{},\"c\":{}", "") ",\"confirm\":60}");
	ok(f, "config.rollback", "{}");
	assert_true(is_saved(f, "ports", "p"));
	ok(f, "config.apply", DOCUMENT("\"b\":{},\"c\":{}", "") ",\"confirm\":1}");
	for (unsigned i = 0; i < 60 && f->d.before_apply; i++)
		loop_once(f->d.loop, 50);
	BRIDGE("d");
	assert_true(is_saved(f, "bridges", "d"));
	assert_true(is_saved(f, "ports", "p"));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dry_run_changes_nothing),
		TEST(apply_makes_the_hand_made_part_equal),
		TEST(seconds_are_kept_as_they_are_shown),
		TEST(defaults_that_are_written_out_are_no_change),
		TEST(apply_keeps_a_port_that_changes_in_place),
		TEST(apply_undoes_what_it_did_when_a_step_fails),
		TEST(vm_that_comes_during_an_apply_saves_no_half_of_it),
		TEST(apply_touches_no_lab),
		TEST(apply_refuses_to_delete_a_bridge_under_a_vm),
		TEST(apply_refuses_a_wrong_document_before_it_changes_anything),
		TEST(unconfirmed_apply_goes_back),
		TEST(unconfirmed_apply_is_not_saved),
		TEST(apply_whose_way_back_cannot_be_noted_is_undone),
		TEST(rollback_that_fails_leaves_the_confirmation_awaited),
		TEST(rollback_goes_back_one_change),
		TEST(saved_objects_come_back),
		TEST(object_that_cannot_be_restored_stays_saved),
		TEST(change_of_what_was_kept_out_is_undone_with_it),
		TEST(apply_that_is_gone_back_from_keeps_what_was_kept_out),
		TEST(what_rollback_goes_back_to_is_listed),
		TEST(what_was_kept_out_is_shown_changed_and_made),
		TEST(kept_out_ports_are_on_pages_after_the_others),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
