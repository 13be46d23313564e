/* SPDX-License-Identifier: BSD-3-Clause */
/* The console: what the guest prints reaches all who watch, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/rpc/server.h"
#include "vm-launcher/console.h"
#include "vm-launcher/console_log.h"

struct fixture {
	char dir[32], log[64], log1[64], path[64];
	struct loop *loop;
	struct console *console;
	int guest;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = ERR_NONE;
	int pair[2], listen_fd;

	snprintf(f->dir, sizeof(f->dir), "/tmp/lanyard-test-XXXXXX");
	if (!mkdtemp(f->dir) || loop_create(&f->loop) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	snprintf(f->log, sizeof(f->log), "%s/log", f->dir);
	snprintf(f->log1, sizeof(f->log1), "%s/log.1", f->dir);
	snprintf(f->path, sizeof(f->path), "%s/con", f->dir);
	if (rpc_listen(f->path, &listen_fd, &err) < 0)
		return -1;
	f->guest = pair[1];
	*state = f;
	return console_create(f->loop, pair[0], listen_fd, f->log, &f->console, &err);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	console_destroy(f->console);
	loop_destroy(f->loop);
	close(f->guest);
	unlink(f->log);
	unlink(f->log1);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void turn(struct fixture *f)
{
	for (int i = 0; i < 4; i++)
		loop_once(f->loop, 2);
}

static int watcher(struct fixture *f)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	turn(f);
	return fd;
}

static void print_text(struct fixture *f, const char *text)
{
	assert_int_equal(send(f->guest, text, strlen(text), 0), strlen(text));
	turn(f);
}

static const char *seen(int fd)
{
	static char buf[8192];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void all_watchers_see_what_the_guest_prints(void **state)
{
	struct fixture *f = *state;
	int a = watcher(f), b = watcher(f);

	print_text(f, "boot\r\n");
	assert_string_equal(seen(a), "boot\r\n");
	assert_string_equal(seen(b), "boot\r\n");
	close(a);
	close(b);
}

static void late_watcher_sees_the_end(void **state)
{
	struct fixture *f = *state;
	int a;

	print_text(f, "login: ");
	a = watcher(f);
	assert_string_equal(seen(a), "login: ");
	close(a);
}

static void what_is_typed_reaches_the_guest(void **state)
{
	struct fixture *f = *state;
	int a = watcher(f);

	assert_int_equal(send(a, "ls\n", 3, 0), 3);
	turn(f);
	assert_string_equal(seen(f->guest), "ls\n");
	close(a);
}

static void ninth_watcher_is_turned_away(void **state)
{
	struct fixture *f = *state;
	int fds[9];
	char c;

	for (int i = 0; i < 9; i++)
		fds[i] = watcher(f);
	assert_int_equal(recv(fds[8], &c, 1, MSG_DONTWAIT), 0);
	close(fds[0]);
	turn(f);
	close(fds[8]);
	fds[8] = watcher(f);
	print_text(f, "x");
	assert_string_equal(seen(fds[8]), "x");
	for (int i = 1; i < 9; i++)
		close(fds[i]);
}

static void log_is_bounded_and_watcher_that_sleeps_is_cut_off(void **state)
{
	struct fixture *f = *state;
	int lazy = watcher(f);
	static char junk[16384];
	struct stat st, st1;
	char buf[16384];
	size_t got = 0;
	ssize_t n;

	memset(junk, 'j', sizeof(junk));
	for (size_t sent = 0; sent < 4 * CONSOLE_LOG_MAX_BYTES;) {
		n = send(f->guest, junk, sizeof(junk), MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		loop_once(f->loop, 0);
	}
	turn(f);
	assert_int_equal(stat(f->log, &st), 0);
	assert_int_equal(stat(f->log1, &st1), 0);
	assert_true(st.st_size <= CONSOLE_LOG_MAX_BYTES);
	assert_true(st1.st_size <= CONSOLE_LOG_MAX_BYTES);
	while ((n = recv(lazy, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		got += (size_t)n;
	assert_int_equal(n, 0); /* the end, not "later" */
	assert_true(got < 4 * CONSOLE_LOG_MAX_BYTES);
	close(lazy);
}

static void input_that_nobody_takes_is_thrown_away(void **state)
{
	struct fixture *f = *state;
	int a = watcher(f);
	static char junk[16384];

	memset(junk, 'k', sizeof(junk));
	for (int i = 0; i < 200; i++) {
		send(a, junk, sizeof(junk), MSG_DONTWAIT);
		loop_once(f->loop, 0);
	}
	/* It still carries what the guest prints. */
	print_text(f, "alive");
	assert_string_equal(seen(a), "alive");
	close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_watchers_see_what_the_guest_prints, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(late_watcher_sees_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_typed_reaches_the_guest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ninth_watcher_is_turned_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(log_is_bounded_and_watcher_that_sleeps_is_cut_off,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(input_that_nobody_takes_is_thrown_away, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
