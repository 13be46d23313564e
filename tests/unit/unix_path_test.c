/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets that have a path: whose they are, what they replace; and the same asked for by a process without rights. */
#include <errno.h>
#include <fcntl.h>
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
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd_msg.h"
#include "base/loop.h"
#include "control/keeper/paths.h"
#include "control/keeper/paths_msg.h"

#define STRANGER 54321

static char folder[] = "/tmp/unix_path_test.XXXXXX";

static const char *in_folder(const char *name)
{
	static char paths[4][UNIX_PATH_MAX];
	static unsigned n;
	char *out = paths[n++ % 4];

	snprintf(out, UNIX_PATH_MAX, "%s/%s", folder, name);
	return out;
}

static void access_usual(void)
{
	unix_path_access_set(&(struct unix_path_access){(uid_t)-1, (gid_t)-1, 0660});
}

static struct stat look(const char *path)
{
	struct stat st = {0};

	lstat(path, &st);
	return st;
}

static int bind_ok(const char *path)
{
	struct err err = ERR_NONE;
	int fd = -1;

	assert_int_equal(unix_path_bind(path, SOCK_STREAM, NULL, &fd, &err), 0);
	return fd;
}

static void end(int fd)
{
	unix_path_unlink(fd);
	close(fd);
}

static void socket_is_closed_to_others(void **state)
{
	const char *path = in_folder("a");
	int fd = bind_ok(path), conn;

	assert_int_equal(look(path).st_mode, S_IFSOCK | 0660);
	conn = unix_path_connect(path);
	assert_true(conn >= 0);
	close(conn);
	end(fd);
	assert_int_equal(look(path).st_mode, 0);
}

static void socket_gets_owner_group_and_mode(void **state)
{
	const char *path = in_folder("a");
	int fd;

	if (geteuid())
		skip();
	unix_path_access_set(&(struct unix_path_access){STRANGER, STRANGER + 1, 0600});
	fd = bind_ok(path);
	access_usual();
	assert_int_equal(look(path).st_mode, S_IFSOCK | 0600);
	assert_int_equal(look(path).st_uid, STRANGER);
	assert_int_equal(look(path).st_gid, STRANGER + 1);
	end(fd);
	assert_int_equal(look(path).st_mode, 0);
}

struct spy {
	const char *path;
	atomic_bool stop;
	unsigned n_seen, n_open;
};

/* Whether the file was ever open to others while it was not yet its owner's. */
static void *spy_run(void *arg)
{
	struct spy *s = arg;
	struct stat before, after;

	while (!atomic_load(&s->stop)) {
		int at = open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		/* One fstat() may take the owner before a change and the mode after it. */
		if (at >= 0 && fstat(at, &before) == 0 && fstat(at, &after) == 0) {
			s->n_seen++;
			s->n_open += before.st_mode & 0077 && after.st_uid != STRANGER;
		}
		close(at);
	}
	return NULL;
}

static void nobody_gets_in_before_the_owner_is_set(void **state)
{
	struct spy s = {.path = in_folder("a")};
	pthread_t thread;

	if (geteuid())
		skip();
	unix_path_access_set(&(struct unix_path_access){STRANGER, (gid_t)-1, 0666});
	pthread_create(&thread, NULL, spy_run, &s);
	for (unsigned i = 0; i < 3000; i++)
		end(bind_ok(s.path));
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	access_usual();
	assert_true(s.n_seen > 0);
	assert_int_equal(s.n_open, 0);
}

static void refused(const char *path, int code)
{
	struct err err = ERR_NONE;
	int fd = -1;

	assert_int_equal(unix_path_bind(path, SOCK_STREAM, NULL, &fd, &err), code);
	assert_int_equal(fd, -1);
	assert_non_null(strstr(err.text, path));
}

static void what_is_no_socket_stays(void **state)
{
	const char *file = in_folder("file"), *link = in_folder("link");
	int fd = open(file, O_CREAT | O_WRONLY, 0640), dgram = socket(AF_UNIX, SOCK_DGRAM, 0);

	close(fd);
	/* Nor is it what the kernel calls it, a socket that nobody serves. */
	assert_int_equal(unix_path_peer(dgram, file), -ENOTSOCK);
	close(dgram);
	assert_int_equal(symlink(file, link), 0);
	refused(file, -EEXIST);
	refused(link, -EEXIST);
	unlink(file);
	/* A link to nothing is no way to make a socket elsewhere. */
	refused(link, -EEXIST);
	assert_int_equal(look(file).st_mode, 0);
	assert_true(S_ISLNK(look(link).st_mode));
	unlink(link);
}

static void socket_that_is_served_stays(void **state)
{
	const char *path = in_folder("a");
	int fd = bind_ok(path);

	refused(path, -EADDRINUSE);
	close(fd); /* and now nobody serves it */
	end(bind_ok(path));
}

static void only_its_own_file_is_removed(void **state)
{
	const char *path = in_folder("a"), *aside = in_folder("b");
	int one = bind_ok(path), two;

	assert_true(unix_path_is_there(one));
	assert_int_equal(rename(path, aside), 0);
	assert_false(unix_path_is_there(one));
	two = bind_ok(path);
	if (geteuid() == 0) { /* else any socket of the user's */
		unix_path_unlink(one);
		assert_true(S_ISSOCK(look(path).st_mode));
	}
	end(two);
	close(one);
	unlink(aside);
}

static void foreign_descriptors_remove_nothing(void **state)
{
	const char *path = in_folder("a");
	int fd = bind_ok(path), conn = unix_path_connect(path), null = open("/dev/null", O_RDONLY);

	unix_path_unlink(conn);
	unix_path_unlink(null);
	unix_path_unlink(-1);
	assert_true(unix_path_is_there(fd));
	assert_int_equal(unix_path_peer(conn, path), -ENOTSOCK);
	assert_int_equal(unix_path_peer(null, path), -ENOTSOCK);
	close(null);
	close(conn);
	end(fd);
}

/* ---- by way of the keeper ---- */

/* In a process of its own: does with `fd` as the keeper's end what test does without rights. */
static int without_rights(void (*test)(void))
{
	struct loop *loop;
	struct paths *p;
	int fd, status;
	pid_t pid;

	loop_create(&loop);
	assert_int_equal(paths_create(loop, &p, &fd), 0);
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(STRANGER) < 0 || setuid(STRANGER) < 0))
			_exit(2);
		paths_ask_by(fd);
		test();
		_exit(0);
	}
	close(fd);
	while (waitpid(pid, &status, WNOHANG) == 0)
		loop_once(loop, 10);
	paths_destroy(p);
	loop_destroy(loop);
	return status;
}

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                 \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void asked(void)
{
	struct err err = ERR_NONE;
	int fd, conn, dgram, other;

	MUST(geteuid() || access(folder, W_OK) == 0);
	MUST(unix_path_bind(in_folder("a"), SOCK_STREAM, NULL, &fd, &err) == 0);
	MUST(unix_path_bind(in_folder("a"), SOCK_STREAM, NULL, &conn, &err) == -EADDRINUSE);
	MUST(strstr(err.text, "somebody already serves") && err.hint[0]);
	conn = unix_path_connect(in_folder("a"));
	MUST(conn >= 0);
	MUST(accept(fd, NULL, NULL) >= 0);
	MUST(unix_path_connect(in_folder("none")) == -ENOENT);
	MUST(unix_path_bind(in_folder("d"), SOCK_DGRAM, NULL, &dgram, &err) == 0);
	MUST(unix_path_bind(in_folder("e"), SOCK_DGRAM, NULL, &other, &err) == 0);
	MUST(unix_path_peer(dgram, in_folder("e")) == 0);
	MUST(send(dgram, "x", 1, 0) == 1);
	MUST(unix_path_is_there(dgram));
	unix_path_unlink(dgram);
	MUST(!unix_path_is_there(dgram));
	unix_path_unlink(other);
	unix_path_unlink(fd);
}

static void process_without_rights_has_its_sockets(void **state)
{
	assert_int_equal(chmod(folder, 0700), 0);
	assert_int_equal(without_rights(asked), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
}

/* ---- hostile questions ---- */

static void noise(void *buf, size_t size, unsigned *seed)
{
	unsigned char *at = buf;

	for (size_t i = 0; i < size; i++)
		at[i] = (unsigned char)rand_r(seed);
}

static unsigned n_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void question_send(int sock, unsigned *seed)
{
	union {
		struct paths_question q;
		uint8_t bytes[256]; /* more than one */
	} sent;
	int fds[FD_MSG_FDS];
	unsigned n = (unsigned)rand_r(seed) % 3;

	noise(&sent, sizeof(sent), seed);
	sent.q.op %= 7;
	if (rand_r(seed) % 2)
		snprintf(sent.q.path, sizeof(sent.q.path), "%s/%c", folder, 'a' + rand_r(seed) % 3);
	if (rand_r(seed) % 2)
		sent.q.type = rand_r(seed) % 4;
	for (unsigned i = 0; i < n; i++)
		fds[i] = rand_r(seed) % 2 ? 0 : sock;
	fd_msg_send(sock, &sent, rand_r(seed) % 4 ? sizeof(sent.q) : (size_t)rand_r(seed) % sizeof(sent), fds, n, 0);
}

static void hostile_questions_leave_nothing(void **state)
{
	struct loop *loop;
	struct paths *p;
	unsigned before, seed = 1, n;
	int sock, out, keep = open(in_folder("c"), O_CREAT | O_WRONLY, 0600);

	close(keep);
	loop_create(&loop);
	assert_int_equal(paths_create(loop, &p, &sock), 0);
	before = n_fds();
	for (unsigned i = 0; i < 10000; i++) {
		struct paths_answer a;

		question_send(sock, &seed);
		loop_once(loop, 0);
		while (fd_msg_receive(sock, &a, sizeof(a), &out, 1, &n, 0) > 0)
			fd_msg_close(&out, n);
	}
	assert_int_equal(n_fds(), before);
	assert_true(S_ISREG(look(in_folder("c")).st_mode));
	unlink(in_folder("a"));
	unlink(in_folder("b"));
	unlink(in_folder("c"));
	paths_destroy(p);
	close(sock);
	loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(socket_is_closed_to_others),
		cmocka_unit_test(socket_gets_owner_group_and_mode),
		cmocka_unit_test(nobody_gets_in_before_the_owner_is_set),
		cmocka_unit_test(what_is_no_socket_stays),
		cmocka_unit_test(socket_that_is_served_stays),
		cmocka_unit_test(only_its_own_file_is_removed),
		cmocka_unit_test(foreign_descriptors_remove_nothing),
		cmocka_unit_test(process_without_rights_has_its_sockets),
		cmocka_unit_test(hostile_questions_leave_nothing),
	};
	int rc;

	if (!mkdtemp(folder))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return rc;
}
