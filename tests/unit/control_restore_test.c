/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a successor makes of what a process left that crashed: bridges and ports, their owners, addresses,
 * and what was saved.
 *
 * How      Each life is a process of its own that dies without tidying up. It writes down what it had, and
 *          the next one compares.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/daemon/objects.h"
#include "control/daemon/owner.h"
#include "switch/internal.h"
#include "tests/unit/control_life.h"

/* ---- what is in a life ---- */

static void nothing(struct life *l)
{
}

static void lab_and_hand(struct life *l)
{
	struct port_info info;
	struct bridge *br;

	life_make(l, bridge_make, "{'name':'b','ageing':60.5,'forward_reserved':'lldp'}");
	life_save(l);
	life_make(l, bridge_make, "{'name':'c'}");
	life_make(l, bridge_make, "{'name':'one/sw','lab':'one'}");
	life_make(l, port_make, "{'name':'gone','bridge':'b','type':'fake'}");
	life_make(l, port_make, "{'name':'p','bridge':'b','type':'fake','access':10,'mtu':1400}");
	life_make(l, port_make, "{'name':'d','bridge':'b','type':'fake','down':true,'trunk':[[10,20]]}");
	life_make(l, port_make,
	     "{'name':'wire','bridge':'b','peer_bridge':'c','type':'link','access':7}");
	life_make(l, port_make, "{'name':'one/h1.0','bridge':'one/sw','type':'fake','lab':'one'}");
	life_make(l, port_make, "{'name':'vm.0','bridge':'b','type':'fake','transient':true}");
	life_make(l, port_make, "{'name':'m','bridge':'c','type':'fake','mirror':['p','vm.0']}");
	life_must(port_drop(port_find(l->d.sw, "gone"), NULL), &(struct err){.text = "drop"});
	br = bridge_find(l->d.sw, "b");
	life_must(bridge_fdb_add(br, (uint8_t[]){2, 0, 0, 0, 0, 1}, 10, port_find(l->d.sw, "p"), NULL),
	     &(struct err){.text = "fdb"});
	for (uint8_t i = 2; i < 50; i++) {
		uint64_t key = fdb_key((uint8_t[8]){2, 0, 0, 0, 0, i}, 10);

		fdb_learn(br->fdb, key, fdb_hash(key), port_find(l->d.sw, "vm.0")->id,
			  switch_now_s(l->d.sw));
	}
	port_info(port_find(l->d.sw, "d"), &info);
	MUST(info.state == PORT_DOWN);
	life_save(l);
}

static void everything_comes_back_in_its_slot(void **state)
{
	struct world *w = *state;
	char *was;

	life_run(w, lab_and_hand);
	was = strdup(w->was);
	assert_non_null(strstr(was, "one/h1.0"));
	assert_non_null(strstr(was, "\"macs\": 49"));
	for (unsigned i = 0; i < 3; i++) {
		life_run(w, nothing);
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
	life_run(*state, lab_and_hand);
	life_run(*state, mirror_is_there);
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
	life_run(*state, lab_and_hand);
	life_run(*state, two_seconds);
	life_run(*state, addresses_are_as_old);
}

static void unsaved(struct life *l)
{
	life_make(l, port_make, "{'name':'never','bridge':'b','type':'fake'}");
	life_make(l, bridge_make, "{'name':'neither'}");
	life_make(l, port_make, "{'name':'one/h2.0','bridge':'one/sw','type':'fake','lab':'one'}");
	life_must(port_drop(port_find(l->d.sw, "d"), NULL), &(struct err){.text = "drop"});
	life_must(port_change(port_find(l->d.sw, "p"),
			 read_json("{'bridge':'b','type':'fake','access':11}"), NULL),
	     &(struct err){.text = "change"});
	life_must(bridge_change(bridge_find(l->d.sw, "b"), read_json("{'max_macs':16}"), NULL),
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
	life_run(*state, lab_and_hand);
	life_run(*state, unsaved);
	life_run(*state, saved_comes_back);
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

	life_run(w, lab_and_hand);
	was = strdup(w->was);
	life_run(w, damage_newest);
	life_run(w, nothing);
	assert_string_equal(w->was, was);
	life_run(w, nothing); /* the file is whole again */
	assert_string_equal(w->was, was);
	free(was);
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
	life_run(*state, lab_and_hand);
	life_run(*state, text_spoiled);
	life_run(*state, spoiled_is_gone);
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
	life_run(*state, lab_and_hand);
	life_run(*state, size_changes);
	life_run(*state, all_addresses);
}

static void deadly(struct life *l)
{
	life_make(l, port_make,
	     "{'name':'x.0','bridge':'b','type':'fake','path':'/deadly','transient':true}");
}

/* Whoever dies while it takes over leaves everything to the next one. */
static void crash_while_taking_over_loses_nothing(void **state)
{
	struct world *w = *state;
	struct life l = {.w = w, .fn = nothing};
	unsigned n;
	char *was;

	life_run(w, lab_and_hand);
	life_run(w, deadly);
	n = keep_table_n(w->table);
	was = strdup(w->was);
	life_deadly_now = true;
	assert_true(WIFSIGNALED(keep_table_life(w->table, life_live, &l)));
	life_deadly_now = false;
	assert_int_equal(keep_table_n(w->table), n);
	life_run(w, nothing);
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
	life_run(*state, lab_and_hand);
	life_run(*state, arena_spoiled);
	life_run(*state, hand_made_anew);
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

	life_run(w, lab_and_hand);
	assert_int_equal(keep_table_n(w->table), 2 + 3); /* the arena, the counters; three tables */
	life_run(w, forget_all);
	assert_int_equal(keep_table_n(w->table), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, life_setup, life_teardown)

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
