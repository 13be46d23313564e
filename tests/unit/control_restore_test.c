/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a successor makes of what a process left that crashed: bridges and ports, their owners, addresses,
 * and what was saved.
 *
 * How      Each life is a process of its own that dies without tidying up. It writes down what it had, and
 *          the next one compares.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/config.h"
#include "control/daemon/confirm.h"
#include "control/daemon/daemon.h"
#include "control/daemon/objects.h"
#include "control/daemon/owner.h"
#include "switch/internal.h"
#include "tests/keep_table.h"
#include "tests/unit/lab.h"

struct world {
	struct keep_table *table;
	char dir[32];
	char *was; /* shared with each life: what it had at its end */
};

static bool deadly_now; /* for lives that begin from here on */

#define WAS_BYTES (1u << 20)

static int fake_add(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		    struct port **out, struct err *err)
{
	const char *path = json_string_value(json_object_get(settings, "path"));
	struct fake_port *fp;
	int rc;

	if (path && !strcmp(path, "/deadly") && opts->adopt && deadly_now)
		abort();
	rc = fake_port_add(sw, opts, 1, &fp, err);
	if (rc == 0)
		*out = fake_port(fp);
	/* What a driver has agreed with its other side lies in its slot. */
	if (rc == 0 && !opts->adopt)
		snprintf((char *)(*out)->kept->driver, 64, "of %s", opts->name);
	return rc;
}

static const char *const fake_keys[] = {"path", NULL};
static const struct port_type fake_type = {"fake", fake_keys, NULL, fake_add};
static const struct port_type *const types[] = {&fake_type, &port_type_link, NULL};

/* ---- one life ---- */

struct life {
	struct world *w;
	struct daemon d;
	void (*fn)(struct life *l);
};

static void must(int rc, const struct err *err)
{
	if (rc < 0) {
		fprintf(stderr, "a life: %s\n", err->text);
		_exit(9);
	}
}

/* With ' for ". */
static json_t *read_json(const char *text)
{
	char *copy = strdup(text);
	json_t *value;

	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(copy, 0, NULL);
	MUST(value);
	free(copy);
	return value;
}

static void make(struct life *l, int (*fn)(struct daemon *, const json_t *, struct err *),
		 const char *text)
{
	json_t *params = read_json(text);
	struct err err = ERR_NONE;

	must(fn(&l->d, params, &err), &err);
	json_decref(params);
}

static void save(struct life *l)
{
	struct err err = ERR_NONE;

	must(config_save(&l->d, &err), &err);
}

/* All that can be told of the switch, as text. */
static char *dump(struct life *l)
{
	json_t *all = json_object();
	char *text;

	for (struct bridge *br = bridge_next(l->d.sw, NULL); br; br = bridge_next(l->d.sw, br)) {
		const struct owner *o = bridge_owner(br);

		json_object_set_new(all, bridge_name(br),
				    json_pack("{sO ss? sb si si}", "settings", o->settings, "lab",
					      o->lab, "transient", o->transient, "slot", br->slot,
					      "macs", (int)bridge_n_macs(br)));
	}
	for (struct port *p = port_next(l->d.sw, NULL); p; p = port_next(l->d.sw, p)) {
		const struct owner *o = port_owner(p);

		json_object_set_new(all, port_name(p),
				    json_pack("{sO ss? sb si ss ss si si sb ss si}", "settings",
					      o->settings, "lab", o->lab, "transient", o->transient,
					      "id", p->id, "state", port_state_name(p->state),
					      "bridge", bridge_name(p->bridge), "mode",
					      p->kept->vlan.mode, "vid", p->kept->vlan.vid, "down",
					      p->kept->down, "driver", (char *)p->kept->driver,
					      "peer", link_peer(p) ? link_peer(p)->id : -1));
	}
	text = json_dumps(all, JSON_SORT_KEYS | JSON_INDENT(1));
	json_decref(all);
	return text;
}

static void life_begin(struct life *l)
{
	const struct eal_opts eal = {.n_workers = 1};
	struct switch_opts opts = {
		.n_workers = 1, .keep = &keep_table_ops, .keep_arg = l->w->table};
	struct err err = ERR_NONE;

	log_level_set(LOG_LEVEL_ERR);
	must(eal_start(&eal, &err), &err);
	must(loop_create(&l->d.loop), &err);
	opts.loop = l->d.loop;
	must(switch_create(&opts, &l->d.sw, &err), &err);
	l->d.types = types;
	must(store_open(&l->d.store, l->w->dir, &err), &err);
	assert_int_equal(daemon_restore(&l->d, NULL), 0);
}

static void live(void *arg)
{
	struct life *l = arg;

	life_begin(l);
	l->fn(l);
	snprintf(l->w->was, WAS_BYTES, "%s", dump(l));
}

static void one_life(struct world *w, void (*fn)(struct life *l))
{
	struct life l = {.w = w, .fn = fn};
	int status = keep_table_life(w->table, live, &l);

	if (status)
		fail_msg("a life ended with status %x", status);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->table = keep_table_create();
	snprintf(w->dir, sizeof(w->dir), "/tmp/restore-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->was = mmap(NULL, WAS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char name[64];

	for (int i = -1; i < STORE_GENERATIONS; i++) {
		snprintf(name, sizeof(name), i <= 0 ? "%s/config.json%s" : "%s/config.%s%d.json",
			 w->dir, i < 0 ? ".new" : "", i);
		unlink(name);
	}
	assert_int_equal(rmdir(w->dir), 0);
	keep_table_destroy(w->table);
	munmap(w->was, WAS_BYTES);
	free(w);
	return 0;
}

/* ---- what is in a life ---- */

static void nothing(struct life *l)
{
}

static void lab_and_hand(struct life *l)
{
	struct port_info info;
	struct bridge *br;

	make(l, bridge_make, "{'name':'b','ageing':60.5,'forward_reserved':'lldp'}");
	save(l);
	make(l, bridge_make, "{'name':'c'}");
	make(l, bridge_make, "{'name':'one/sw','lab':'one'}");
	make(l, port_make, "{'name':'gone','bridge':'b','type':'fake'}");
	make(l, port_make, "{'name':'p','bridge':'b','type':'fake','access':10,'mtu':1400}");
	make(l, port_make, "{'name':'d','bridge':'b','type':'fake','down':true,'trunk':[[10,20]]}");
	make(l, port_make,
	     "{'name':'wire','bridge':'b','peer_bridge':'c','type':'link','access':7}");
	make(l, port_make, "{'name':'one/h1.0','bridge':'one/sw','type':'fake','lab':'one'}");
	make(l, port_make, "{'name':'vm.0','bridge':'b','type':'fake','transient':true}");
	make(l, port_make, "{'name':'m','bridge':'c','type':'fake','mirror':['p','vm.0']}");
	must(port_drop(port_find(l->d.sw, "gone"), NULL), &(struct err){.text = "drop"});
	br = bridge_find(l->d.sw, "b");
	must(bridge_fdb_add(br, (uint8_t[]){2, 0, 0, 0, 0, 1}, 10, port_find(l->d.sw, "p"), NULL),
	     &(struct err){.text = "fdb"});
	for (uint8_t i = 2; i < 50; i++) {
		uint64_t key = fdb_key((uint8_t[8]){2, 0, 0, 0, 0, i}, 10);

		fdb_learn(br->fdb, key, fdb_hash(key), port_find(l->d.sw, "vm.0")->id,
			  switch_now_s(l->d.sw));
	}
	port_info(port_find(l->d.sw, "d"), &info);
	MUST(info.state == PORT_DOWN);
	save(l);
}

static void everything_comes_back_in_its_slot(void **state)
{
	struct world *w = *state;
	char *was;

	one_life(w, lab_and_hand);
	was = strdup(w->was);
	assert_non_null(strstr(was, "one/h1.0"));
	assert_non_null(strstr(was, "\"macs\": 49"));
	for (unsigned i = 0; i < 3; i++) {
		one_life(w, nothing);
		assert_string_equal(w->was, was);
	}
	free(was);
}

static void mirror_is_there(struct life *l)
{
	MUST(port_owner(port_find(l->d.sw, "m"))->mirror);
}

static void mirrors_go_on(void **state)
{
	one_life(*state, lab_and_hand);
	one_life(*state, mirror_is_there);
}

/* Who learned a second ago is a second old in the next life. */
static void addresses_are_as_old(struct life *l)
{
	struct bridge *br = bridge_find(l->d.sw, "b");
	struct fdb_record r[64];
	uint64_t at = 0;
	unsigned n = 0;

	MUST(switch_now_s(l->d.sw) >= 2);
	do {
		unsigned got = bridge_fdb_read(br, &at, r, 64);

		for (unsigned i = 0; i < got; i++, n++)
			MUST(r[i].is_static || r[i].age_s >= 2);
	} while (at);
	MUST(n == 49);
}

static void two_seconds(struct life *l)
{
	sleep(2);
}

static void addresses_grow_old_over_lives(void **state)
{
	one_life(*state, lab_and_hand);
	one_life(*state, two_seconds);
	one_life(*state, addresses_are_as_old);
}

static void unsaved(struct life *l)
{
	make(l, port_make, "{'name':'never','bridge':'b','type':'fake'}");
	make(l, bridge_make, "{'name':'neither'}");
	make(l, port_make, "{'name':'one/h2.0','bridge':'one/sw','type':'fake','lab':'one'}");
	must(port_drop(port_find(l->d.sw, "d"), NULL), &(struct err){.text = "drop"});
	must(port_change(port_find(l->d.sw, "p"),
			 read_json("{'bridge':'b','type':'fake','access':11}"), NULL),
	     &(struct err){.text = "change"});
	must(bridge_change(bridge_find(l->d.sw, "b"), read_json("{'max_macs':16}"), NULL),
	     &(struct err){.text = "change"});
}

/* Of what is made by hand all is as it was saved; the driver's side of what there was goes on. */
static void saved_comes_back(struct life *l)
{
	struct port *p = port_find(l->d.sw, "p");

	MUST(!port_find(l->d.sw, "never") && !bridge_find(l->d.sw, "neither"));
	MUST(port_find(l->d.sw, "one/h2.0") && port_find(l->d.sw, "d"));
	MUST(p->kept->vlan.vid == 10 && p->kept->mtu == 1400);
	MUST(!strcmp((char *)p->kept->driver, "of p"));
	MUST(bridge_opts(bridge_find(l->d.sw, "b"))->max_macs == BRIDGE_MAX_MACS);
	MUST(bridge_opts(bridge_find(l->d.sw, "b"))->ageing_s == 61);
}

static void what_was_not_saved_was_not_answered_for(void **state)
{
	one_life(*state, lab_and_hand);
	one_life(*state, unsaved);
	one_life(*state, saved_comes_back);
}

static void damage_newest(struct life *l)
{
	int fd = openat(l->d.store.dir_fd, "config.json", O_WRONLY);

	MUST(fd >= 0 && pwrite(fd, "x", 1, 100) == 1);
	close(fd);
}

static void slots_know_better_than_an_older_file(void **state)
{
	struct world *w = *state;
	char *was;

	one_life(w, lab_and_hand);
	was = strdup(w->was);
	one_life(w, damage_newest);
	one_life(w, nothing);
	assert_string_equal(w->was, was);
	one_life(w, nothing); /* the file is whole again */
	assert_string_equal(w->was, was);
	free(was);
}

/* ---- what an apply tries ---- */

static double try_s;

/* Bridge b is saved, c and port p in it are tried. */
static void tries(struct life *l)
{
	struct err err = ERR_NONE;
	json_t *before;

	make(l, bridge_make, "{'name':'b'}");
	save(l);
	before = config_document(&l->d);
	make(l, bridge_make, "{'name':'c'}");
	make(l, port_make, "{'name':'p','bridge':'c','type':'fake','access':10}");
	snprintf((char *)port_find(l->d.sw, "p")->kept->driver, 64, "tried");
	must(confirm_begin(&l->d, before, try_s, &err), &err);
}

static void is_tried(struct life *l)
{
	struct port *p = port_find(l->d.sw, "p");

	MUST(bridge_find(l->d.sw, "c") && p && !strcmp((char *)p->kept->driver, "tried"));
	MUST(l->d.before_apply && l->d.confirm_timer && l->d.confirm_due_ns > loop_now_ns());
	MUST(!json_object_get(json_object_get(l->d.before_apply, "bridges"), "c"));
	must(daemon_save(&l->d, NULL), &(struct err){.text = "save"});
}

static void is_as_before(struct life *l)
{
	MUST(bridge_find(l->d.sw, "b") && !bridge_find(l->d.sw, "c") && !port_find(l->d.sw, "p"));
	MUST(!l->d.before_apply && !l->d.confirm_timer);
	MUST(faccessat(l->d.store.dir_fd, "config.trial.json", F_OK, 0) < 0);
}

static void waits(struct life *l)
{
	is_tried(l);
	for (unsigned i = 0; i < 200 && l->d.before_apply; i++)
		loop_once(l->d.loop, 50);
	is_as_before(l);
}

static void confirms(struct life *l)
{
	is_tried(l);
	save(l);
}

static void is_confirmed(struct life *l)
{
	MUST(bridge_find(l->d.sw, "c") && port_find(l->d.sw, "p") && !l->d.before_apply);
	MUST(faccessat(l->d.store.dir_fd, "config.trial.json", F_OK, 0) < 0);
}

static void trial_spoil(struct life *l, const char *key, json_t *value)
{
	struct err err = ERR_NONE;
	json_t *trial;

	must(store_trial_load(&l->d.store, &trial, &err), &err);
	json_object_set_new(trial, key, value);
	must(store_trial_save(&l->d.store, trial, &err), &err);
}

static void boots(struct life *l)
{
	trial_spoil(l, "boot", json_string("11111111-1111-1111-1111-111111111111"));
}

static void runs_late(struct life *l)
{
	trial_spoil(l, "due_ns", json_integer((json_int_t)loop_now_ns()));
}

static void waits_for_ever(struct life *l)
{
	trial_spoil(l, "due_ns", json_integer(INT64_MAX));
}

static void is_no_number(struct life *l)
{
	trial_spoil(l, "due_ns", json_string("soon"));
}

static void is_no_configuration(struct life *l)
{
	trial_spoil(l, "tried", json_string("all"));
}

static void is_beside_another(struct life *l)
{
	trial_spoil(l, "before", read_json("{'bridges':{},'ports':{}}"));
}

static void is_cut(struct life *l)
{
	int fd = openat(l->d.store.dir_fd, "config.trial.json", O_WRONLY);

	MUST(fd >= 0 && ftruncate(fd, 50) == 0);
	close(fd);
}

static void what_is_tried_goes_on_until_its_deadline(void **state)
{
	try_s = 3;
	one_life(*state, tries);
	one_life(*state, is_tried);
	one_life(*state, waits);
	one_life(*state, is_as_before);
}

/* Killed between the two steps of a confirmation, too. */
static void successor_confirms(void **state)
{
	try_s = 60;
	one_life(*state, tries);
	one_life(*state, confirms);
	one_life(*state, is_confirmed);
}

static void trial_that_does_not_hold_any_more_is_over(void **state)
{
	void (*const how[])(struct life *) = {boots,	    runs_late,	       waits_for_ever,	 is_no_number,
					      is_no_configuration, is_beside_another, is_cut};

	try_s = 60;
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		teardown(state);
		setup(state);
		one_life(*state, tries);
		one_life(*state, how[i]);
		one_life(*state, is_as_before);
	}
}

/* ---- what is spoiled ---- */

static void text_spoiled(struct life *l)
{
	port_settings_set(port_find(l->d.sw, "one/h1.0"), "{");
	port_settings_set(port_find(l->d.sw, "p"), "{\"type\":\"none\"}");
	port_settings_set(port_find(l->d.sw, "vm.0"),
			  "{\"type\":\"fake\",\"bridge\":\"b\",\"access\":5000}");
}

static void spoiled_is_gone(struct life *l)
{
	struct port *p = port_find(l->d.sw, "p");

	MUST(!port_find(l->d.sw, "one/h1.0") && !port_find(l->d.sw, "vm.0"));
	MUST(p && p->kept->vlan.vid == 10 && !strcmp((char *)p->kept->driver, "of p"));
	MUST(bridge_n_macs(bridge_find(l->d.sw, "b")) == 0);
	MUST(port_find(l->d.sw, "wire~peer") && link_is_first(port_find(l->d.sw, "wire")));
}

static void settings_that_are_none_are_dropped(void **state)
{
	one_life(*state, lab_and_hand);
	one_life(*state, text_spoiled);
	one_life(*state, spoiled_is_gone);
}

static void size_changes(struct life *l)
{
	bridge_find(l->d.sw, "b")->kept->opts.max_macs = 1024;
}

static void all_addresses(struct life *l)
{
	MUST(bridge_n_macs(bridge_find(l->d.sw, "b")) == 49);
	MUST(bridge_opts(bridge_find(l->d.sw, "b"))->max_macs == BRIDGE_MAX_MACS);
}

/* It died between the table and the word that says how large it is to be. */
static void table_that_was_about_to_change_is_copied(void **state)
{
	one_life(*state, lab_and_hand);
	one_life(*state, size_changes);
	one_life(*state, all_addresses);
}

static void deadly(struct life *l)
{
	make(l, port_make,
	     "{'name':'x.0','bridge':'b','type':'fake','path':'/deadly','transient':true}");
}

/* Whoever dies while it takes over leaves everything to the next one. */
static void crash_while_taking_over_loses_nothing(void **state)
{
	struct world *w = *state;
	struct life l = {.w = w, .fn = nothing};
	unsigned n;
	char *was;

	one_life(w, lab_and_hand);
	one_life(w, deadly);
	n = keep_table_n(w->table);
	was = strdup(w->was);
	deadly_now = true;
	assert_true(WIFSIGNALED(keep_table_life(w->table, live, &l)));
	deadly_now = false;
	assert_int_equal(keep_table_n(w->table), n);
	one_life(w, nothing);
	assert_string_equal(w->was, was);
	free(was);
}

static void arena_spoiled(struct life *l)
{
	uint32_t *words =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, switch_arena_fd(l->d.sw), 0);

	words[2]++;
}

static void hand_made_anew(struct life *l)
{
	MUST(port_find(l->d.sw, "p") && port_find(l->d.sw, "d") && port_find(l->d.sw, "wire"));
	MUST(!port_find(l->d.sw, "vm.0") && !bridge_find(l->d.sw, "one/sw"));
}

static void memory_of_another_build_leaves_the_file(void **state)
{
	one_life(*state, lab_and_hand);
	one_life(*state, arena_spoiled);
	one_life(*state, hand_made_anew);
}

static void forget_all(struct life *l)
{
	daemon_forget(&l->d);
	while (port_next(l->d.sw, NULL))
		port_del(port_next(l->d.sw, NULL), NULL);
	while (bridge_next(l->d.sw, NULL))
		bridge_del(bridge_next(l->d.sw, NULL), NULL);
	l->d.store.dir_fd = -1;
}

static void what_is_deleted_is_kept_no_more(void **state)
{
	struct world *w = *state;

	one_life(w, lab_and_hand);
	assert_int_equal(keep_table_n(w->table), 2 + 3); /* the arena, the counters; three tables */
	one_life(w, forget_all);
	assert_int_equal(keep_table_n(w->table), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(everything_comes_back_in_its_slot),
		T(mirrors_go_on),
		T(addresses_grow_old_over_lives),
		T(what_was_not_saved_was_not_answered_for),
		T(slots_know_better_than_an_older_file),
		T(settings_that_are_none_are_dropped),
		T(table_that_was_about_to_change_is_copied),
		T(crash_while_taking_over_loses_nothing),
		T(memory_of_another_build_leaves_the_file),
		T(what_is_deleted_is_kept_no_more),
		T(what_is_tried_goes_on_until_its_deadline),
		T(successor_confirms),
		T(trial_that_does_not_hold_any_more_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
