/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors that are not what a message says they are, too many of them, and eventfds that block.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "tests/evil/raw.h"

enum {
	K_PIPE_READ,
	K_PIPE_WRITE,
	K_SOCKET,
	K_DIRECTORY,
	K_NULL,
	K_ZERO,
	K_O_PATH,
	K_EPOLL,
	K_TIMER,
	K_SIGNAL,
	K_INOTIFY,
	K_DISK,
	K_READ_ONLY,
	K_PTY,
	K_MEM,
	K_OWN_SOCKET
};

static int pipe_end(unsigned end)
{
	int fds[2];

	if (pipe(fds) < 0)
		return -1;
	close(fds[1 - end]);
	return fds[end];
}

static int wrong_fd(struct scene *s, const struct fe *fe)
{
	sigset_t none;
	char path[128];

	sigemptyset(&none);
	switch (s->c->arg) {
	case K_PIPE_READ:
		return pipe_end(0);
	case K_PIPE_WRITE:
		return pipe_end(1);
	case K_SOCKET:
		return socket(AF_INET, SOCK_DGRAM, 0);
	case K_DIRECTORY:
		return open("/", O_RDONLY | O_DIRECTORY);
	case K_NULL:
		return open("/dev/null", O_RDWR);
	case K_ZERO:
		return open("/dev/zero", O_RDWR);
	case K_O_PATH:
		return open("/dev/shm", O_PATH);
	case K_EPOLL:
		return epoll_create1(0);
	case K_TIMER:
		return timerfd_create(CLOCK_MONOTONIC, 0);
	case K_SIGNAL:
		return signalfd(-1, &none, 0);
	case K_INOTIFY:
		return inotify_init1(0);
	case K_DISK:
		snprintf(path, sizeof(path), "%s/disk", s->run_dir);
		return open(path, O_RDWR | O_CREAT, 0600);
	case K_READ_ONLY:
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fe->mem_fd);
		return open(path, O_RDONLY);
	case K_PTY:
		return posix_openpt(O_RDWR | O_NOCTTY);
	case K_MEM:
		return open("/proc/self/mem", O_RDWR);
	default:
		return dup(fe->fd);
	}
}

static void message_with(struct fe *fe, uint32_t request, const int *fds, unsigned n)
{
	struct {
		uint64_t head;
		struct vu_mem_region r;
	} region = {1, {FE_GPA, fe->mem_size, (uintptr_t)fe->mem, 0}};

	if (request == VU_SET_MEM_TABLE || request == VU_ADD_MEM_REG)
		fe_msg_send(fe, request, 0, &region, sizeof(region), fds, n);
	else
		fe_msg_send(fe, request, 0, &region.head, 8, fds, n);
}

/* What the port is in while no front end is there. */
static const char *idle(const struct scene *s)
{
	return s->c->server ? "connecting" : "waiting";
}

/* In every message that takes a descriptor. */
static void wrong_type(struct scene *s)
{
	static const uint32_t requests[] = {VU_SET_MEM_TABLE, VU_ADD_MEM_REG, VU_SET_VRING_KICK,
					    VU_SET_VRING_CALL, VU_SET_VRING_ERR};

	for (unsigned i = 0; i < 5; i++) {
		struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
		int fd = wrong_fd(s, fe);

		if (fd < 0)
			evil_fail(s, "no descriptor to send: %s", strerror(errno));
		message_with(fe, requests[i], &fd, 1);
		evil_await(s, "errored",
			   i < 2 ? "is in no memfd, nor in a writable file" : "is no eventfd");
		close(fd);
		fe_close(fe);
		if (i < 4)
			evil_heal(s, idle(s));
	}
}

/* 0 to 253 descriptors on every message, memory and events mixed. */
static void numbers(struct scene *s)
{
	static const unsigned n_fds[] = {0, 1, 2, 7, 8, 9, 64, 253};

	for (uint32_t request = 0; request < 42; request++)
		for (unsigned k = 0; k < sizeof(n_fds) / sizeof(n_fds[0]); k++) {
			struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
			int fds[253];

			for (unsigned i = 0; i < 253; i++)
				fds[i] = (i + k) % 2 ? fe->rings[0].kick_fd : fe->mem_fd;
			message_with(fe, request, fds, n_fds[k]);
			fe_close(fe);
			evil_heal(s, idle(s));
		}
}

/* Descriptors with every byte of a message. */
static void with_each_byte(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
	const uint32_t m[5] = {VU_SET_FEATURES, VU_VERSION, 8};

	for (unsigned i = 0; i < sizeof(m); i++)
		if (fd_msg_send(fe->fd, (const uint8_t *)m + i, 1, &fe->mem_fd, 1, SEND_MS) < 0)
			return;
}

/* Full of descriptors when the socket is closed: they go with it. */
static void left_in_the_socket(struct scene *s)
{
	for (unsigned k = 0; k < 20; k++) {
		struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
		int fds[253];

		for (unsigned i = 0; i < 253; i++)
			fds[i] = fe->mem_fd;
		fe_msg_send(fe, VU_GET_FEATURES, VU_REPLY, NULL, 0, fds, 253);
		for (unsigned i = 0; i < 30; i++)
			fe_msg_send(fe, VU_GET_FEATURES, 0, NULL, 0, fds, 253);
		fe_close(fe);
		evil_heal(s, idle(s));
	}
}

/* ---- closing takes as long as its owner likes ---- */

/* A TCP socket whose last close waits: unsent data, and nobody who reads. */
static int lingering_socket(struct scene *s)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 30};
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
	static uint8_t bytes[1 << 16];

	if (bind(l, (struct sockaddr *)&sin, len) < 0 || listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *)&sin, &len) < 0 ||
	    connect(fd, (struct sockaddr *)&sin, len) < 0)
		evil_fail(s, "no TCP socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (send(fd, bytes, sizeof(bytes), 0) > 0)
		;
	return fd;
}

/* Where the last reference to the socket is when the switch lets it go. */
enum { L_IN_A_MESSAGE, L_IN_THE_SOCKET };

static void slow_close(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
	uint64_t start_ns = loop_now_ns();
	pid_t pid = fork();

	if (pid == 0) {
		/* Ends at once, so that the last reference is not its own: processes that exit do not linger. */
		int fd = lingering_socket(s);

		if (s->c->arg == L_IN_THE_SOCKET)
			for (unsigned i = 0; i < 200;
			     i++) /* a violation in the end; the rest stays unread */
				fe_msg_send(fe, VU_GET_FEATURES, i < 150 ? 0 : VU_REPLY, NULL, 0,
					    NULL, 0);
		message_with(fe, VU_SET_VRING_KICK, &fd, 1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	json_decref(evil_call(s, "daemon.status", NULL));
	evil_await(s, "errored", NULL);
	json_decref(evil_call(s, "daemon.status", NULL));
	if (loop_now_ns() - start_ns > 5 * S_NS)
		evil_fail(s, "the switch answered after %lu ms",
			  (unsigned long)((loop_now_ns() - start_ns) / MS_NS));
}

/* ---- eventfds that block who writes to them ---- */

struct filler {
	int fd;
	volatile bool stop;
};

/* Keeps an eventfd full, and blocking: its flags are those of all who have it. */
static void *fill(void *arg)
{
	struct filler *f = arg;
	uint64_t most = ~0ull - 1, n;

	while (!f->stop) {
		/* Empty, then full: what the switch adds between the two makes it try again. */
		fcntl(f->fd, F_SETFL, O_NONBLOCK);
		do {
			if (read(f->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
				return NULL;
		} while (write(f->fd, &most, sizeof(most)) < 0 && !f->stop);
		fcntl(f->fd, F_SETFL, 0);
		usleep(50);
	}
	return NULL;
}

/* What the switch calls by; without EVENT_IDX, so that it calls after every burst. */
static void calls_block(struct scene *s)
{
	uint64_t features = fe_features_default(1) & ~VU_BIT(VIRTIO_RING_F_EVENT_IDX);
	struct fe *fe = evil_attacker(s, (struct fe_opts){.features = features});
	uint8_t f[60] = BROADCAST EVIL_MAC "\x88\xb6";
	struct filler filler = {.fd = fe->rings[TX_RING].call_fd};
	uint64_t gap_ns = atomic_load(&s->bystander->gap_ns), end_ns = loop_now_ns() + 2 * S_NS;
	pthread_t t;

	pthread_create(&t, NULL, fill, &filler);
	while (loop_now_ns() < end_ns) {
		fe_send(fe, 0, f, sizeof(f));
		usleep(100);
	}
	filler.stop = true;
	pthread_join(t, NULL);
	gap_ns = atomic_load(&s->bystander->gap_ns) > gap_ns ? atomic_load(&s->bystander->gap_ns)
							     : 0;
	if (gap_ns > S_NS)
		evil_fail(s, "the bystander waited for %lu ms", (unsigned long)(gap_ns / MS_NS));
}

/* What the switch tells errors by, and calls when control does. */
static void errors_block(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	uint64_t most = ~0ull - 1, start_ns = loop_now_ns();

	if (!s->c->arg)
		fe->rings[TX_RING].avail->idx = 1000;
	for (unsigned i = 0; i < 2; i++) {
		int fds[] = {fe->rings[i].err_fd, fe->rings[i].call_fd, fe->rings[i].kick_fd};

		for (unsigned k = 0; k < 3; k++) {
			uint64_t n;

			if (read(fds[k], &n, sizeof(n)) < 0 && errno != EAGAIN)
				evil_fail(s, "eventfd: %s", strerror(errno));
			if (write(fds[k], &most, sizeof(most)) < 0)
				evil_fail(s, "eventfd: %s", strerror(errno));
			fcntl(fds[k], F_SETFL, fcntl(fds[k], F_GETFL) & ~O_NONBLOCK);
		}
	}
	if (s->c->arg) { /* control calls a ring that it starts */
		fe_set_state(fe, VU_SET_VRING_ENABLE, TX_RING, 0);
		fe_set_state(fe, VU_SET_VRING_ENABLE, TX_RING, 1);
	}
	usleep(50000);
	json_decref(evil_call(s, "daemon.status", NULL));
	if (loop_now_ns() - start_ns > 5 * S_NS)
		evil_fail(s, "the switch answered after %lu ms",
			  (unsigned long)((loop_now_ns() - start_ns) / MS_NS));
}

#define WRONG_OF(name, whose, what, kind, server)                                                  \
	{                                                                                          \
		"type-" name,                                                                      \
			what whose " where memory and eventfds are expected, in each such message", \
			"the socket is closed, the message named each time", wrong_type,           \
			"errored", "SET_VRING_ERR: ring 1: the descriptor is no eventfd", kind,    \
			server                                                                     \
	}
/* From a front end that comes to the switch's socket, and from one whose socket the switch comes to. */
#define WRONG(name, what, kind)                                                                    \
	WRONG_OF(name, "", what, kind, false),                                                     \
		WRONG_OF(name "-server", ", from a front end that owns the socket,", what, kind, true)

const struct evil_case evil_fds[] = {
	WRONG("pipe-read", "the reading end of a pipe", K_PIPE_READ),
	WRONG("pipe-write", "the writing end of a pipe", K_PIPE_WRITE),
	WRONG("socket", "a UDP socket", K_SOCKET),
	WRONG("directory", "a directory", K_DIRECTORY),
	WRONG("null", "/dev/null", K_NULL),
	WRONG("zero", "/dev/zero", K_ZERO),
	WRONG("o-path", "a descriptor opened with O_PATH", K_O_PATH),
	WRONG("epoll", "an epoll set", K_EPOLL),
	WRONG("timer", "a timerfd", K_TIMER),
	WRONG("signal", "a signalfd", K_SIGNAL),
	WRONG("inotify", "an inotify descriptor", K_INOTIFY),
	WRONG("disk", "a file on a disk", K_DISK),
	WRONG("read-only", "guest memory that may only be read", K_READ_ONLY),
	WRONG("pty", "a terminal", K_PTY),
	WRONG("mem", "/proc/self/mem of the front end", K_MEM),
	WRONG("own-socket", "the connection itself", K_OWN_SOCKET),
	{"numbers", "0, 1, 2, 7, 8, 9, 64 and 253 descriptors on each message of the specification",
	 "what a message does not take closes the socket; the port heals each time", numbers,
	 "waiting", NULL},
	{"numbers-server", "the same from a front end that owns the socket",
	 "what a message does not take closes the socket; the port heals each time", numbers,
	 "connecting", NULL, 0, true},
	{"with-each-byte", "a descriptor with each byte of a message",
	 "the socket is closed at the ninth", with_each_byte, "errored",
	 "more than 8 descriptors came with one message"},
	{"with-each-byte-server", "the same from a front end that owns the socket",
	 "the socket is closed at the ninth", with_each_byte, "errored",
	 "more than 8 descriptors came with one message", 0, true},
	{"left-in-the-socket",
	 "30 messages with 253 descriptors each behind one that closes the socket, 20 times",
	 "all of them are closed", left_in_the_socket, "waiting", NULL},
	{"left-in-the-socket-server", "the same from a front end that owns the socket",
	 "all of them are closed", left_in_the_socket, "connecting", NULL, 0, true},
	{"slow-close", "a TCP socket whose last close waits for 30 s",
	 "the switch goes on; that port waits alone", slow_close, NULL, NULL, L_IN_A_MESSAGE},
	{"slow-close-server", "the same from a front end that owns the socket",
	 "the switch goes on; that port waits alone", slow_close, NULL, NULL, L_IN_A_MESSAGE, true},
	{"slow-close-unread", "the same in a message that is not read any more",
	 "the switch goes on", slow_close, NULL, NULL, L_IN_THE_SOCKET},
	{"slow-close-unread-server", "the same from a front end that owns the socket",
	 "the switch goes on", slow_close, NULL, NULL, L_IN_THE_SOCKET, true},
	{"calls-block",
	 "a call eventfd made blocking and kept full while the switch calls 10,000 times a second",
	 "no call blocks: nobody waits", calls_block, "up", NULL},
	{"calls-block-server", "the same from a front end that owns the socket",
	 "no call blocks: nobody waits", calls_block, "up", NULL, 0, true},
	{"errors-block", "an error eventfd that is blocking and full when an error is told",
	 "control does not block", errors_block, "errored", "available index", 0},
	{"errors-block-server", "the same from a front end that owns the socket",
	 "control does not block", errors_block, "errored", "available index", 0, true},
	{"starts-block", "a call eventfd that is blocking and full when a ring starts",
	 "control does not block", errors_block, "up", NULL, 1},
	{"starts-block-server", "the same from a front end that owns the socket",
	 "control does not block", errors_block, "up", NULL, 1, true},
	{0},
};
