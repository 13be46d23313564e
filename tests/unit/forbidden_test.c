/* SPDX-License-Identifier: BSD-3-Clause */
/* What neither lanyard-dhcp nor its dnsmasq may do, and what they still can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/calls.h"
#include "control/host/forbidden.h"

/* Runs it in a child that has entered the filter; what it returned, to 255. */
static int inside(int (*what)(int arg), int arg)
{
	struct err err = ERR_NONE;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || forbidden_enter(&err) < 0)
			_exit(255);
		_exit(what(arg));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The error of a child made so; 0: there was one. */
static int clone_error(int flags)
{
	long pid = syscall(SYS_clone, (unsigned long)flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid < 0 ? errno : 0;
}

static int unshare_error(int flags)
{
	return unshare(flags) < 0 ? errno : 0;
}

static int clone3_error(int unused)
{
	uint64_t args[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
	long pid = syscall(SYS_clone3, args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static void *nothing(void *arg)
{
	return arg;
}

static int ordinary(int unused)
{
	pthread_t thread;
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return 1;
	return pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL) ? 2 : 0;
}

static void no_namespace_is_made(void **state)
{
	static const int spaces[] = {CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS,	  CLONE_NEWPID,
				     CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};

	if (!calls_known())
		skip();
	for (unsigned i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		assert_int_equal(inside(clone_error, spaces[i]), EPERM);
		assert_int_equal(inside(clone_error, spaces[i] | CLONE_NEWUSER), EPERM);
		assert_int_equal(inside(unshare_error, spaces[i]), EPERM);
	}
	assert_int_equal(inside(clone3_error, 0), ENOSYS);
}

static void processes_and_threads_are(void **state)
{
	assert_int_equal(inside(clone_error, 0), 0);
	assert_int_equal(inside(ordinary, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_namespace_is_made),
		cmocka_unit_test(processes_and_threads_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
