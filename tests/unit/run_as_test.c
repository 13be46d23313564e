/* SPDX-License-Identifier: BSD-3-Clause */
/* Which user a switch that gives up root's rights becomes, and what in its state folder is that user's then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/daemon/confine.h"
#include "tests/unit/folder.h"

/* As a switch that takes over from another one must: that one's process runs. */
static void state_folder_stays_its_users(const struct run_as *of_run_dir)
{
	char dir[] = "/tmp/lanyard-confine-XXXXXX";
	const struct run_as before = {true, of_run_dir->uid + 5, of_run_dir->uid + 5, "5 more"};
	struct err err = ERR_NONE;
	struct run_as u;
	const char *why;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(run_as_give(&before, dir, &err), 0);
	assert_int_equal(run_as_choose(NULL, "/run/x", dir, &u, &why, &err), 0);
	assert_int_equal(u.uid, before.uid);
	/* Not root, nor another one whom somebody has given it to. */
	assert_int_equal(chown(dir, 1, 1), 0);
	assert_int_equal(run_as_choose(NULL, "/run/x", dir, &u, &why, &err), 0);
	assert_int_equal(u.uid, of_run_dir->uid);
	rmdir(dir);
}

static void unused_user_is_nobodys(void **state)
{
	struct err err = ERR_NONE;
	struct run_as a, b;
	const char *why;
	pid_t pid;

	if (geteuid() != 0) {
		assert_int_equal(run_as_choose(NULL, "/run/x", "/nowhere", &a, &why, &err), 0);
		assert_false(a.change);
		assert_int_equal(run_as_choose("daemon", "/run/x", "/nowhere", &a, &why, &err), -EPERM);
		return;
	}
	assert_int_equal(run_as_choose(NULL, "/run/x", "/nowhere", &a, &why, &err), 0);
	assert_true(a.change);
	pid = fork();
	if (pid == 0) {
		if (setresuid(a.uid, a.uid, a.uid) == 0)
			pause();
		_exit(1);
	}
	/* Until it has become that user. */
	do
		assert_int_equal(run_as_choose(NULL, "/run/x", "/nowhere", &b, &why, &err), 0);
	while (b.uid == a.uid && waitpid(pid, NULL, WNOHANG) == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_not_equal(a.uid, b.uid);
	state_folder_stays_its_users(&a);
	assert_int_equal(run_as_choose("root", "/run/x", "/nowhere", &a, &why, &err), -EINVAL);
	assert_int_equal(run_as_choose("0", "/run/x", "/nowhere", &a, &why, &err), -EINVAL);
	assert_int_equal(run_as_choose("no-such-user", "/run/x", "/nowhere", &a, &why, &err), -EINVAL);
	assert_int_equal(run_as_choose("61200", "/run/x", "/nowhere", &a, &why, &err), 0);
	assert_int_equal(a.uid, 61200);
}

static void file_make(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static uid_t owner_of(const char *dir, const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(lstat(path, &st), 0);
	return st.st_uid;
}

static void links_in_the_state_folder_are_not_followed(void **state)
{
	struct run_as u = {.change = true, .uid = 61200, .gid = 61200, .name = "61200"};
	char dir[] = "/tmp/confine-XXXXXX", text[512];

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("s", 0755), 0);
	file_make("s/config.json");
	file_make("s/switch.lock");
	file_make("other");
	file_make("many");
	assert_int_equal(symlink("../other", "s/config.1.json"), 0);
	assert_int_equal(link("many", "many2"), 0);
	assert_int_equal(link("many", "s/config.2.json"), 0);
	assert_int_equal(chdir("/"), 0);
	snprintf(text, sizeof(text), "%s/s", dir);
	assert_int_equal(run_as_give(&u, text, NULL), 0);
	assert_int_equal(owner_of(dir, "s"), 61200);
	assert_int_equal(owner_of(dir, "s/config.json"), 61200);
	assert_int_equal(owner_of(dir, "s/switch.lock"), 0);
	assert_int_equal(owner_of(dir, "other"), 0);
	assert_int_equal(owner_of(dir, "many"), 0);
	folder_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unused_user_is_nobodys),
		cmocka_unit_test(links_in_the_state_folder_are_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
