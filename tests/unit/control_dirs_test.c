/* SPDX-License-Identifier: BSD-3-Clause */
/* Where sockets and state live, for root and for users with and without a login session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/rpc/dirs.h"

#define USER 64999 /* nobody has logged in as this one */

static void variables(const char *session, const char *home)
{
	unsetenv("LANYARD_RUN_DIR");
	unsetenv("LANYARD_STATE_DIR");
	unsetenv("XDG_STATE_HOME");
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("HOME");
	if (session)
		setenv("XDG_RUNTIME_DIR", session, 1);
	if (home)
		setenv("HOME", home, 1);
}

/* The run dir of a user who is not root, or the sentence, out of a child. */
static const char *run_dir_of_user(void)
{
	static char text[600];
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct err err = ERR_NONE;

		if (geteuid() == 0 && setuid(USER) < 0)
			_exit(1);
		if (dir_run(NULL, text, sizeof(text), &err) < 0)
			snprintf(text, sizeof(text), "%.300s; %.200s", err.text, err.hint);
		_exit(write(fds[1], text, strlen(text) + 1) < 0);
	}
	close(fds[1]);
	n = read(fds[0], text, sizeof(text));
	close(fds[0]);
	assert_true(n > 0);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	return text;
}

static void the_session_has_the_sockets(void **state)
{
	variables("/run/user/7", "/home/alice");
	assert_string_equal(run_dir_of_user(), "/run/user/7/lanyard");
}

static void without_a_session_they_are_beside_the_state(void **state)
{
	if (geteuid() != 0)
		skip(); /* this user may well be logged in */
	variables(NULL, "/home/alice");
	assert_string_equal(run_dir_of_user(), "/home/alice/.local/state/lanyard/run");
	variables(NULL, NULL);
	assert_string_equal(run_dir_of_user(),
			    "there is no home folder to keep state in; set LANYARD_STATE_DIR");
}

static void who_says_where_is_heard(void **state)
{
	char dir[64];

	variables("/run/user/7", "/home/alice");
	setenv("LANYARD_RUN_DIR", "/x", 1);
	assert_string_equal(run_dir_of_user(), "/x");
	assert_int_equal(dir_run("/y", dir, sizeof(dir), NULL), 0);
	assert_string_equal(dir, "/y");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_session_has_the_sockets),
		cmocka_unit_test(without_a_session_they_are_beside_the_state),
		cmocka_unit_test(who_says_where_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
