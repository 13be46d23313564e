/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages with descriptors: whole or not there, and nothing left open of what nobody asked for. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd_msg.h"

struct ends {
	int fds[2];
	int event; /* what is sent */
};

static void ends_open(struct ends *e)
{
	assert_int_equal(fd_msg_pair(e->fds), 0);
	e->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(e->event >= 0);
}

static void ends_close(struct ends *e)
{
	fd_msg_close(e->fds, 2);
	fd_msg_close(&e->event, 1);
}

/* The lowest number that is free: as before when nothing was left open. */
static int next_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void send_n(const struct ends *e, unsigned n)
{
	int fds[FD_MSG_WIRE];

	for (unsigned i = 0; i < FD_MSG_WIRE; i++)
		fds[i] = e->event;
	assert_int_equal(fd_msg_send(e->fds[0], "abc", 3, fds, n, 0), 0);
}

static void descriptors_come_with_their_bytes(void **state)
{
	const uint64_t one = 1;
	struct ends e;
	uint64_t seen = 0;
	char text[8];
	int fds[2];
	unsigned n;

	ends_open(&e);
	send_n(&e, 2);
	assert_int_equal(fd_msg_receive(e.fds[1], text, sizeof(text), fds, 2, &n, 0), 3);
	assert_memory_equal(text, "abc", 3);
	assert_int_equal(n, 2);
	assert_int_equal(write(e.event, &one, sizeof(one)), sizeof(one));
	assert_int_equal(read(fds[1], &seen, sizeof(seen)), sizeof(seen));
	assert_int_equal(seen, 1);
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	fd_msg_close(fds, 2);
	assert_int_equal(fds[0], -1);
	ends_close(&e);
}

static void messages_with_too_much_leave_nothing_open(void **state)
{
	static const struct {
		unsigned n_sent, max;
		size_t room;
	} cases[] = {{2, 1, 8},
		     {1, 0, 8},
		     {FD_MSG_FDS + 1, FD_MSG_FDS, 8},
		     {FD_MSG_WIRE, 4, 8},
		     {1, 1, 2}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fds[FD_MSG_FDS], free_fd;
		struct ends e;
		char text[8];
		unsigned n;

		ends_open(&e);
		free_fd = next_fd();
		send_n(&e, cases[i].n_sent);
		assert_int_equal(
			fd_msg_receive(e.fds[1], text, cases[i].room, fds, cases[i].max, &n, 0),
			-EPROTO);
		assert_int_equal(n, 0);
		assert_int_equal(next_fd(), free_fd);
		send_n(&e, 0);
		assert_int_equal(fd_msg_receive(e.fds[1], text, sizeof(text), NULL, 0, &n, 0), 3);
		ends_close(&e);
	}
}

static void as_many_as_the_kernel_takes_can_be_detached(void **state)
{
	union fd_msg_control control;
	char text[8];
	struct iovec iov = {text, sizeof(text)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf)};
	int fds[FD_MSG_WIRE] = {0};
	struct ends e;

	ends_open(&e);
	send_n(&e, FD_MSG_WIRE);
	assert_int_equal(recvmsg(e.fds[1], &mh, MSG_CMSG_CLOEXEC), 3);
	assert_int_equal(fd_msg_detach(&mh, fds, FD_MSG_WIRE), FD_MSG_WIRE);
	assert_false(mh.msg_flags & MSG_CTRUNC);
	fd_msg_close(fds, FD_MSG_WIRE);
	assert_int_equal(fd_msg_send(e.fds[0], "abc", 3, fds, FD_MSG_WIRE + 1, 0), -E2BIG);
	ends_close(&e);
}

static void full_socket_is_waited_for_no_longer_than_asked(void **state)
{
	static char block[1 << 16];
	unsigned n_sent = 0, n_fds;
	struct ends e;
	int rc;

	ends_open(&e);
	while ((rc = fd_msg_send(e.fds[0], block, sizeof(block), NULL, 0, 0)) == 0)
		n_sent++;
	assert_int_equal(rc, -EAGAIN);
	assert_true(n_sent > 0);
	assert_int_equal(fd_msg_send(e.fds[0], block, sizeof(block), NULL, 0, 10), -EAGAIN);
	while (n_sent--)
		assert_int_equal(fd_msg_receive(e.fds[1], block, sizeof(block), NULL, 0, &n_fds, 0),
				 sizeof(block));
	assert_int_equal(fd_msg_receive(e.fds[1], block, sizeof(block), NULL, 0, &n_fds, 10),
			 -EAGAIN);
	assert_int_equal(fd_msg_send(e.fds[0], block, sizeof(block), NULL, 0, 10000), 0);
	ends_close(&e);
}

static void end_is_told_to_both_sides(void **state)
{
	struct ends e;
	unsigned n;
	char c;

	ends_open(&e);
	send_n(&e, 0);
	fd_msg_close(&e.fds[0], 1);
	assert_int_equal(fd_msg_receive(e.fds[1], &c, 1, NULL, 0, &n, 0), -EPROTO);
	assert_int_equal(fd_msg_receive(e.fds[1], &c, 1, NULL, 0, &n, 0), -EPIPE);
	assert_int_equal(fd_msg_send(e.fds[1], &c, 1, NULL, 0, 10), -EPIPE);
	ends_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_come_with_their_bytes),
		cmocka_unit_test(messages_with_too_much_leave_nothing_open),
		cmocka_unit_test(as_many_as_the_kernel_takes_can_be_detached),
		cmocka_unit_test(full_socket_is_waited_for_no_longer_than_asked),
		cmocka_unit_test(end_is_told_to_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
