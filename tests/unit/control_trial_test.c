/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An apply that waits for its confirmation, over deaths of the process that forwards: it goes on, is confirmed or is
 * undone, in whichever process its time is over.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/daemon/config.h"
#include "control/daemon/confirm.h"
#include "control/daemon/objects.h"
#include "switch/internal.h"
#include "tests/unit/control_life.h"

static double try_s;

/* Bridge b is saved, c and port p in it are tried. */
static void tries(struct life *l)
{
	struct err err = ERR_NONE;
	json_t *before;

	life_make(l, bridge_make, "{'name':'b'}");
	life_save(l);
	before = config_document(&l->d);
	life_make(l, bridge_make, "{'name':'c'}");
	life_make(l, port_make, "{'name':'p','bridge':'c','type':'fake','access':10}");
	snprintf((char *)port_find(l->d.sw, "p")->kept->driver, 64, "tried");
	life_must(confirm_begin(&l->d, before, try_s, &err), &err);
}

static void is_tried(struct life *l)
{
	struct port *p = port_find(l->d.sw, "p");

	MUST(bridge_find(l->d.sw, "c") && p && !strcmp((char *)p->kept->driver, "tried"));
	MUST(l->d.before_apply && l->d.confirm_timer && l->d.confirm_due_ns > loop_now_ns());
	MUST(!json_object_get(json_object_get(l->d.before_apply, "bridges"), "c"));
	life_must(daemon_save(&l->d, NULL), &(struct err){.text = "save"});
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
	life_save(l);
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

	life_must(store_trial_load(&l->d.store, &trial, &err), &err);
	json_object_set_new(trial, key, value);
	life_must(store_trial_save(&l->d.store, trial, &err), &err);
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

static void config_is_cut(struct life *l)
{
	int fd = openat(l->d.store.dir_fd, "config.json", O_WRONLY);

	MUST(fd >= 0 && ftruncate(fd, 50) == 0);
	close(fd);
}

static void is_cut_and_late(struct life *l)
{
	config_is_cut(l);
	runs_late(l);
}

/* What was saved is in the note of what is tried: neither is what is tried taken for it, nor is it lost. */
static void damaged_configuration_is_what_the_trial_says(void **state)
{
	try_s = 60;
	life_run(*state, tries);
	life_run(*state, config_is_cut);
	life_run(*state, is_tried);
	life_run(*state, is_cut_and_late);
	life_run(*state, is_as_before);
	life_run(*state, is_as_before);
}

/* As by a crash between the two steps of a confirmation. */
static void confirms_and_leaves_the_note(struct life *l)
{
	struct err err = ERR_NONE;
	json_t *trial;

	life_must(store_trial_load(&l->d.store, &trial, &err), &err);
	life_save(l);
	life_must(store_trial_save(&l->d.store, trial, &err), &err);
}

static void confirmed_trial_whose_note_is_left_is_over(void **state)
{
	try_s = 60;
	life_run(*state, tries);
	life_run(*state, confirms_and_leaves_the_note);
	life_run(*state, is_confirmed);
}

static void what_is_tried_goes_on_until_its_deadline(void **state)
{
	try_s = 3;
	life_run(*state, tries);
	life_run(*state, is_tried);
	life_run(*state, waits);
	life_run(*state, is_as_before);
}

/* Killed between the two steps of a confirmation, too. */
static void successor_confirms(void **state)
{
	try_s = 60;
	life_run(*state, tries);
	life_run(*state, confirms);
	life_run(*state, is_confirmed);
}

static void trial_that_does_not_hold_any_more_is_over(void **state)
{
	void (*const how[])(struct life *) = {boots,	    runs_late,	       waits_for_ever,	 is_no_number,
					      is_no_configuration, is_beside_another, is_cut};

	try_s = 60;
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		life_teardown(state);
		life_setup(state);
		life_run(*state, tries);
		life_run(*state, how[i]);
		life_run(*state, is_as_before);
	}
}

/* ---- what is spoiled ---- */

#define T(name) cmocka_unit_test_setup_teardown(name, life_setup, life_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_tried_goes_on_until_its_deadline),
		T(successor_confirms),
		T(trial_that_does_not_hold_any_more_is_over),
		T(damaged_configuration_is_what_the_trial_says),
		T(confirmed_trial_whose_note_is_left_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
