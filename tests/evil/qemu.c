/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A real QEMU, stopped and killed while its guest sends as fast as it can.
 *
 * How      The kernel and the image are run.py's; what the image starts is a stream of datagrams to the
 *          neighbour. QEMU runs under TCG, and ends with the case.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/evil/raw.h"

#define FRAMES	    500 /* of the guest's, before anything is done to it */
#define STOPS	    40
#define STOPS_LONG  1000
#define STOP_MAX_US 40000
#define KILLS	    2
#define KILLS_LONG  50
#define MEMORY	    "96M"

static unsigned dice(unsigned below)
{
	static uint64_t r = 88172645463325252ull;

	r ^= r << 13;
	r ^= r >> 7;
	r ^= r << 17;
	return (unsigned)(r >> 33) % below;
}

static void qemu_exec(const struct scene *s)
{
	static const char *const fixed[] = {
		"-nodefaults",
		"-display",
		"none",
		"-M",
		"q35",
		"-m",
		MEMORY,
		"-accel",
		"tcg",
		"-object",
		("memory-backend-memfd,id=m,share=on,size=" MEMORY),
		"-numa",
		"node,memdev=m",
		"-append",
		"quiet rdinit=/burst",
		"-netdev",
		"vhost-user,id=n,chardev=c",
		"-device",
		"virtio-net-pci,netdev=n,mac=02:00:00:00:e0:01,vectors=0,romfile=",
	};
	const size_t n_fixed = sizeof(fixed) / sizeof(fixed[0]);
	const char *argv[sizeof(fixed) / sizeof(fixed[0]) + 8] = {"qemu-system-x86_64"};
	char chardev[160];
	size_t n = 1;
	int null;

	snprintf(chardev, sizeof(chardev), "socket,id=c,path=%s,%s", s->path,
		 s->c->server ? "server=on,wait=off" : "reconnect=1");
	for (size_t i = 0; i < n_fixed; i++)
		argv[n++] = fixed[i];
	argv[n++] = "-chardev";
	argv[n++] = chardev;
	argv[n++] = "-kernel";
	argv[n++] = s->kernel;
	argv[n++] = "-initrd";
	argv[n] = s->initrd;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* Waits until there are n more of the port's than there were; fails the case when QEMU ends. */
static void frames_await(struct scene *s, pid_t pid, uint64_t before, uint64_t n)
{
	uint64_t end_ns = loop_now_ns() + 30 * S_NS;

	while (evil_counter(s, EVIL_PORT, "rx_frames") < before + n) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			evil_fail(s, "QEMU has ended by itself");
		if (loop_now_ns() > end_ns)
			evil_fail(s, "the guest has sent %lu frames, not %lu",
				  (unsigned long)evil_counter(s, EVIL_PORT, "rx_frames"),
				  (unsigned long)(before + n));
		usleep(1000);
	}
}

/* Its guest sends when this returns. */
static pid_t guest_start(struct scene *s)
{
	uint64_t before = evil_counter(s, EVIL_PORT, "rx_frames");
	pid_t pid = fork();

	if (pid == 0)
		qemu_exec(s);
	frames_await(s, pid, before, FRAMES);
	return pid;
}

static void end_with(pid_t pid, int sig)
{
	kill(pid, sig);
	waitpid(pid, NULL, 0);
}

/* Frames that come back, so that its receive buffers run out too. */
static void send_for(struct fe *peer, unsigned us)
{
	static const uint8_t f[60] = BROADCAST "\x02\0\0\0\xe0\2\x88\xb6";
	uint64_t end_ns = loop_now_ns() + us * 1000ull;
	uint8_t got[4096];

	do {
		fe_send(peer, 0, f, sizeof(f));
		while (fe_recv(peer, 0, got, sizeof(got)) >= 0)
			;
		usleep(100);
	} while (loop_now_ns() < end_ns);
}

static void stopped(struct scene *s)
{
	unsigned n_stops = s->long_form ? STOPS_LONG : STOPS;
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	pid_t pid = guest_start(s);
	uint64_t before;

	for (unsigned i = 0; i < n_stops; i++) {
		kill(pid, SIGSTOP);
		send_for(peer, dice(STOP_MAX_US));
		before = evil_counter(s, EVIL_PORT, "rx_frames");
		kill(pid, SIGCONT);
		if (i % 8 == 0)
			frames_await(s, pid, before, 1);
		send_for(peer, dice(STOP_MAX_US));
	}
	kill(pid, SIGSTOP);
	while (!evil_counter(s, EVIL_PORT, "tx_drops.rx_ring_full"))
		send_for(peer, STOP_MAX_US);
	evil_await(s, "up", NULL); /* a guest may sleep for as long as it likes */
	before = evil_counter(s, EVIL_PORT, "rx_frames");
	kill(pid, SIGCONT);
	frames_await(s, pid, before, FRAMES);
	kill(pid, SIGSTOP);
	end_with(pid, SIGKILL);
	evil_await(s, "connecting", s->path);
	snprintf(s->report->said, sizeof(s->report->said), "stopped %u times, %lu frames",
		 n_stops + 2, (unsigned long)evil_counter(s, EVIL_PORT, "rx_frames"));
}

static void killed(struct scene *s)
{
	unsigned n_kills = s->long_form ? KILLS_LONG : KILLS;
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});

	for (unsigned i = 0; i < n_kills; i++) {
		pid_t pid = guest_start(s);

		send_for(peer, dice(STOP_MAX_US));
		end_with(pid, SIGKILL);
		evil_await(s, "waiting", "no front end has connected");
	}
	snprintf(s->report->said, sizeof(s->report->said), "killed %u times, %lu frames", n_kills,
		 (unsigned long)evil_counter(s, EVIL_PORT, "rx_frames"));
}

static void guest(struct scene *s)
{
	if (!s->kernel || !s->initrd) {
		snprintf(s->report->said, sizeof(s->report->said),
			 "not tried: no QEMU or no image");
		return;
	}
	if (s->c->arg == SIGSTOP)
		stopped(s);
	else
		killed(s);
}

const struct evil_case evil_qemu[] = {
	{"stopped",
	 "a QEMU that is stopped again and again while its guest sends, and killed in the end",
	 "the port stays up while it sleeps, and drops rx_ring_full for it; it goes on where it was",
	 guest, NULL, NULL, SIGSTOP, true},
	{"killed", "a QEMU that is killed again and again while its guest sends",
	 "the port waits for the next one each time", guest, NULL, NULL, SIGKILL},
	{0},
};
