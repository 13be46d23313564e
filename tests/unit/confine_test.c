/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a confined process can still do, and what happens when it tries anything else: each in a child that gives
 * up everything as lanyard-packet does, with threads that were there before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/landlock.h"
#include "control/daemon/calls_table.h"
#include "control/daemon/confine.h"
#include "tests/unit/folder.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define THREADS	  3
#define CALLS_MAX 50

struct child {
	char dir[64];
	pid_t tids[THREADS + 1];
	struct confinement c;
};

static sem_t never;

static struct child *child; /* of the one that runs */

/* ---- a child ---- */

static void *wait_for_ever(void *arg)
{
	*(_Atomic pid_t *)arg = (pid_t)syscall(SYS_gettid);
	for (;;)
		sem_wait(&never);
	return NULL;
}

static void confined(struct child *ch)
{
	struct err err = ERR_NONE;
	struct run_as user;
	const char *why;
	pthread_t t;

	if (run_as_choose(NULL, ch->dir, ch->dir, &user, &why, &err) < 0 ||
	    run_as_give(&user, ch->dir, &err) < 0 || confine_begin(&ch->c, &user, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(90);
	}
	sem_init(&never, 0, 0);
	ch->tids[0] = (pid_t)syscall(SYS_gettid);
	for (unsigned i = 1; i <= THREADS; i++) {
		if (pthread_create(&t, NULL, wait_for_ever, &ch->tids[i]) != 0)
			_exit(91);
		while (!__atomic_load_n(&ch->tids[i], __ATOMIC_ACQUIRE))
			usleep(1000);
	}
	if (confine_enter(&ch->c, ch->dir, 0, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(92);
	}
}

/* Runs what() in a confined child with what it says in said. Its status as waitpid(2) gives it. */
static int run(int (*what)(void), char *said, size_t size)
{
	struct child ch = {.dir = "/tmp/confine-XXXXXX"};
	int pipefd[2], status;
	ssize_t n;
	pid_t pid;

	assert_non_null(mkdtemp(ch.dir));
	assert_int_equal(chmod(ch.dir, 0755), 0);
	assert_int_equal(pipe(pipefd), 0);
	child = &ch;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipefd[1], STDERR_FILENO);
		confined(&ch);
		_exit(what());
	}
	close(pipefd[1]);
	for (size_t at = 0; (n = read(pipefd[0], said + at, size - 1 - at)) > 0; at += (size_t)n)
		said[at + (size_t)n] = '\0';
	close(pipefd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	folder_remove(ch.dir);
	return status;
}

static void succeeds(int (*what)(void))
{
	char said[1024] = "";
	int status = run(what, said, sizeof(said));

	if (status)
		print_message("status %#x: %s\n", (unsigned)status, said);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_string_equal(said, "");
}

static void dies(int (*what)(void), const char *sentence)
{
	char said[1024] = "";
	int status = run(what, said, sizeof(said));

	if (!WIFSIGNALED(status) || !strstr(said, sentence))
		print_message("status %#x: %s\n", (unsigned)status, said);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	assert_non_null(strstr(said, sentence));
}

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #x, strerror(errno));      \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* ---- what each thread has ---- */

static bool line_is(const char *text, const char *name, const char *value)
{
	const char *at = strstr(text, name);

	return at && !strncmp(at + strlen(name), value, strlen(value));
}

static int look_at_threads(void)
{
	static const char none[] = "\t0000000000000000\n";
	bool root = child->c.user.change;
	char path[64], text[4096], uids[64];
	ssize_t n;
	int fd;

	snprintf(uids, sizeof(uids), "\t%u\t%u\t%u\t%u\n", child->c.user.uid, child->c.user.uid,
		 child->c.user.uid, child->c.user.uid);
	for (unsigned i = 0; i <= THREADS; i++) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)child->tids[i]);
		fd = open(path, O_RDONLY);
		MUST(fd >= 0);
		n = read(fd, text, sizeof(text) - 1);
		MUST(n > 0);
		close(fd);
		text[n] = '\0';
		MUST(line_is(text, "\nCapInh:", none));
		MUST(line_is(text, "\nCapPrm:", none));
		MUST(line_is(text, "\nCapEff:", none));
		MUST(line_is(text, "\nCapAmb:", none));
		MUST(!root || line_is(text, "\nCapBnd:", none));
		MUST(!root || line_is(text, "\nUid:", uids));
		MUST(!root || line_is(text, "\nGid:", uids));
		MUST(!root || line_is(text, "\nGroups:", "\t \n") ||
		     line_is(text, "\nGroups:", "\t\n"));
		MUST(line_is(text, "\nNoNewPrivs:", "\t1\n"));
		MUST(SANITIZED || line_is(text, "\nSeccomp:", "\t2\n"));
	}
	return 0;
}

static void no_thread_keeps_a_right(void **state)
{
	succeeds(look_at_threads);
}

/* ---- files ---- */

static int files(void)
{
	int dir, fd;

	MUST(open("/etc/passwd", O_WRONLY) < 0 && errno == EACCES);
	MUST(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	MUST(open("/etc", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
	MUST(open("/tmp/confine-outside", O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
	MUST(open("/proc/self/comm", O_WRONLY) < 0 && errno == EACCES);
	MUST(open("/dev/null", O_RDONLY) >= 0);
	dir = open(child->dir, O_RDONLY | O_DIRECTORY);
	MUST(dir >= 0);
	fd = openat(dir, "a", O_WRONLY | O_CREAT, 0600);
	MUST(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0);
	MUST(renameat(dir, "a", dir, "b") == 0);
	MUST(linkat(dir, "b", dir, "c", 0) == 0);
	MUST(unlinkat(dir, "b", 0) == 0);
	MUST(renameat(dir, "c", dir, "../confine-outside") < 0 &&
	     (errno == EACCES || errno == EXDEV));
	return 0;
}

/* See control/daemon/confine.h, Limits. */
static void needs_filters(void)
{
	if (!SANITIZED)
		return;
	print_message("skipped: a build with a sanitizer has neither filter of calls nor Landlock\n");
	skip();
}

static void only_the_state_folder_can_be_written(void **state)
{
	needs_filters();
	if (!landlock_version()) {
		print_message("skipped: this kernel has no Landlock\n");
		skip();
	}
	succeeds(files);
}

/* ---- calls ---- */

static int sockets(void)
{
	MUST(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EACCES);
	MUST(socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == EACCES);
	MUST(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EACCES);
	return 0;
}

static void no_socket_can_be_made(void **state)
{
	needs_filters();
	succeeds(sockets);
}

static void *set_flag(void *arg)
{
	free(malloc(1000));
	*(int *)arg = 1;
	return NULL;
}

static int ordinary(void)
{
	int flag = 0;
	pthread_t t;
	char *big;

	MUST(pthread_create(&t, NULL, set_flag, &flag) == 0 && pthread_join(t, NULL) == 0 && flag);
	big = malloc(64 << 20);
	MUST(big);
	memset(big, 1, 64 << 20);
	big = realloc(big, 128 << 20);
	MUST(big && big[1000] == 1);
	free(big);
	/* An allocator whose heap must not grow would not live long. */
	for (unsigned i = 0; i < 20000; i++)
		MUST(malloc(100));
	return 0;
}

static void threads_and_memory_are_to_be_had(void **state)
{
	succeeds(ordinary);
}

static int execute(void)
{
	char *argv[] = {(char *)"/bin/true", NULL};

	return execv(argv[0], argv);
}

static int have_child(void)
{
	return fork() == 0;
}

static int new_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static int make_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(at, 4096, PROT_READ | PROT_EXEC);
}

static int control_terminal(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static int end_another(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int be_undumpable(void)
{
	return prctl(PR_SET_SECCOMP, 0);
}

static void *execute_there(void *arg)
{
	execute();
	return NULL;
}

static int execute_in_a_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, execute_there, NULL);
	pthread_join(t, NULL);
	return 0;
}

static void what_is_not_listed_ends_the_process_and_is_named(void **state)
{
	needs_filters();
	dies(execute, "err   switch: system call 59 (execve) is not allowed");
	dies(execute_in_a_thread, "system call 59 (execve) is not allowed");
	dies(have_child, "(clone) is not allowed, or not with these arguments");
	dies(new_namespace, "(unshare) is not allowed");
	dies(map_code, "(mmap) is not allowed, or not with these arguments");
	dies(make_code, "(mprotect) is not allowed, or not with these arguments");
	dies(control_terminal, "(ioctl) is not allowed, or not with these arguments");
	dies(end_another, "(getppid) is not allowed");
	dies(be_undumpable, "(prctl) is not allowed");
}

static void calls_are_few_and_each_has_a_reason(void **state)
{
	unsigned n = 0;

	for (const struct call *c = calls_table; c->name; c++) {
		n += !c->error;
		assert_true(strlen(c->why) > 5);
		for (const struct call *d = calls_table; d != c; d++)
			assert_string_not_equal(c->name, d->name);
	}
	assert_in_range(n, 1, CALLS_MAX);
}

/* ---- cores ---- */

static int dumpable(void)
{
	char text[8] = "";
	int fd = open("/proc/self/coredump_filter", O_RDONLY);

	/* Of root's, were it not so, and the process could not read what tells of its own descriptors. */
	MUST(fd >= 0 && read(fd, text, sizeof(text)) > 0);
	fd = open("/proc/self/fdinfo/0", O_RDONLY);
	MUST(fd >= 0);
	return 0;
}

static void cores_are_to_be_had(void **state)
{
	succeeds(dumpable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_thread_keeps_a_right),
		cmocka_unit_test(only_the_state_folder_can_be_written),
		cmocka_unit_test(no_socket_can_be_made),
		cmocka_unit_test(threads_and_memory_are_to_be_had),
		cmocka_unit_test(what_is_not_listed_ends_the_process_and_is_named),
		cmocka_unit_test(calls_are_few_and_each_has_a_reason),
		cmocka_unit_test(cores_are_to_be_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
