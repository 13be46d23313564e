/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A keeper and packet processes that guests have taken over: each life does one thing to it on its sockets, and the next
 * one finds everything that is the keeper's as it was.
 *
 * How      The test executes itself as the packet process; which life it is, is the size of a file. Who says READY lives
 *          until the keeper kills it, or it ends itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd_msg.h"
#include "base/loop.h"
#include "control/keeper/channel.h"
#include "control/keeper/keeper.h"
#include "control/keeper/paths_msg.h"
#include "control/keeper/takeover.h"
#include "switch/pulse.h"
#include "tap/host_msg.h"

#define CHANNEL 3
#define FLOOD_S 1 /* that it takes longer than to be buried */
#define FEW_FDS 256

static char dir[] = "/tmp/keeper_hostile_test.XXXXXX";

static const char *file(const char *folder, const char *name)
{
	static char paths[4][80];
	static unsigned n;
	char *out = paths[n++ % 4];

	snprintf(out, sizeof(paths[0]), "%s/%s", folder, name);
	return out;
}

/* ---- the packet process: no cmocka here ---- */

struct handed {
	int own[64][2];
	unsigned n_kicks, n_arenas;
};

static void say(enum channel_type type, struct keep_key key, uint32_t kinds, int fd)
{
	struct channel_msg m = {.type = type, .n = 1, .keys = {key}, .kinds = kinds, .n_fds = fd >= 0, .fds = {fd}};

	channel_send(CHANNEL, &m);
}

static void take_all(struct handed *h)
{
	struct channel_msg m = {.type = CHANNEL_WARM, .number = CHANNEL_VERSION};

	memset(h, -1, sizeof(*h));
	h->n_kicks = h->n_arenas = 0;
	channel_send(CHANNEL, &m);
	while (channel_receive(CHANNEL, &m, true) > 0 && m.type != CHANNEL_GO)
		for (unsigned i = 0; m.type == CHANNEL_HAND && i < m.n; i++) {
			if (m.keys[i].kind == KEEP_PROCESS && m.keys[i].slot < 64 && m.keys[i].index < 2)
				h->own[m.keys[i].slot][m.keys[i].index] = m.fds[i];
			h->n_kicks += m.keys[i].kind == KEEP_KICK;
			h->n_arenas += m.keys[i].kind == KEEP_ARENA;
		}
	m = (struct channel_msg){.type = CHANNEL_READY, .number = loop_now_ns()};
	channel_send(CHANNEL, &m);
}

/* Whether the keeper answers who asks for sockets. */
static bool is_served(int paths)
{
	struct paths_question q = {.op = PATHS_CONNECT, .seq = 1, .path = "/nowhere"};
	struct paths_answer a = {0};
	unsigned n;
	int fd;

	return fd_msg_send(paths, &q, sizeof(q), NULL, 0, 0) == 0 &&
	       fd_msg_receive(paths, &a, sizeof(a), &fd, 1, &n, 5000) == sizeof(a) && a.seq == 1 && a.result == -ENOENT;
}

/* What is the keeper's own, as it was in the first life. */
static bool is_whole(const struct handed *h, const char *folder)
{
	struct stat lock, is;
	socklen_t size = sizeof(int);
	int listens = 0;

	if (h->n_arenas)
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (stat(file(folder, i ? "lock1" : "lock0"), &lock) < 0 || fstat(h->own[OWN_LOCK][i], &is) < 0 ||
		    lock.st_ino != is.st_ino)
			return false;
	return getsockopt(h->own[OWN_CONTROL][0], SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
	       fstat(h->own[OWN_PULSE][0], &is) == 0 && is.st_size == sizeof(struct pulse) &&
	       fcntl(h->own[OWN_PULSE][0], F_GET_SEALS) & F_SEAL_SHRINK && h->own[OWN_HOST][0] >= 0 &&
	       is_served(h->own[OWN_PATHS][0]);
}

/* Who may ask is awaited; who may not is told so before it can: the keeper would execute what it names with its own
 * rights. */
static bool takeover_is_refused(const char *folder)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const struct timeval wait = {.tv_sec = 5};
	struct takeover_answer a = {0};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool refused;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", file(folder, "keeper.sock"));
	refused = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && recv(fd, &a, sizeof(a), 0) > 0 &&
		  a.result == -EACCES;
	close(fd);
	return refused;
}

static void lock_replaced(const struct handed *h)
{
	say(CHANNEL_PUT, (struct keep_key){KEEP_PROCESS, OWN_LOCK, 0}, 0, eventfd(0, 0));
}

/* Whoever maps it dies of SIGBUS. */
static void pulse_replaced(const struct handed *h)
{
	say(CHANNEL_PUT, (struct keep_key){KEEP_PROCESS, OWN_PULSE, 0}, 0, memfd_create("short", 0));
}

static void control_socket_dropped(const struct handed *h)
{
	say(CHANNEL_DROP, (struct keep_key){KEEP_PROCESS, OWN_CONTROL, 0}, 0, -1);
}

static void locks_dropped_as_a_slot(const struct handed *h)
{
	say(CHANNEL_DROP_SLOT, (struct keep_key){.slot = OWN_LOCK}, ~0u, -1);
}

static void garbage(const struct handed *h)
{
	send(CHANNEL, "garbage", 7, 0);
}

/* Messages that only a keeper sends. */
/* A successor with more rights would map what a front end can still write to. */
static void state_replaced(const struct handed *h)
{
	say(CHANNEL_PUT, (struct keep_key){KEEP_ARENA, 0, 0}, 0, memfd_create("a front end's", 0));
	garbage(h);
}

static void keepers_own_words(const struct handed *h)
{
	struct channel_msg m = {.type = CHANNEL_GO, .go = {.end = ~0u, .keeper_pid = 1}};

	channel_send(CHANNEL, &m);
	m = (struct channel_msg){.type = CHANNEL_HAND, .n = 1, .keys = {{KEEP_PROCESS, OWN_LOCK, 0}}, .n_fds = 1};
	channel_send(CHANNEL, &m);
	_exit(1);
}

static void all_descriptors_used_up(const struct handed *h)
{
	for (unsigned i = 0; i < 4 * FEW_FDS; i++)
		say(CHANNEL_PUT, (struct keep_key){KEEP_KICK, (uint16_t)i, 0}, 0, CHANNEL);
	_exit(1);
}

/* Somebody else has a copy of its end, and goes on talking when it is dead. */
static void flooded_from_the_grave(const struct handed *h)
{
	const uint64_t end_ns = loop_now_ns() + FLOOD_S * S_NS;

	if (fork() == 0) {
		while (loop_now_ns() < end_ns)
			say(CHANNEL_PUT, (struct keep_key){KEEP_CALL, 1, 1}, 0, 2);
		_exit(0);
	}
	usleep(100000);
	_exit(1);
}

/* The helper cannot be executed here: so all that is asked is lost, and asked again. */
static void helper_asked_without_end(const struct handed *h)
{
	uint64_t end_ns = loop_now_ns() + FLOOD_S * S_NS;
	struct host_question q = {.op = HOST_SETTLE, .seq = 1};

	if (fork() == 0) {
		while (loop_now_ns() < end_ns)
			fd_msg_send(h->own[OWN_HOST][0], &q, sizeof(q), NULL, 0, 10);
		_exit(0);
	}
	usleep(100000);
	_exit(1);
}

/* A hundred thousand questions, no answer of which is read. */
static void answers_never_read(const struct handed *h)
{
	struct paths_question q = {.op = PATHS_CONNECT, .path = "/nowhere"};

	for (unsigned i = 0; i < 100000; i++)
		fd_msg_send(h->own[OWN_PATHS][0], &q, i % 2 ? sizeof(q) : i % sizeof(q), NULL, 0, 100);
	_exit(1);
}

static void empty_messages(const struct handed *h)
{
	send(h->own[OWN_PATHS][0], "", 0, 0);
	send(h->own[OWN_HOST][0], "", 0, 0);
	if (!is_served(h->own[OWN_PATHS][0]))
		sleep(10);
	_exit(1);
}

/* Which ends the sockets for all who have them. */
static void asking_ends_shut_down(const struct handed *h)
{
	shutdown(h->own[OWN_PATHS][0], SHUT_RDWR);
	shutdown(h->own[OWN_HOST][0], SHUT_RDWR);
	_exit(1);
}

/* A copy of them that outlives it gets nothing that is its successor's. */
static void answers_stolen(const struct handed *h)
{
	if (fork() == 0) {
		uint64_t end_ns = loop_now_ns() + FLOOD_S * S_NS;
		struct paths_answer a;
		int fd, size;
		unsigned n;

		do {
			size = fd_msg_receive(h->own[OWN_PATHS][0], &a, sizeof(a), &fd, 1, &n, 100);
			if (size > 0)
				fd_msg_close(&fd, n);
		} while (loop_now_ns() < end_ns && (size > 0 || size == -EAGAIN));
		_exit(0);
	}
	_exit(1);
}

static void (*const attacks[])(const struct handed *h) = {
	lock_replaced,	   pulse_replaced,	    control_socket_dropped, locks_dropped_as_a_slot, garbage,
	keepers_own_words, all_descriptors_used_up, flooded_from_the_grave, helper_asked_without_end,
	answers_never_read, empty_messages,	    asking_ends_shut_down,  answers_stolen,
	state_replaced,
};
#define N_ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

static int packet(const char *folder)
{
	int lives = open(file(folder, "lives"), O_WRONLY | O_APPEND);
	bool refused = takeover_is_refused(folder); /* as a spare */
	struct handed h;
	struct stat st;

	take_all(&h);
	refused = refused && takeover_is_refused(folder);
	if (lives < 0 || fstat(lives, &st) < 0 || write(lives, !refused ? "T" : is_whole(&h, folder) ? "." : "!", 1) != 1)
		_exit(1);
	if (st.st_size < (off_t)N_ATTACKS) {
		attacks[st.st_size](&h);
		sleep(10); /* the keeper kills it */
		if (write(lives, "?", 1) < 0)
			_exit(1);
		_exit(1);
	}
	say(CHANNEL_DROP_SLOT, (struct keep_key){.slot = 1}, KEEP_OF_PORT, -1);
	_exit(0);
}

/* ---- the keeper ---- */

static int on_listen(void *arg, int *fd, struct err *err)
{
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(*fd, &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t)) < 0 || listen(*fd, 1) < 0 ? -errno :
														     0;
}

static bool is_listening(void *arg, int fd)
{
	return true;
}

static void nothing(void *arg)
{
}

static void keeper_outlives_all_of_them(void **state)
{
	char self[] = "/proc/self/exe", *argv[] = {self, (char *)"--packet", dir, NULL}, lives[64] = "";
	struct rlimit few = {FEW_FDS, FEW_FDS};
	const char *socket_path = strdup(file(dir, "keeper.sock"));
	const struct keeper_opts opts = {
		.program = self,
		.argv = argv,
		.own_argv = argv,
		.helper = "/nonexistent/lanyard-host",
		.run_dir = dir,
		.takeover_path = socket_path,
		.signal_fd = eventfd(0, EFD_CLOEXEC),
		.lock_fds = {open(file(dir, "lock0"), O_CREAT | O_RDWR | O_CLOEXEC, 0600),
			     open(file(dir, "lock1"), O_CREAT | O_RDWR | O_CLOEXEC, 0600)},
		.metrics_fd = -1,
		.version = "test",
		.image_fd = -1,
		.listen = on_listen,
		.is_listening = is_listening,
		.on_ready = nothing,
		.on_stopping = nothing,
	};
	struct err err = ERR_NONE;
	int fd = open(file(dir, "lives"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(keeper_run(&opts, &err), 0);
	assert_true(read(fd, lives, sizeof(lives) - 1) > 0);
	close(fd);
	free((char *)socket_path);
	/* A point for each, and one for the last, which did nothing. */
	assert_int_equal(strlen(lives), N_ATTACKS + 1);
	assert_int_equal(strspn(lives, "."), N_ATTACKS + 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(keeper_outlives_all_of_them)};
	int rc;

	if (argc > 2 && !strcmp(argv[1], "--packet"))
		return packet(argv[2]);
	if (!mkdtemp(dir))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file(dir, "lock0"));
	unlink(file(dir, "lock1"));
	unlink(file(dir, "lives"));
	unlink(file(dir, "keeper.sock"));
	rmdir(dir);
	return rc;
}
