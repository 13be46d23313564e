/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which sockets a keeper makes and connects for a process that a guest may have taken over: attacks on sockets of root
 * outside of the listed folders, by links, by "..", by races, and on those that control switch and VMs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd_msg.h"
#include "base/socket_dirs.h"
#include "base/unix_path.h"
#include "control/keeper/paths.h"
#include "control/keeper/paths_msg.h"

#define RACES 5000

/* T/own/run is the run dir, T/named one of --socket-dir, T/root what is root's: in T itself anybody may write. */
static char top[] = "/tmp/socket_dirs_test.XXXXXX";
static const struct unix_path_ops *keeper = &unix_path_direct;

static const char *at(const char *name)
{
	static char paths[4][UNIX_PATH_MAX];
	static unsigned n;
	char *out = paths[n++ % 4];

	snprintf(out, UNIX_PATH_MAX, "%s/%s", top, name);
	return out;
}

/* As somebody else would, whatever the list says. */
static int serve(const char *name, int type)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", at(name));
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static void unserve(int fd, const char *name)
{
	unlink(at(name));
	close(fd);
}

static bool is_there(const char *name)
{
	struct stat st;

	return lstat(at(name), &st) == 0;
}

/* Bound, and gone again. */
static int try_bind(const char *name)
{
	struct err err = ERR_NONE;
	int fd, rc = keeper->bind(at(name), SOCK_STREAM, NULL, &fd, &err);

	if (rc < 0)
		assert_true(err.text[0]);
	else {
		keeper->unlink(fd);
		close(fd);
	}
	return rc;
}

static int try_connect(const char *name)
{
	int fd = keeper->connect(at(name));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* Of a server that is there: nothing of it is to be had. */
static void refused(const char *name)
{
	int fd = serve(name, SOCK_STREAM);

	assert_int_equal(try_connect(name), -EACCES);
	unserve(fd, name);
	assert_int_equal(try_bind(name), -EACCES);
	assert_false(is_there(name));
}

static void allowed(const char *name)
{
	int fd = serve(name, SOCK_STREAM);

	assert_int_equal(try_connect(name), 0);
	unserve(fd, name);
	assert_int_equal(try_bind(name), 0);
}

/* ---- where ---- */

static void sockets_are_in_the_listed_folders(void **state)
{
	allowed("own/run/p1");
	allowed("own/run/sub/p1");
	allowed("named/p1");
	allowed("named/sub/p1");
	refused("root/docker.sock");
	refused("named-not/p1");
	refused("p1");
}

static void sentence_names_the_option(void **state)
{
	struct err err = ERR_NONE;

	assert_int_equal(unix_path_check(at("root/docker.sock"), "--path", &err), -EACCES);
	assert_non_null(strstr(err.text, "/root/docker.sock is in no folder"));
	assert_non_null(strstr(err.hint, "--socket-dir"));
	assert_non_null(strstr(err.hint, "/root"));
	assert_int_equal(unix_path_check(at("named/p1"), "--path", &err), 0);
	/* A right folder in the end, and the option would not help. */
	assert_int_equal(unix_path_check(at("own/run/../run/p1"), "--path", &err), 0); /* refused when it is opened */
	assert_int_equal(unix_path_check(at("root/../named/p1"), "--path", &err), -EACCES);
	assert_non_null(strstr(err.text, "\".\" and \"..\" are not followed"));
	assert_int_equal(unix_path_check(at("named/..p/.p"), "--path", &err), 0);
}

static void folder_around_the_run_dir_has_sockets_but_not_beneath(void **state)
{
	struct err err = ERR_NONE;

	allowed("own/p1");
	refused("own/state/p1");
	/* Where others may write: nobody's own. */
	assert_int_equal(chmod(at("own"), 0777), 0);
	assert_int_equal(socket_dirs_set(at("own/run"), NULL, 0, &err), 0);
	refused("own/p1");
	assert_int_equal(chmod(at("own"), 0755), 0);
}

static void systems_folders_are_nobodys_own(void **state)
{
	struct err err = ERR_NONE;
	char dir[] = "/run/socket_dirs_test.XXXXXX", run_dir[sizeof(dir) + 4], path[sizeof(dir) + 12];

	if (geteuid() != 0 || !mkdtemp(dir))
		skip();
	snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
	snprintf(path, sizeof(path), "%s/docker.sock", dir);
	mkdir(run_dir, 0755);
	assert_int_equal(socket_dirs_set(run_dir, NULL, 0, &err), 0);
	assert_int_equal(socket_dirs_check(path, &err), -EACCES);
	rmdir(run_dir);
	assert_int_equal(socket_dirs_set(dir, NULL, 0, &err), 0);
	assert_int_equal(socket_dirs_check("/run/docker.sock", &err), -EACCES);
	assert_int_equal(socket_dirs_check("/tmp/x", &err), -EACCES);
	rmdir(dir);
}

static void links_and_dots_lead_nowhere(void **state)
{
	int fd = serve("root/docker.sock", SOCK_STREAM);

	assert_int_equal(symlink(at("root"), at("named/link")), 0);
	assert_int_equal(symlink(at("root/docker.sock"), at("named/file")), 0);
	assert_int_equal(try_connect("named/link/docker.sock"), -EACCES);
	assert_int_equal(try_bind("named/link/new"), -EACCES);
	/* A link is no socket; nor is it replaced. */
	assert_int_equal(try_connect("named/file"), -ELOOP);
	assert_int_equal(try_bind("named/file"), -EEXIST);
	assert_int_equal(try_connect("named/../root/docker.sock"), -EACCES);
	assert_int_equal(try_connect("named/sub/../../root/docker.sock"), -EACCES);
	assert_int_equal(try_bind("named/.."), -EACCES);
	assert_int_equal(try_bind("named/sub/"), -EACCES);
	assert_int_equal(try_connect("named//sub/./none"), -ENOENT);
	unlink(at("named/link"));
	unlink(at("named/file"));
	unserve(fd, "root/docker.sock");
}

static void what_controls_switch_and_vms_is_out_of_reach(void **state)
{
	static const char *const control[] = {"own/run/switch.sock", "own/run/keeper.sock", "own/run/vm/0123.qmp",
					      "own/run/vm/0123.sock", "own/run/vm/0123.con", "own/run/vm/0123.n10"};

	for (unsigned i = 0; i < sizeof(control) / sizeof(control[0]); i++)
		refused(control[i]);
	allowed("own/run/vm/0123.n0");
	allowed("own/run/vm/0123.d7");
}

/* Also where the administrator has listed what is around the run dir. */
static void control_is_out_of_reach_from_above(void **state)
{
	struct err err = ERR_NONE;
	char *dirs[] = {(char *)at("")};

	assert_int_equal(socket_dirs_set(at("own/run"), dirs, 1, &err), 0);
	allowed("root/p1");
	refused("own/run/switch.sock");
	refused("own/run/vm/0123.qmp");
}

static void datagrams_are_bound_by_the_same_rule(void **state)
{
	int root = serve("root/log", SOCK_DGRAM), fine = serve("named/d", SOCK_DGRAM);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(keeper->peer(fd, at("root/log")), -EACCES);
	assert_int_equal(keeper->peer(fd, at("named/d")), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	close(fd);
	unserve(root, "root/log");
	unserve(fine, "named/d");
}

static void files_elsewhere_are_not_removed(void **state)
{
	int fd = serve("root/docker.sock", SOCK_STREAM);

	assert_false(keeper->is_there(fd));
	keeper->unlink(fd);
	assert_true(is_there("root/docker.sock"));
	unserve(fd, "root/docker.sock");
}

/* ---- who moves folders about meanwhile ---- */

static atomic_bool over;

/* named/sub is a folder, then a link to root's. */
static void *swap(void *arg)
{
	char a[UNIX_PATH_MAX], b[UNIX_PATH_MAX];

	snprintf(a, sizeof(a), "%s", at("named/sub"));
	snprintf(b, sizeof(b), "%s", at("named/link"));
	while (!atomic_load(&over))
		syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
	return NULL;
}

/* A file may have come there, which nobody serves. */
static bool is_listening_at(const char *name)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", at(name));
	rc = connect(fd, (struct sockaddr *)&sun, sizeof(sun));
	close(fd);
	return rc == 0;
}

static void races_reach_nothing_of_roots(void **state)
{
	unsigned n_bound = 0, n_connected = 0, n_stray = 0;
	int root = serve("root/p", SOCK_STREAM);
	pthread_t t;

	assert_int_equal(symlink(at("root"), at("named/link")), 0);
	atomic_store(&over, false);
	assert_int_equal(pthread_create(&t, NULL, swap, NULL), 0);
	for (unsigned i = 0; i < RACES; i++) {
		struct err err = ERR_NONE;
		int fd = -1, conn;

		if (keeper->bind(at("named/sub/new"), SOCK_STREAM, NULL, &fd, &err) == 0) {
			n_bound++;
			n_stray += is_listening_at("root/new");
			keeper->unlink(fd);
			close(fd);
		}
		conn = keeper->connect(at("named/sub/p"));
		n_connected += conn >= 0;
		if (conn >= 0)
			close(conn);
		unlink(at("named/sub/new"));
		unlink(at("named/link/new"));
	}
	atomic_store(&over, true);
	pthread_join(t, NULL);
	assert_int_equal(n_stray, 0);
	assert_int_equal(n_connected, 0);
	assert_int_equal(accept4(root, NULL, NULL, SOCK_NONBLOCK), -1);
	print_message("bound %u times of %u\n", n_bound, RACES);
	assert_true(n_bound > 0);
	/* The swapper may have ended either way round. */
	unlink(at("named/link"));
	unlink(at("named/sub"));
	rmdir(at("named/link"));
	mkdir(at("named/sub"), 0755);
	unlink(at("root/new"));
	unserve(root, "root/p");
}

/* ---- over the keeper's socket ---- */

static struct paths_answer ask(struct loop *loop, int sock, enum paths_op op, const char *path, int *out)
{
	struct paths_question q = {.op = op, .seq = 7, .type = SOCK_STREAM};
	struct paths_answer a = {0};
	unsigned n = 0;

	snprintf(q.path, sizeof(q.path), "%s", path);
	assert_int_equal(fd_msg_send(sock, &q, sizeof(q), NULL, 0, 0), 0);
	loop_once(loop, 100);
	assert_int_equal(fd_msg_receive(sock, &a, sizeof(a), out, 1, &n, 1000), sizeof(a));
	if (!n)
		*out = -1;
	return a;
}

/* One that leaves out its own check. */
static void keeper_believes_no_client(void **state)
{
	int root = serve("root/docker.sock", SOCK_STREAM), fine = serve("named/p", SOCK_STREAM), sock, out;
	struct paths_answer a;
	struct loop *loop;
	struct paths *p;

	loop_create(&loop);
	assert_int_equal(paths_create(loop, &p, &sock), 0);
	a = ask(loop, sock, PATHS_CONNECT, at("root/docker.sock"), &out);
	assert_true(a.result == -EACCES && out < 0);
	a = ask(loop, sock, PATHS_BIND, at("root/new"), &out);
	assert_true(a.result == -EACCES && out < 0 && strstr(a.err.hint, "--socket-dir"));
	a = ask(loop, sock, PATHS_CONNECT, at("named/p"), &out);
	assert_true(a.result == 0 && out >= 0);
	close(out);
	paths_destroy(p);
	close(sock);
	loop_destroy(loop);
	unserve(root, "root/docker.sock");
	unserve(fine, "named/p");
}

static int list(void **state)
{
	struct err err = ERR_NONE;
	char *dirs[] = {(char *)at("named/")};

	return socket_dirs_set(at("own/run"), dirs, 1, &err);
}

static int folders_make(void **state)
{
	static const char *const names[] = {"own",   "own/run",	  "own/run/sub", "own/run/vm", "own/state",
					    "named", "named/sub", "named-not",	 "root"};
	int rc = mkdtemp(top) ? chmod(top, 0777) : -1;

	for (unsigned i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		rc = mkdir(at(names[i]), 0755);
	return rc;
}

static int folders_remove(void **state)
{
	static const char *const names[] = {"own/run/sub", "own/run/vm", "own/run", "own/state", "own",
					    "named/sub",   "named",	 "named-not", "root"};

	socket_dirs_set(NULL, NULL, 0, NULL);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		rmdir(at(names[i]));
	return rmdir(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sockets_are_in_the_listed_folders, list),
		cmocka_unit_test_setup(sentence_names_the_option, list),
		cmocka_unit_test_setup(folder_around_the_run_dir_has_sockets_but_not_beneath, list),
		cmocka_unit_test_setup(systems_folders_are_nobodys_own, list),
		cmocka_unit_test_setup(links_and_dots_lead_nowhere, list),
		cmocka_unit_test_setup(what_controls_switch_and_vms_is_out_of_reach, list),
		cmocka_unit_test_setup(control_is_out_of_reach_from_above, list),
		cmocka_unit_test_setup(datagrams_are_bound_by_the_same_rule, list),
		cmocka_unit_test_setup(files_elsewhere_are_not_removed, list),
		cmocka_unit_test_setup(races_reach_nothing_of_roots, list),
		cmocka_unit_test_setup(keeper_believes_no_client, list),
	};

	return cmocka_run_group_tests(tests, folders_make, folders_remove);
}
