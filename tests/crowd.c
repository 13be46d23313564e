/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many quiet front ends in one process: what they cost the switch, and how soon one of them is heard.
 *
 * usage: crowd DIR N     connects to DIR/0.sock to DIR/<N-1>.sock, then does what lines on stdin say,
 *                        each of which it answers with one line of numbers:
 *   (the start)             -> seconds from the first connect to the last ring started
 *   pairs                   -> frames, seconds: one from each to each other, all of which must come
 *   wake COUNT GAP_US       -> p50, p99 of a frame from 0 to 1 after such a gap, and p50, p99 of a bare
 *                              write to an eventfd on which a thread sleeps in epoll, all in us
 *   rate FRAMES/S SECONDS   -> frames from 0 to 1 that came
 *   bare RATE/S SECONDS     -> seconds of CPU that the sleeping thread took for so many bare wakes
 *   macs COUNT              -> frames of so many source addresses, spread over the ports
 *   touch                   -> bytes: all memory of all front ends is written
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/front_end.h"

#define PORTS_MAX 1024
#define STALL_NS  (10 * S_NS)
#define WAKES_MAX 100000

static struct fe *fe[PORTS_MAX];
static unsigned n_ports;

static void die(const char *what, unsigned port)
{
	fprintf(stderr, "crowd: port %u: %s\n", port, what);
	exit(1);
}

static unsigned frame_make(uint8_t *f, unsigned dst, unsigned src)
{
	memset(f, 0, 60);
	if (dst == ~0u)
		memset(f, 0xff, 6);
	else
		f[0] = 2;
	if (dst != ~0u) {
		f[4] = (uint8_t)(dst >> 8);
		f[5] = (uint8_t)dst;
	}
	f[6] = 2;
	f[8] = (uint8_t)(src >> 24);
	f[9] = (uint8_t)(src >> 16);
	f[10] = (uint8_t)(src >> 8);
	f[11] = (uint8_t)src;
	f[12] = 0x88;
	f[13] = 0xb5;
	return 60;
}

static void send_frame(unsigned from, unsigned dst, unsigned src)
{
	uint8_t f[60];
	uint64_t end_ns = loop_now_ns() + STALL_NS;

	frame_make(f, dst, src);
	while (!fe_send(fe[from], 0, f, sizeof(f)))
		if (loop_now_ns() > end_ns)
			die("its transmit ring stays full", from);
}

static void frame_await(unsigned to)
{
	uint64_t end_ns = loop_now_ns() + STALL_NS;
	uint8_t f[2048];

	for (unsigned spins = 0; fe_recv(fe[to], 0, f, sizeof(f)) < 0; spins++)
		if (spins % 1024 == 1023 && loop_now_ns() > end_ns)
			die("a frame did not come", to);
}

static void attach(const char *dir)
{
	struct fe_opts opts = {.buf_size = 512};
	struct err err = ERR_NONE;
	char path[108];

	for (unsigned i = 0; i < n_ports; i++) {
		snprintf(path, sizeof(path), "%s/%u.sock", dir, i);
		opts.path = path;
		if (fe_open(&opts, &fe[i], &err) < 0)
			die(err.text, i);
		fe[i]->opts.path = NULL;
	}
	for (unsigned i = 0; i < n_ports; i++)
		for (unsigned ring = 0; ring < 2; ring++) {
			struct pollfd p = {.fd = fe[i]->rings[ring].call_fd, .events = POLLIN};

			/* The switch calls a ring once when it starts it. */
			if (poll(&p, 1, 10000) != 1)
				die("a ring was not started", i);
		}
}

static double seconds_since(uint64_t start_ns)
{
	return (double)(loop_now_ns() - start_ns) / 1e9;
}

static void pairs(void)
{
	uint64_t start_ns = loop_now_ns();

	for (unsigned i = 0; i < n_ports; i++) {
		send_frame(i, ~0u, i);
		for (unsigned j = 0; j < n_ports; j++)
			if (j != i)
				frame_await(j);
	}
	for (unsigned i = 0; i < n_ports; i++)
		for (unsigned j = 0; j < n_ports; j++)
			if (j != i) {
				send_frame(i, j, i);
				frame_await(j);
			}
	printf("%u %.3f\n", 2 * n_ports * (n_ports - 1), seconds_since(start_ns));
}

/* ---- waking up ---- */

static int bare_fd;
static _Atomic unsigned bare_seen;

/* This thread on the first CPU of this process, or on the last, where the switch's worker is to be: a
 * sleeper that is woken beside somebody who spins would measure the scheduler's tick. */
static void pin(bool last)
{
	cpu_set_t all, one;
	int at = -1;

	sched_getaffinity(getppid(), sizeof(all), &all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && (at < 0 || last))
			at = cpu;
	CPU_ZERO(&one);
	CPU_SET(at, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void *bare_sleeper(void *arg)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	int ep = epoll_create1(EPOLL_CLOEXEC);

	pin(true);
	epoll_ctl(ep, EPOLL_CTL_ADD, bare_fd, &ev);
	for (;;)
		if (epoll_wait(ep, &ev, 1, -1) == 1)
			atomic_fetch_add(&bare_seen, 1);
	return NULL;
}

static pthread_t bare_thread;

static uint64_t bare_wake(void)
{
	uint64_t start_ns = loop_now_ns(), one = 1;
	unsigned before = atomic_load(&bare_seen);

	if (write(bare_fd, &one, sizeof(one)) < 0)
		die("cannot write to an eventfd", 0);
	while (atomic_load(&bare_seen) == before)
		if (loop_now_ns() - start_ns > STALL_NS)
			die("the bare wake did not come", 0);
	return loop_now_ns() - start_ns;
}

static uint64_t frame_wake(void)
{
	uint64_t start_ns = loop_now_ns();

	send_frame(0, 1, 0);
	frame_await(1);
	return loop_now_ns() - start_ns;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile(uint64_t *ns, unsigned n, unsigned percent)
{
	qsort(ns, n, sizeof(*ns), by_value);
	return (double)ns[(n - 1) * (uint64_t)percent / 100] / 1e3;
}

/* The switch knows where port 1 is: what goes there is not flooded. */
static void port_1_announce(void)
{
	send_frame(1, ~0u, 1);
	for (unsigned j = 0; j < n_ports; j++)
		if (j != 1)
			frame_await(j);
}

static void wake(unsigned n, unsigned gap_us)
{
	static uint64_t frame_ns[WAKES_MAX], bare_ns[WAKES_MAX];

	n = n < WAKES_MAX ? n : WAKES_MAX;
	port_1_announce();
	for (unsigned i = 0; i < n; i++) {
		usleep(gap_us);
		bare_ns[i] = bare_wake();
		usleep(gap_us);
		frame_ns[i] = frame_wake();
	}
	printf("%.1f %.1f %.1f %.1f\n", percentile(frame_ns, n, 50), percentile(frame_ns, n, 99),
	       percentile(bare_ns, n, 50), percentile(bare_ns, n, 99));
}

static void rate(unsigned per_s, unsigned seconds)
{
	uint64_t start_ns;
	uint8_t f[2048];
	unsigned n = 0;

	port_1_announce();
	start_ns = loop_now_ns();
	for (uint64_t i = 0; i < (uint64_t)per_s * seconds; i++) {
		uint64_t due_ns = start_ns + i * S_NS / per_s, now_ns = loop_now_ns();

		if (due_ns > now_ns)
			usleep((unsigned)((due_ns - now_ns) / 1000));
		while (fe_recv(fe[1], 0, f, sizeof(f)) >= 0)
			n++;
		send_frame(0, 1, 0);
	}
	for (uint64_t end_ns = loop_now_ns() + S_NS; loop_now_ns() < end_ns; usleep(1000))
		while (fe_recv(fe[1], 0, f, sizeof(f)) >= 0)
			n++;
	printf("%u\n", n);
}

static uint64_t bare_cpu_ns(void)
{
	struct timespec ts;
	clockid_t clock;

	pthread_getcpuclockid(bare_thread, &clock);
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * S_NS + (uint64_t)ts.tv_nsec;
}

static void bare(unsigned per_s, unsigned seconds)
{
	uint64_t before_ns = bare_cpu_ns();

	for (unsigned i = 0; i < per_s * seconds; i++) {
		usleep(1000000 / per_s);
		bare_wake();
	}
	printf("%.6f\n", (double)(bare_cpu_ns() - before_ns) / 1e9);
}

static void macs(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		/* To its own address, which nobody else need receive. */
		send_frame(i % n_ports, i % n_ports, i);
		if (i % 64 == 63)
			usleep(50);
	}
	usleep(10000);
	printf("%u\n", n);
}

static void touch(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < n_ports; i++) {
		for (size_t at = 0; at < fe[i]->mem_size; at += 4096)
			*(volatile uint8_t *)(fe[i]->mem + at) = fe[i]->mem[at];
		n += fe[i]->mem_size;
	}
	printf("%llu\n", (unsigned long long)n);
}

int main(int argc, char **argv)
{
	struct rlimit files = {65536, 65536};
	uint64_t start_ns;
	unsigned a, b;
	char line[128];

	n_ports = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	if (n_ports < 2 || n_ports > PORTS_MAX) {
		fprintf(stderr, "usage: crowd DIR N\n");
		return 2;
	}
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	prctl(PR_SET_TIMERSLACK, 1);
	pin(false);
	setvbuf(stdout, NULL, _IOLBF, 0);
	bare_fd = eventfd(0, EFD_CLOEXEC);
	pthread_create(&bare_thread, NULL, bare_sleeper, NULL);
	start_ns = loop_now_ns();
	attach(argv[1]);
	printf("%.3f\n", seconds_since(start_ns));
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "pairs\n"))
			pairs();
		else if (sscanf(line, "wake %u %u", &a, &b) == 2)
			wake(a, b);
		else if (sscanf(line, "rate %u %u", &a, &b) == 2)
			rate(a, b);
		else if (sscanf(line, "bare %u %u", &a, &b) == 2)
			bare(a, b);
		else if (sscanf(line, "macs %u", &a) == 1)
			macs(a);
		else if (!strcmp(line, "touch\n"))
			touch();
		else
			die("what does this line mean?", 0);
	}
	return 0;
}
