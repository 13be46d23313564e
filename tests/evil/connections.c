/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Front ends that come too late, too often or all at once, and that do not read, or hang up.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/evil/raw.h"

/* ---- time ---- */

static void silence(struct scene *s)
{
	const uint32_t h[3] = {VU_SET_FEATURES, VU_VERSION, 8};
	struct fe *fe = raw_connect(s);

	raw_bytes_send(s, fe, h, s->c->arg);
	if (!raw_is_closed(fe)) /* 5 s are over at about the same time */
		evil_await(s, "errored", NULL);
}

static void byte_a_second(struct scene *s)
{
	static const uint8_t h[20] = {VU_SET_FEATURES, 0, 0, 0, VU_VERSION, 0, 0, 0, 8};
	struct fe *fe = raw_connect(s);

	for (unsigned i = 0; i < sizeof(h); i++) {
		struct pollfd p = {.fd = fe->fd, .events = POLLIN};

		if (send(fe->fd, h + i, 1, MSG_NOSIGNAL) < 0 || poll(&p, 1, 1000) > 0)
			return;
	}
	evil_fail(s, "a message of 20 seconds was taken");
}

static void replies_unread(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
	uint64_t end_ns = loop_now_ns() + 10 * S_NS;

	while (fe_msg_send(fe, VU_GET_FEATURES, 0, NULL, 0, NULL, 0) == 0)
		if (loop_now_ns() > end_ns)
			evil_fail(s, "the switch goes on answering");
}

/* As many messages as there can be, answers read: others must be answered too. */
static void flood(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
	uint64_t end_ns = loop_now_ns() + S_NS, asked_ns = 0, worst_ns = 0;
	uint8_t replies[65536];

	fcntl(fe->fd, F_SETFL, O_NONBLOCK);
	while (loop_now_ns() < end_ns) {
		while (recv(fe->fd, replies, sizeof(replies), 0) > 0)
			;
		for (unsigned i = 0; i < 40; i++)
			fe_msg_send(fe, VU_GET_FEATURES, 0, NULL, 0, NULL, 0);
		if (loop_now_ns() - asked_ns > 100 * MS_NS) {
			asked_ns = loop_now_ns();
			json_decref(evil_call(s, "daemon.status", NULL));
			if (loop_now_ns() - asked_ns > worst_ns)
				worst_ns = loop_now_ns() - asked_ns;
		}
	}
	if (worst_ns > S_NS)
		evil_fail(s, "`status` took %lu ms meanwhile", (unsigned long)(worst_ns / MS_NS));
	while (recv(fe->fd, replies, sizeof(replies), 0) > 0)
		;
}

/* ---- connections ---- */

static int connect_try(const struct scene *s)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(sun.sun_path, s->path, strlen(s->path) + 1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void thousand_connects(struct scene *s)
{
	int fds[1000];
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++)
		n += (fds[i] = connect_try(s)) >= 0;
	if (n < 2)
		evil_fail(s, "only %u of 1,000 connections were taken", n);
	for (unsigned i = 0; i < 1000; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	/* Those in the backlog are all looked at, and then the next one is served. */
	evil_await(s, "waiting", NULL);
	evil_attacker(s, (struct fe_opts){0});
}

static void thousand_hang_ups(struct scene *s)
{
	unsigned n = 0;

	for (uint64_t end_ns = loop_now_ns() + 10 * S_NS; n < 1000 && loop_now_ns() < end_ns;) {
		int fd = connect_try(s);

		if (fd < 0) {
			usleep(100);
			continue;
		}
		if (n % 2)
			send(fd, "\1\0\0", 3, MSG_NOSIGNAL);
		close(fd);
		n++;
	}
	if (n < 1000)
		evil_fail(s, "only %u connections in 10 s", n);
	evil_await(s, "waiting", NULL);
}

/* The attacker owns the socket: accepts and hangs up, as fast as the switch comes back. */
static void accept_and_hang_up(struct scene *s)
{
	struct err err = ERR_NONE;
	int fd = fe_listen(s->path, &err);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t end_ns = loop_now_ns() + S_NS;
	unsigned n = 0;

	while (loop_now_ns() < end_ns)
		if (poll(&p, 1, 100) == 1) {
			close(accept(fd, NULL, NULL));
			n++;
		}
	if (n < 2 || n > 100)
		evil_fail(s, "the switch came %u times in a second", n);
	close(fd);
}

static void half_closed(struct scene *s)
{
	struct fe *fe = raw_connect(s);

	shutdown(fe->fd, s->c->arg ? SHUT_WR : SHUT_RD);
	fe_msg_send(fe, VU_GET_FEATURES, 0, NULL, 0, NULL, 0);
	if (!raw_is_closed(fe) && s->c->arg)
		evil_fail(s, "the socket is still open");
}

const struct evil_case evil_connections[] = {
	{"header-then-silence", "a header, and then nothing", "the socket is closed after 5 s",
	 silence, "errored", "a message did not end within 5 s", 12},
	{"byte-a-second", "a message that comes a byte a second", "the socket is closed after 5 s",
	 byte_a_second, "errored", "a message did not end within 5 s"},
	{"replies-unread", "questions without end, answers never read",
	 "the socket is closed and says so", replies_unread, "errored",
	 "the front end does not read its replies"},
	{"flood", "as many messages as there can be for a second", "others are served too", flood,
	 "negotiating", NULL},
	{"thousand-connects", "1,000 connections at once",
	 "one is served after the other, and then who means well", thousand_connects, "up", NULL},
	{"thousand-hang-ups", "1,000 connections one after the other that hang up at once",
	 "the port waits for the next one", thousand_hang_ups, "waiting", NULL},
	{"accept-and-hang-up", "a front end's socket that accepts and hangs up",
	 "the switch comes back slower and slower", accept_and_hang_up, "connecting", NULL, 0,
	 true},
	{"half-closed-reading", "a front end that has closed its reading half",
	 "its connection ends", half_closed, NULL, NULL, 0},
	{"half-closed-writing", "a front end that has closed its writing half",
	 "its connection ends", half_closed, "waiting", NULL, 1},
	{0},
};
