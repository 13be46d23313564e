/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steady traffic that never connects twice: what a switch that dies under it costs, in frames and in time.
 *
 * usage: steady FRAMES/S PATH PATH [PATH PATH ...]   each pair sends numbered frames both ways at that rate,
 *        with at most WINDOW of them under way, so that no ring is ever too full. Answers each line on stdin
 *        with one of numbers:
 *          longest gap between two frames of one direction since the last line (us), received, lost,
 *          doubles, most doubles of a direction since the last line, misordered, flooded to another port,
 *          sockets that were closed
 * `lost` are those that have not come though WINDOW later ones have; `misordered` came after a later one.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/front_end.h"

#define PORTS_MAX 64
#define WINDOW	  256
#define SEEN	  4096 /* sequence numbers back that are remembered */
#define PAUSE_NS  50000

struct direction {
	struct fe *from, *to;
	uint8_t dst, src;
	uint64_t n_sent, n_received, next; /* next: beyond the highest that came */
	uint64_t seen[SEEN];		   /* the last number that came with this remainder, and one more */
	uint64_t due_ns, last_ns, gap_ns;
	uint64_t lost, doubles, doubles_now, misordered, flooded;
};

static struct fe *fe[PORTS_MAX];
static struct direction dirs[PORTS_MAX];
static unsigned n_ports;

static void die(const char *what, unsigned port)
{
	fprintf(stderr, "steady: port %u: %s\n", port, what);
	exit(1);
}

static void attach(char **paths)
{
	struct err err = ERR_NONE;

	for (unsigned i = 0; i < n_ports; i++) {
		struct fe_opts opts = {.path = paths[i], .ring_size = 1024, .buf_size = 256};

		if (fe_open(&opts, &fe[i], &err) < 0)
			die(err.text, i);
	}
	for (unsigned i = 0; i < n_ports; i++)
		for (unsigned ring = 0; ring < 2; ring++) {
			struct pollfd p = {.fd = fe[i]->rings[ring].call_fd, .events = POLLIN};

			/* The switch calls a ring once when it starts it: nothing is sent to nobody. */
			if (poll(&p, 1, 10000) != 1)
				die("a ring was not started", i);
		}
	for (unsigned i = 0; i < n_ports; i++) {
		dirs[i] = (struct direction){.from = fe[i],
					     .to = fe[i ^ 1],
					     .src = (uint8_t)(i + 1),
					     .dst = (uint8_t)((i ^ 1) + 1)};
	}
}

static void frame_make(uint8_t f[60], const struct direction *d)
{
	const uint8_t head[14] = {2, 0, 0, 0, 0, d->dst, 2, 0, 0, 0, 0, d->src, 0x88, 0xb5};

	memset(f, 0, 60);
	memcpy(f, head, sizeof(head));
	memcpy(f + 14, &d->n_sent, sizeof(d->n_sent));
}

static void send_due(struct direction *d, uint64_t now_ns, uint64_t period_ns)
{
	uint8_t f[60];

	/* One that was held up does not make up for it: the rate is what it is. */
	if (d->due_ns + WINDOW * period_ns < now_ns)
		d->due_ns = now_ns;
	while (d->due_ns <= now_ns && d->n_sent - d->next < WINDOW) {
		frame_make(f, d);
		if (!fe_send(d->from, 0, f, sizeof(f)))
			break;
		d->n_sent++;
		d->due_ns += period_ns;
	}
}

static void take(struct direction *d, const uint8_t *f, uint64_t now_ns)
{
	uint64_t seq, *seen;

	memcpy(&seq, f + 14, sizeof(seq));
	seen = &d->seen[seq % SEEN];
	if (*seen == seq + 1) {
		d->doubles++;
		d->doubles_now++;
		return;
	}
	*seen = seq + 1;
	if (seq >= d->next) {
		d->lost += seq - d->next;
		d->next = seq + 1;
	} else {
		d->misordered++;
		d->lost--;
	}
	if (d->n_received++ && now_ns - d->last_ns > d->gap_ns)
		d->gap_ns = now_ns - d->last_ns;
	d->last_ns = now_ns;
}

static void receive(unsigned port, uint64_t now_ns)
{
	struct direction *d = &dirs[port ^ 1];
	uint8_t f[256];
	int len;

	while ((len = fe_recv(fe[port], 0, f, sizeof(f))) >= 0)
		if (len == 60 && f[5] == d->dst && f[11] == d->src)
			take(d, f, now_ns);
		else
			d->flooded++;
}

static unsigned closed(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_ports; i++) {
		struct pollfd p = {.fd = fe[i]->fd, .events = POLLIN | POLLRDHUP};

		n += poll(&p, 1, 0) == 1;
	}
	return n;
}

static void report(void)
{
	struct direction sum = {.gap_ns = 0};

	for (unsigned i = 0; i < n_ports; i++) {
		struct direction *d = &dirs[i];

		if (d->gap_ns > sum.gap_ns)
			sum.gap_ns = d->gap_ns;
		if (d->doubles_now > sum.doubles_now)
			sum.doubles_now = d->doubles_now;
		sum.n_received += d->n_received;
		sum.lost += d->lost;
		sum.doubles += d->doubles;
		sum.misordered += d->misordered;
		sum.flooded += d->flooded;
		d->gap_ns = d->doubles_now = 0;
	}
	printf("%llu %llu %llu %llu %llu %llu %llu %u\n", (unsigned long long)sum.gap_ns / 1000,
	       (unsigned long long)sum.n_received, (unsigned long long)sum.lost,
	       (unsigned long long)sum.doubles, (unsigned long long)sum.doubles_now,
	       (unsigned long long)sum.misordered, (unsigned long long)sum.flooded, closed());
	fflush(stdout);
}

/* False at the end of stdin. */
static bool asked(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[64];

	if (poll(&p, 1, 0) != 1)
		return true;
	if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
		return false;
	report();
	return true;
}

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t rate = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;

	n_ports = argc > 2 ? (unsigned)argc - 2 : 0;
	if (!rate || !n_ports || n_ports % 2 || n_ports > PORTS_MAX) {
		fputs("usage: steady FRAMES/S PATH PATH [PATH PATH ...]\n", stderr);
		return 2;
	}
	attach(argv + 2);
	while (asked()) {
		uint64_t now_ns = loop_now_ns();

		for (unsigned i = 0; i < n_ports; i++)
			send_due(&dirs[i], now_ns, S_NS / rate);
		for (unsigned i = 0; i < n_ports; i++)
			receive(i, now_ns);
		nanosleep(&pause, NULL);
	}
	for (unsigned i = 0; i < n_ports; i++)
		fe_close(fe[i]);
	return 0;
}
