/* SPDX-License-Identifier: BSD-3-Clause */
/* What a keeper leaves with the service manager, which is a socket of ours here, and what the next one believes. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd_msg.h"
#include "base/log.h"
#include "base/loop.h"
#include "control/keeper/fd_box.h"
#include "control/keeper/fd_store.h"
#include "control/keeper/ledger.h"

/* ---- a service manager ---- */

struct manager {
	int fd, kept[512];
	unsigned n_kept, n_removed;
};

static void manager_open(struct manager *m)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char name[64];

	*m = (struct manager){.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
	assert_true(m->fd >= 0);
	snprintf(name, sizeof(name), "@lanyard-fd-store-test-%d", (int)getpid());
	memcpy(addr.sun_path + 1, name + 1, strlen(name) - 1);
	assert_int_equal(bind(m->fd, (struct sockaddr *)&addr,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	unsetenv("LISTEN_PID");
}

static void manager_forget(struct manager *m)
{
	while (m->n_kept)
		close(m->kept[--m->n_kept]);
}

static void manager_close(struct manager *m)
{
	manager_forget(m);
	close(m->fd);
	unsetenv("NOTIFY_SOCKET");
}

/* Reads what was said, as systemd would. */
static void manager_turn(struct manager *m)
{
	char text[256], control[CMSG_SPACE(253 * sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = {text, sizeof(text) - 1};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	while (mh.msg_control = control, mh.msg_controllen = sizeof(control),
	       (n = recvmsg(m->fd, &mh, MSG_CMSG_CLOEXEC)) > 0) {
		struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);

		text[n] = '\0';
		if (strcmp(text, "FDSTOREREMOVE=1\nFDNAME=lanyard") == 0) {
			manager_forget(m);
			m->n_removed++;
			continue;
		}
		assert_string_equal(text, "FDSTORE=1\nFDNAME=lanyard\nFDPOLL=0");
		assert_non_null(cm);
		for (unsigned i = 0; i < (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
			memcpy(&m->kept[m->n_kept++], CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
	}
}

/* Another keeper, in a process of its own, is handed what is kept; fn's answer is its exit status. */
static int next_keeper(struct manager *m, const char *names, int (*fn)(struct fd_store *s))
{
	struct fd_store *s = NULL;
	struct err err = ERR_NONE;
	int status, high[512];
	pid_t pid = fork();
	char text[16];

	if (pid == 0) {
		for (unsigned i = 0; i < m->n_kept; i++)
			high[i] = fcntl(m->kept[i], F_DUPFD, 1024);
		close_range(3, 1023, 0);
		for (unsigned i = 0; i < m->n_kept; i++)
			dup2(high[i], 3 + (int)i);
		close_range(1024, ~0u, 0);
		snprintf(text, sizeof(text), "%d", (int)getpid());
		setenv("LISTEN_PID", text, 1);
		snprintf(text, sizeof(text), "%u", m->n_kept);
		setenv("LISTEN_FDS", text, 1);
		setenv("LISTEN_FDNAMES", names, 1);
		if (fd_store_open(&s, &err) < 0 || getenv("LISTEN_FDS"))
			_exit(100);
		status = fn(s);
		fd_store_close(s);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void done_not_asked(void *arg, uint16_t slot)
{
}

static int numbered(uint64_t number)
{
	int fd = eventfd((unsigned)number, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static uint64_t number_of(int fd)
{
	uint64_t n = 0;

	return fd >= 0 && read(fd, &n, sizeof(n)) == sizeof(n) && write(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void put(struct fd_store *s, struct fd_table *t, struct keep_key key, int fd)
{
	assert_int_equal(fd_table_put(t, key, fd), 0);
	fd_store_mark(s, key.slot);
}

static struct fd_store *store_open(void)
{
	struct fd_store *s = NULL;
	struct err err = ERR_NONE;

	assert_int_equal(fd_store_open(&s, &err), 0);
	return s;
}

static const struct fd_store_past nothing_past;

static void flush(struct fd_store *s, const struct fd_table *t)
{
	fd_store_flush(s, t, &nothing_past, done_not_asked, NULL);
}

/* ---- what comes back ---- */

static const struct keep_key kick = {KEEP_KICK, 7, 1}, call = {KEEP_CALL, 7, 1}, other = {KEEP_LISTEN, 15, 0},
			     gone = {KEEP_LISTEN, 6, 0}, control = {KEEP_PROCESS, OWN_CONTROL, 0},
			     pulse = {KEEP_PROCESS, OWN_PULSE, 0}, first = {KEEP_ARENA, 0, 0};

static int finds_what_was_last(struct fd_store *s)
{
	struct fd_table *t = fd_table_create();
	struct fd_store_past past;

	if (fd_store_load(s, t, &past) != 5 || fd_table_n(t) != 5)
		return 1;
	if (number_of(fd_table_take(t, kick)) != 21 || number_of(fd_table_take(t, call)) != 21)
		return 2;
	if (number_of(fd_table_take(t, other)) != 30 || number_of(fd_table_take(t, first)) != 50)
		return 3;
	if (number_of(fd_table_take(t, control)) != 40)
		return 4;
	return past.go.deaths.n == 3 && past.left_ns == 99 ? 0 : 5;
}

static void next_keeper_finds_what_was_kept_last(void **state)
{
	const struct fd_store_past past = {.go = {.deaths = {.n = 3}}, .left_ns = 99};
	struct fd_table *t = fd_table_create();
	struct fd_store *s;
	struct manager m;
	int same = numbered(21);

	manager_open(&m);
	s = store_open();
	put(s, t, kick, numbered(20));
	put(s, t, gone, numbered(10));
	flush(s, t);
	put(s, t, kick, same);
	/* One and the same under two keys: systemd itself would keep it once. */
	put(s, t, call, fcntl(same, F_DUPFD_CLOEXEC, 0));
	put(s, t, other, numbered(30));
	put(s, t, control, numbered(40));
	put(s, t, first, numbered(50));
	put(s, t, pulse, numbered(60));
	fd_table_drop(t, gone);
	fd_store_mark(s, gone.slot);
	fd_store_flush(s, t, &past, done_not_asked, NULL);
	flush(s, t);
	manager_turn(&m);
	assert_int_equal(m.n_kept, 2);
	fd_store_close(s);
	fd_table_destroy(t);
	assert_int_equal(next_keeper(&m, "lanyard:lanyard", finds_what_was_last), 0);
	manager_close(&m);
}

static int finds_nothing(struct fd_store *s)
{
	struct fd_table *t = fd_table_create();
	struct fd_store_past past;

	return fd_store_load(s, t, &past) || fd_table_n(t) ? 1 : 0;
}

static void cleared_store_has_nothing(void **state)
{
	struct fd_table *t = fd_table_create();
	struct fd_store *s;
	struct manager m;

	manager_open(&m);
	s = store_open();
	put(s, t, kick, numbered(20));
	flush(s, t);
	manager_turn(&m);
	assert_int_equal(m.n_kept, 1);
	fd_store_clear(s);
	/* Also for whoever has the box still. */
	assert_int_equal(next_keeper(&m, "lanyard", finds_nothing), 0);
	manager_turn(&m);
	assert_int_equal(m.n_kept, 0);
	assert_int_equal(m.n_removed, 2);
	fd_store_close(s);
	fd_table_destroy(t);
	manager_close(&m);
}

/* A descriptor that is dropped is open nowhere: a front end sees that its socket was closed. */
static void dropped_descriptor_is_closed(void **state)
{
	struct fd_table *t = fd_table_create();
	struct fd_store *s;
	struct manager m;
	int pair[2];
	char byte;

	manager_open(&m);
	s = store_open();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	put(s, t, kick, pair[0]);
	flush(s, t);
	manager_turn(&m);
	assert_int_equal(read(pair[1], &byte, 1), -1);
	fd_table_drop(t, kick);
	fd_store_mark(s, kick.slot);
	flush(s, t);
	for (unsigned i = 0; i < 5000 && read(pair[1], &byte, 1) != 0; i++)
		usleep(1000);
	assert_int_equal(read(pair[1], &byte, 1), 0);
	close(pair[1]);
	fd_store_close(s);
	fd_table_destroy(t);
	manager_close(&m);
}

/* A writer that died between what it wrote and taking out what was there. */
static void later_message_of_a_slot_counts(void **state)
{
	struct fd_box *b = fd_box_create(8), *again;
	struct fd_parcel p = {.slot = 9, .n = 1, .keys = {{KEEP_CALL, 3}}}, read[FD_STORE_SLOTS_A_BOX] = {0};
	struct fd_store_past past = {0};

	for (uint64_t i = 1; i <= 2; i++) {
		p.fds[0] = numbered(i);
		fd_box_begin(b);
		assert_int_equal(fd_box_write(b, &p, &past), 0);
		close(p.fds[0]);
	}
	again = fd_box_adopt(fcntl(fd_box_fd(b), F_DUPFD_CLOEXEC, 0));
	fd_box_free(b);
	assert_int_equal(fd_box_read(again, read, FD_STORE_SLOTS, &past), 8);
	assert_int_equal(read[1].n, 1);
	assert_int_equal(number_of(read[1].fds[0]), 2);
	fd_parcel_close(&read[1]);
	/* Its other end was in it: it can be filled again. */
	p.fds[0] = numbered(3);
	fd_box_begin(again);
	assert_int_equal(fd_box_write(again, &p, &past), 0);
	fd_box_commit(again, true);
	close(p.fds[0]);
	assert_int_equal(fd_box_read(again, read, FD_STORE_SLOTS, &past), 8);
	assert_int_equal(number_of(read[1].fds[0]), 3);
	fd_parcel_close(&read[1]);
	fd_box_free(again);
}

/* ---- what is not believed ---- */

static void strangers_descriptors_are_closed(void **state)
{
	struct manager m;
	int pair[2];

	manager_open(&m);
	for (unsigned i = 0; i < 3; i++)
		assert_true((m.kept[m.n_kept++] = i == 2 ? numbered(1) : open("/dev/null", O_RDONLY)) >= 0);
	/* One with words of somebody else in it, one that is not even named. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(send(pair[1], "who are you", 11, 0), 11);
	m.kept[m.n_kept++] = pair[0];
	m.kept[m.n_kept++] = fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
	assert_int_equal(next_keeper(&m, "lanyard:stored:lanyard:lanyard", finds_nothing), 0);
	close(pair[1]);
	manager_close(&m);
}

struct raw {
	uint32_t magic;
	uint16_t slot, n;
	struct fd_store_past past;
	uint16_t keys[2];
};

/* The first message of a box that is good, to be spoilt: its descriptors as well. */
static void good_message(struct raw *r, int fds[2])
{
	struct fd_box *b = fd_box_create(8);
	struct fd_parcel p = {.slot = 9, .n = 1, .keys = {{KEEP_CALL, 3}}, .fds = {numbered(1)}};
	char control_buf[CMSG_SPACE(2 * sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = {r, sizeof(*r)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control_buf,
			    .msg_controllen = sizeof(control_buf)};

	fd_box_begin(b);
	assert_int_equal(fd_box_write(b, &p, &nothing_past), 0);
	close(p.fds[0]);
	assert_int_equal(recvmsg(fd_box_fd(b), &mh, 0), offsetof(struct raw, keys) + 4);
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&mh)), 2 * sizeof(int));
	fd_box_free(b);
}

static int read_spoilt(const struct raw *r, size_t size, const int *fds, unsigned n_fds)
{
	struct fd_parcel *read = calloc(FD_STORE_SLOTS_A_BOX, sizeof(*read));
	struct fd_store_past past = {0};
	struct fd_box *b;
	int pair[2], rc;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(fd_msg_send(pair[1], r, size, fds, n_fds, 0), 0);
	b = fd_box_adopt(pair[0]);
	rc = fd_box_read(b, read, FD_STORE_SLOTS, &past);
	for (unsigned i = 0; i < FD_STORE_SLOTS_A_BOX; i++)
		fd_parcel_close(&read[i]);
	fd_box_free(b);
	free(read);
	close(pair[1]);
	return rc;
}

static void spoilt_messages_are_refused(void **state)
{
	const size_t size = offsetof(struct raw, keys) + 4;
	struct raw good, r;
	int fds[3];

	good_message(&good, fds);
	fds[2] = fds[1];
	assert_int_equal(read_spoilt(&good, size, fds, 2), 8);
	for (unsigned i = 0; i < 9; i++) {
		const int swapped[] = {fds[1], fds[0]};
		size_t n = size;

		r = good;
		switch (i) {
		case 0: r.magic++; break;
		case 1: r.slot = FD_STORE_SLOTS; break;
		case 2: r.n = 0; break;
		case 3: r.n = 0xffff; break;
		case 4: n -= 2; break;
		case 5: n = 3; break;
		case 6: memset(r.past.go.deaths.reason, 'x', sizeof(r.past.go.deaths.reason)); break;
		}
		if (read_spoilt(&r, n, i == 7 ? swapped : fds, i == 8 ? 3 : 2) != -EPROTO)
			fail_msg("case %u is believed", i);
	}
	close(fds[0]);
	close(fds[1]);
}

/* ---- a manager that hangs ---- */

static void manager_that_hangs_holds_up_nobody(void **state)
{
	struct fd_table *t = fd_table_create();
	struct fd_store *s;
	struct manager m;
	uint64_t since;

	manager_open(&m);
	s = store_open();
	for (uint16_t slot = 0; slot < FD_STORE_SLOTS; slot++)
		put(s, t, (struct keep_key){KEEP_LISTEN, slot, 0}, numbered(1));
	/* Its queue is full. */
	for (int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), full = 0; !full;) {
		struct sockaddr_un addr;
		socklen_t len = sizeof(addr);

		assert_int_equal(getsockname(m.fd, (struct sockaddr *)&addr, &len), 0);
		full = sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, len) < 0;
		if (full)
			close(fd);
	}
	since = loop_now_ns();
	flush(s, t);
	assert_false(fd_store_push(s));
	assert_true(loop_now_ns() - since < 5 * S_NS);
	for (char byte[2]; recv(m.fd, byte, sizeof(byte), 0) > 0;)
		;
	for (unsigned i = 0; i < 100 && !fd_store_push(s); i++)
		manager_turn(&m);
	manager_turn(&m);
	assert_int_equal(m.n_kept, FD_STORE_SLOTS / FD_STORE_SLOTS_A_BOX);
	fd_store_close(s);
	fd_table_destroy(t);
	manager_close(&m);
}

static void nobody_keeps_anything_without_a_manager(void **state)
{
	struct fd_store *s = NULL;
	struct err err = ERR_NONE;

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(fd_store_open(&s, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "NOTIFY_SOCKET"));
}

/* ---- the ledger ---- */

static void ledger_tells_what_was_not_stored(void **state)
{
	int fd = ledger_create(), other_fd = eventfd(0, 0);
	struct ledger *l = ledger_map(fd);

	assert_non_null(l);
	assert_null(ledger_map(other_fd));
	assert_true(ledger_is_even(l, 5));
	ledger_say(l, 5);
	assert_false(ledger_is_even(l, 5));
	assert_true(ledger_is_even(l, 4));
	atomic_store(&l->stored[5], 1);
	assert_true(ledger_is_even(l, 5));
	ledger_say(l, LEDGER_SLOTS);
	assert_false(ledger_is_even(l, LEDGER_SLOTS));
	ledger_say(NULL, 5);
	ledger_unmap(l);
	close(fd);
	close(other_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_keeper_finds_what_was_kept_last),
		cmocka_unit_test(cleared_store_has_nothing),
		cmocka_unit_test(dropped_descriptor_is_closed),
		cmocka_unit_test(later_message_of_a_slot_counts),
		cmocka_unit_test(strangers_descriptors_are_closed),
		cmocka_unit_test(spoilt_messages_are_refused),
		cmocka_unit_test(manager_that_hangs_holds_up_nobody),
		cmocka_unit_test(nobody_keeps_anything_without_a_manager),
		cmocka_unit_test(ledger_tells_what_was_not_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
