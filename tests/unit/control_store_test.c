/* SPDX-License-Identifier: BSD-3-Clause */
/* The saved configuration: generations, damage, and the first start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/daemon/store.h"

struct fixture {
	char dir[32];
	struct store store;
	json_t *warnings;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(store_open(&f->store, f->dir, NULL), 0);
	f->warnings = json_array();
	*state = f;
	return 0;
}

static const char *file(const struct fixture *f, const char *name)
{
	static char path[96];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	return path;
}

static int teardown(void **state)
{
	static const char *const names[] = {"config.json",   "config.1.json", "config.2.json",
					    "config.3.json", "config.4.json", "config.json.new"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(file(f, names[i]));
	assert_int_equal(rmdir(f->dir), 0); /* nothing else was left */
	store_close(&f->store);
	json_decref(f->warnings);
	free(f);
	return 0;
}

static void save(struct fixture *f, int n)
{
	json_t *document = json_pack("{si}", "n", n);

	assert_int_equal(store_save(&f->store, document, NULL), 0);
	json_decref(document);
}

/* n of generation g, or -errno. */
static int saved(struct fixture *f, unsigned g)
{
	json_t *document = NULL;
	int rc = store_read(&f->store, g, &document, NULL), n;

	if (rc < 0)
		return rc;
	n = (int)json_integer_value(json_object_get(document, "n"));
	json_decref(document);
	return n;
}

/* n of what a start would use, -1 without any. */
static int loaded(struct fixture *f)
{
	json_t *document = NULL;
	int n = -1;

	assert_int_equal(store_load(&f->store, &document, f->warnings, NULL), 0);
	if (document)
		n = (int)json_integer_value(json_object_get(document, "n"));
	json_decref(document);
	return n;
}

static void damage(const struct fixture *f, const char *name)
{
	FILE *out = fopen(file(f, name), "r+");

	assert_non_null(out);
	/* The value of n, so that the file is still good JSON: …{"n":2}}, end of line. */
	fseek(out, -4, SEEK_END);
	fputc('9', out);
	fclose(out);
}

static void first_start_finds_nothing_and_says_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loaded(f), -1);
	assert_int_equal(json_array_size(f->warnings), 0);
}

static void newest_is_loaded(void **state)
{
	save(*state, 1);
	save(*state, 2);
	assert_int_equal(loaded(*state), 2);
}

/* Waited for by nobody, and followed nowhere. */
static void what_is_no_file_is_said_and_the_next_used(void **state)
{
	struct fixture *f = *state;
	char elsewhere[96];

	save(f, 1);
	save(f, 2);
	unlink(file(f, "config.json"));
	alarm(20);
	assert_int_equal(mkfifo(file(f, "config.json"), 0600), 0);
	assert_int_equal(loaded(f), 1);
	assert_int_equal(json_array_size(f->warnings), 2); /* that, and what was restored */
	unlink(file(f, "config.json"));
	snprintf(elsewhere, sizeof(elsewhere), "%s", file(f, "config.1.json"));
	assert_int_equal(symlink(elsewhere, file(f, "config.json")), 0);
	assert_true(saved(f, 0) < 0);
	alarm(0);
}

static void five_generations_are_kept(void **state)
{
	for (int n = 1; n <= 7; n++)
		save(*state, n);
	for (unsigned g = 0; g < 5; g++)
		assert_int_equal(saved(*state, g), 7 - (int)g);
	assert_int_equal(saved(*state, 5), -ENOENT);
}

static void same_document_is_not_saved_twice(void **state)
{
	save(*state, 1);
	save(*state, 1);
	assert_int_equal(saved(*state, 1), -ENOENT);
}

static void damaged_newest_is_said_and_the_next_used(void **state)
{
	struct fixture *f = *state;

	save(f, 1);
	save(f, 2);
	damage(f, "config.json");
	assert_int_equal(saved(f, 0), -EBADMSG);
	assert_int_equal(loaded(f), 1);
	assert_int_equal(json_array_size(f->warnings), 2);
}

static void torn_newest_is_said_and_the_next_used(void **state)
{
	struct fixture *f = *state;

	save(f, 1);
	save(f, 2);
	assert_int_equal(truncate(file(f, "config.json"), 20), 0);
	assert_int_equal(loaded(f), 1);
}

static void missing_newest_is_said_and_the_next_used(void **state)
{
	struct fixture *f = *state;

	save(f, 1);
	save(f, 2);
	assert_int_equal(unlink(file(f, "config.json")), 0);
	assert_int_equal(loaded(f), 1);
	assert_int_equal(json_array_size(f->warnings), 2);
}

/* What was taken from an older one is written as the newest although it is nothing new. */
static void restored_one_is_saved_again(void **state)
{
	struct fixture *f = *state;

	save(f, 1);
	save(f, 2);
	damage(f, "config.json");
	assert_int_equal(loaded(f), 1);
	save(f, 1);
	assert_int_equal(saved(f, 0), 1);
}

/* A crash between the new name and the older ones' move: the next start moves them. */
static void interrupted_move_is_ended(void **state)
{
	struct fixture *f = *state;
	char before[96];

	save(f, 1);
	save(f, 2);
	snprintf(before, sizeof(before), "%s", file(f, "config.json.old"));
	assert_int_equal(link(file(f, "config.1.json"), before), 0);
	assert_int_equal(unlink(file(f, "config.1.json")), 0);
	store_close(&f->store);
	assert_int_equal(store_open(&f->store, f->dir, NULL), 0);
	assert_int_equal(saved(f, 0), 2);
	assert_int_equal(saved(f, 1), 1);
}

static void all_damaged_is_an_empty_start(void **state)
{
	struct fixture *f = *state;

	save(f, 1);
	damage(f, "config.json");
	assert_int_equal(loaded(f), -1);
	assert_int_equal(json_array_size(f->warnings), 1);
}

static void failed_save_keeps_the_old_one(void **state)
{
	struct fixture *f = *state;
	json_t *document = json_pack("{si}", "n", 2);
	struct err err = ERR_NONE;

	save(f, 1);
	/* A dangling link in the way of the file that is to be written. */
	assert_int_equal(symlink("/nowhere/at/all", file(f, "config.json.new")), 0);
	assert_true(store_save(&f->store, document, &err) < 0);
	assert_non_null(strstr(err.text, "cannot be saved"));
	json_decref(document);
	assert_int_equal(saved(f, 0), 1);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_start_finds_nothing_and_says_nothing),
		TEST(newest_is_loaded),
		TEST(what_is_no_file_is_said_and_the_next_used),
		TEST(five_generations_are_kept),
		TEST(same_document_is_not_saved_twice),
		TEST(damaged_newest_is_said_and_the_next_used),
		TEST(torn_newest_is_said_and_the_next_used),
		TEST(missing_newest_is_said_and_the_next_used),
		TEST(restored_one_is_saved_again),
		TEST(interrupted_move_is_ended),
		TEST(all_damaged_is_an_empty_start),
		TEST(failed_save_keeps_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
