/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's methods over a real switch, with fake ports in the place of guests. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/apply.h"
#include "control/daemon/daemon.h"
#include "control/rpc/server.h"
#include "tests/unit/lab.h"

struct fixture {
	struct lab *lab;
	struct daemon d;
	char dir[32], path[64];
	int fd;
	char text[RPC_REPLY_MAX_BYTES + 1]; /* of the last answer */
};

static bool fails_now;

/* Port type `fake`; one whose path is /fail cannot be made, nor one of /fickle while fails_now; one of /slow takes
 * longer than a slice of an apply. */
static int fake_add(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		    struct port **out, struct err *err)
{
	const char *path = json_string_value(json_object_get(settings, "path"));
	struct fake_port *fp;
	int rc;

	if (path && (!strcmp(path, "/fail") || (fails_now && !strcmp(path, "/fickle"))))
		return err_set(err, -EIO, "cannot be made");
	if (path && !strcmp(path, "/slow"))
		usleep(20 * 1000);
	rc = fake_port_add(sw, opts, 1, &fp, err);
	if (rc == 0)
		*out = fake_port(fp);
	return rc;
}

static const char *const fake_keys[] = {"path", NULL};
static const struct port_type fake_type = {"fake", fake_keys, NULL, fake_add};
static const struct port_type *const types[] = {&fake_type, &port_type_link, NULL};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rpc_server_opts opts = {
		.methods = daemon_methods, .ctx = &f->d, .after_change = daemon_save};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	log_level_set(LOG_LEVEL_ERR);
	assert_int_equal(lab_setup((void **)&f->lab), 0);
	bridge_del(f->lab->br, NULL); /* the daemon's objects all have owners */
	snprintf(f->dir, sizeof(f->dir), "/tmp/daemon-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->d.loop = f->lab->loop;
	f->d.sw = f->lab->sw;
	f->d.types = types;
	assert_int_equal(store_open(&f->d.store, f->dir, NULL), 0);
	assert_int_equal(daemon_restore(&f->d, NULL), 0);
	snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	assert_int_equal(rpc_listen(f->path, &opts.listen_fd, NULL), 0);
	assert_int_equal(rpc_server_create(f->d.loop, &opts, &f->d.server, NULL), 0);
	f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	assert_int_equal(connect(f->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char name[96];

	close(f->fd);
	rpc_server_destroy(f->d.server);
	loop_timer_del(f->d.confirm_timer);
	loop_timer_del(f->d.lease_timer);
	loop_timer_del(f->d.stop_timer);
	apply_free(f->d.apply);
	daemon_forget(&f->d);
	store_close(&f->d.store);
	unlink(f->path);
	snprintf(name, sizeof(name), "%s/config.json", f->dir);
	unlink(name);
	for (unsigned i = 1; i < STORE_GENERATIONS; i++) {
		snprintf(name, sizeof(name), "%s/config.%u.json", f->dir, i);
		unlink(name);
	}
	assert_int_equal(rmdir(f->dir), 0);
	lab_teardown((void **)&f->lab);
	free(f);
	return 0;
}

/* Asks the daemon and returns its whole answer as text. */
static const char *ask(struct fixture *f, const char *method, const char *params)
{
	char line[4096];
	size_t len = 0;
	int n = snprintf(line, sizeof(line),
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method,
			 params);

	assert_true(n < (int)sizeof(line));
	assert_int_equal(send(f->fd, line, (size_t)n, 0), n);
	for (unsigned i = 0; i < 1000; i++) {
		ssize_t got;

		loop_once(f->d.loop, 20);
		got = recv(f->fd, f->text + len, sizeof(f->text) - len - 1, MSG_DONTWAIT);
		if (got > 0)
			len += (size_t)got;
		if (len && f->text[len - 1] == '\n')
			break;
	}
	f->text[len] = '\0';
	return f->text;
}

static void expect(struct fixture *f, const char *method, const char *params, const char *part)
{
	const char *got = ask(f, method, params);

	if (!strstr(got, part))
		fail_msg("%s %s: no <%s> in <%.900s>", method, params, part, got);
}

static void ok(struct fixture *f, const char *method, const char *params)
{
	expect(f, method, params, "\"result\":");
}

#define BRIDGE(name) ok(f, "bridge.add", "{\"name\":\"" name "\"}")
#define PORT(name, bridge)                                                                         \
	ok(f, "port.add", "{\"name\":\"" name "\",\"type\":\"fake\",\"bridge\":\"" bridge "\"}")
#define LAB_BRIDGE(lab, name)                                                                      \
	ok(f, "bridge.add", "{\"name\":\"" lab "/" name "\",\"lab\":\"" lab "\"}")

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

/* ---- apply ---- */

#define DOCUMENT(bridges, ports) "{\"document\":{\"bridges\":{" bridges "},\"ports\":{" ports "}}"
#define FAKE(bridge, more)	 "{\"type\":\"fake\",\"bridge\":\"" bridge "\"" more "}"

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

/* Of the newest saved configuration. */
static bool is_saved(struct fixture *f, const char *section, const char *name)
{
	json_t *document = NULL;
	bool is;

	assert_int_equal(store_read(&f->d.store, 0, &document, NULL), 0);
	is = json_object_get(json_object_get(document, section), name) != NULL;
	json_decref(document);
	return is;
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

static void rollback_that_fails_leaves_the_confirmation_awaited(void **state)
{
	struct fixture *f = *state;

	BRIDGE("b");
	ok(f, "port.add",
	   "{\"name\":\"p\",\"type\":\"fake\",\"bridge\":\"b\",\"path\":\"/fickle\"}");
	ok(f, "config.apply", DOCUMENT("\"c\":{}", "") ",\"confirm\":60}");
	fails_now = true;
	expect(f, "config.rollback", "{}", "cannot be made");
	fails_now = false;
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
	expect(f, "port.list", "{}", "\"items\":[]");
	expect(f, "daemon.facts", "{}", "port \\\"p\\\": this build has no port type");
	BRIDGE("c");
	f->d.types = types;
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
	f->d.types = types;
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

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

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
		TEST(port_that_cannot_be_made_leaves_nothing),
		TEST(new_vlan_mode_replaces_the_old_one),
		TEST(either_end_deletes_a_link),
		TEST(loop_of_links_is_found),
		TEST(long_lists_come_in_pages),
		TEST(address_entered_by_hand_is_listed),
		TEST(dry_run_changes_nothing),
		TEST(apply_makes_the_hand_made_part_equal),
		TEST(apply_keeps_a_port_that_changes_in_place),
		TEST(apply_undoes_what_it_did_when_a_step_fails),
		TEST(vm_that_comes_during_an_apply_saves_no_half_of_it),
		TEST(apply_touches_no_lab),
		TEST(apply_refuses_to_delete_a_bridge_under_a_vm),
		TEST(apply_refuses_a_wrong_document_before_it_changes_anything),
		TEST(unconfirmed_apply_goes_back),
		TEST(unconfirmed_apply_is_not_saved),
		TEST(rollback_that_fails_leaves_the_confirmation_awaited),
		TEST(rollback_goes_back_one_change),
		TEST(saved_objects_come_back),
		TEST(object_that_cannot_be_restored_stays_saved),
		TEST(change_of_what_was_kept_out_is_undone_with_it),
		TEST(apply_that_is_gone_back_from_keeps_what_was_kept_out),
		TEST(switch_ends_with_its_last_lease),
		TEST(lease_does_not_end_a_switch_started_by_hand),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
