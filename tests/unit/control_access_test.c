/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may do what: lists of users and groups, and the need of each method. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "control/daemon/access.h"
#include "control/daemon/daemon.h"

static enum role role(struct access *a, uid_t uid, gid_t gid, gid_t other)
{
	const struct rpc_peer peer = {.uid = uid, .gid = gid, .groups = &other, .n_groups = 1};

	return access_role(a, &peer);
}

static void without_lists_the_file_decides(void **state)
{
	struct access a;

	access_init(&a);
	assert_int_equal(access_mode(&a), 0600);
	assert_int_equal(role(&a, 4000, 4000, 4000), ROLE_ADMIN);
	assert_int_equal(access_group_set(&a, "4321", NULL), 0);
	assert_int_equal(access_mode(&a), 0660);
}

static void lists_give_roles(void **state)
{
	struct access a;

	access_init(&a);
	assert_int_equal(access_add(&a, "--view", ROLE_VIEW, "4001,%5001", NULL), 0);
	assert_int_equal(access_add(&a, "--operate", ROLE_OPERATE, "%5002", NULL), 0);
	assert_int_equal(access_add(&a, "--admin", ROLE_ADMIN, "4003", NULL), 0);
	assert_int_equal(access_mode(&a), 0666);
	assert_int_equal(role(&a, 4001, 4001, 4001), ROLE_VIEW);
	assert_int_equal(role(&a, 4009, 5001, 4001), ROLE_VIEW);
	assert_int_equal(role(&a, 4009, 4009, 5001), ROLE_VIEW);
	assert_int_equal(role(&a, 4009, 5001, 5002), ROLE_OPERATE); /* the higher one */
	assert_int_equal(role(&a, 4003, 5001, 5001), ROLE_ADMIN);
	assert_int_equal(role(&a, 5001, 4001, 4003), ROLE_NONE); /* numbers of the other kind */
	assert_int_equal(role(&a, 0, 0, 0), ROLE_ADMIN);
	assert_int_equal(role(&a, geteuid(), 4009, 4009), ROLE_ADMIN);
	assert_int_equal(access_owner_set(&a, "4007", NULL), 0);
	assert_int_equal(role(&a, 4007, 4009, 4009), ROLE_ADMIN);
}

static void names_are_looked_up(void **state)
{
	struct access a;
	struct err err = ERR_NONE;

	access_init(&a);
	assert_int_equal(access_add(&a, "--view", ROLE_VIEW, "daemon,%daemon", &err), 0);
	assert_int_equal(a.who[0].id, 1);
	assert_true(a.who[1].is_group);
	assert_int_equal(access_add(&a, "--view", ROLE_VIEW, "no-such-user", &err), -EINVAL);
	assert_string_equal(err.text, "--view: there is no user \"no-such-user\"");
	assert_int_equal(access_add(&a, "--view", ROLE_VIEW, "%no-such-group", &err), -EINVAL);
	assert_int_equal(access_add(&a, "--view", ROLE_VIEW, "daemon,,bin", &err), -EINVAL);
	assert_int_equal(access_add(&a, "--view", ROLE_VIEW, "-1", &err), -EINVAL);
	assert_int_equal(access_add(&a, "--view", ROLE_VIEW, "4294967295", &err), -EINVAL);
	assert_int_equal(a.n_who, 2 + 1); /* "daemon" of "daemon,,bin" */
}

static void too_many_are_refused(void **state)
{
	struct err err = ERR_NONE;
	struct access a;

	access_init(&a);
	for (unsigned i = 0; i < ACCESS_MAX; i++)
		assert_int_equal(access_add(&a, "--view", ROLE_VIEW, "4001", &err), 0);
	assert_int_equal(access_add(&a, "--view", ROLE_VIEW, "4001", &err), -E2BIG);
	assert_int_equal(a.n_who, ACCESS_MAX);
}

/* What only looks, and what keeps a network running. A method that is in neither list is an admin's: one
 * that is added to them has been thought about. */
static void each_method_has_its_need(void **state)
{
	static const char *const view[] = {
		"bridge.list", "port.list",	"fdb.list",	 "stats.ports", "stats.workers",    "config.list", "config.generations",
		"bridge.trace", "daemon.status", "daemon.facts", "mirror.list", "events.subscribe", "vm.seen",
	};
	static const char *const operate[] = {"port.up", "port.down", "fdb.flush", "capture.start"};
	unsigned n_view = 0, n_operate = 0;

	for (const struct rpc_method *m = daemon_methods; m->method; m++) {
		enum role want = ROLE_ADMIN;

		for (unsigned i = 0; i < sizeof(view) / sizeof(view[0]); i++)
			if (!strcmp(m->method->rpc, view[i]))
				want = ROLE_VIEW;
		for (unsigned i = 0; i < sizeof(operate) / sizeof(operate[0]); i++)
			if (!strcmp(m->method->rpc, operate[i]))
				want = ROLE_OPERATE;
		if (role_needed(m->method) != want)
			fail_msg("%s needs %s", m->method->rpc, role_name(role_needed(m->method)));
		if (want == ROLE_VIEW && m->method->flags & METHOD_MUTATES)
			fail_msg("%s changes what is saved", m->method->rpc);
		n_view += want == ROLE_VIEW;
		n_operate += want == ROLE_OPERATE;
	}
	assert_int_equal(n_view, sizeof(view) / sizeof(view[0]));
	assert_int_equal(n_operate, sizeof(operate) / sizeof(operate[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_lists_the_file_decides), cmocka_unit_test(lists_give_roles),
		cmocka_unit_test(names_are_looked_up),		  cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(each_method_has_its_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
