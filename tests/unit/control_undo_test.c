/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A change that fails is undone; where undoing it fails, too, nobody is told that nothing was changed.
 */
#include "tests/unit/control_fixture.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void says_not(struct fixture *f, const char *part)
{
	if (strstr(f->text, part))
		fail_msg("<%s> is in <%s>", part, f->text);
}

static void made(struct fixture *f)
{
	BRIDGE("b");
	ok(f, "port.add", "{\"name\":\"p\",\"type\":\"fake\",\"bridge\":\"b\",\"path\":\"/fickle\"}");
}

/* To a folder where nobody makes files, and back. */
static void saving_fails(struct fixture *f, bool fails)
{
	static int saved_fd;

	if (fails) {
		saved_fd = f->d.store.dir_fd;
		f->d.store.dir_fd = open("/proc", O_RDONLY | O_DIRECTORY);
	} else {
		close(f->d.store.dir_fd);
		f->d.store.dir_fd = saved_fd;
	}
}

static void change_that_cannot_be_undone_is_said_to_be_in_effect(void **state)
{
	struct fixture *f = *state;

	made(f);
	saving_fails(f, true);
	expect(f, "port.del", "{\"name\":\"p\"}", "nothing was changed: ");
	assert_non_null(port_find(f->d.sw, "p"));
	fixture_fails = true;
	expect(f, "port.del", "{\"name\":\"p\"}", "the change is in effect until the next start");
	says_not(f, "nothing was changed");
	expect(f, "bridge.list", "{}", "\"name\":\"b\"");
	assert_null(port_find(f->d.sw, "p"));
	saving_fails(f, false);
}

#define FICKLE(name) "\"" name "\":" FAKE("b", ",\"path\":\"/fickle\"")

static void apply_that_cannot_be_undone_is_said_to_be_in_effect(void **state)
{
	struct fixture *f = *state;

	made(f);
	saving_fails(f, true);
	expect(f, "config.apply", DOCUMENT("\"b\":{},\"c\":{}", "") "}", "nothing was changed: ");
	assert_non_null(port_find(f->d.sw, "p"));
	fixture_fails = true;
	expect(f, "config.apply", DOCUMENT("\"b\":{},\"c\":{}", "") "}",
	       "the changes are in effect until the next start");
	says_not(f, "nothing was changed");
	assert_non_null(strstr(f->text, "cannot be made"));
	saving_fails(f, false);
	/* What runs can be saved as soon as there is room. */
	fixture_fails = false;
	ok(f, "bridge.add", "{\"name\":\"e\"}");
	ok(f, "config.rollback", "{}");
}

static void step_that_fails_tells_of_what_is_left_of_those_before(void **state)
{
	struct fixture *f = *state;

	made(f);
	fixture_fails = true;
	/* p is made anew in another way: it goes first, q cannot come, and p not again. */
	expect(f, "config.apply", DOCUMENT("\"b\":{}", FICKLE("q")) "}",
	       "port \\\"q\\\": cannot be made");
	assert_non_null(strstr(f->text, "stays in part, as undoing failed too"));
	assert_null(port_find(f->d.sw, "p"));
	fixture_fails = false;
	ok(f, "config.apply", DOCUMENT("\"b\":{}", FICKLE("p")) "}");
	/* One that can be undone says nothing of the kind. */
	expect(f, "config.apply", DOCUMENT("\"b\":{},\"c\":{\"ageing\":-5}", FICKLE("p")) "}",
	       "\"error\":");
	says_not(f, "stays in part");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(change_that_cannot_be_undone_is_said_to_be_in_effect),
		T(apply_that_cannot_be_undone_is_said_to_be_in_effect),
		T(step_that_fails_tells_of_what_is_left_of_those_before),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
