/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steady traffic that never connects twice: what a switch that dies under it costs, in frames and in time.
 *
 * usage: steady FRAMES/S PATH PATH [PATH PATH ...]   each pair sends numbered frames both ways at that rate,
 *        with at most WINDOW of them under way, so that no ring is ever too full. Answers each line on stdin
 *        with one JSON object:
 *          gap_us       longest gap between two frames of one direction since the last line
 *          received, lost, doubles, misordered: tests/sequence.h
 *          doubles_now  most doubles of a direction since the last line
 *          flooded      came to another port
 *          closed       sockets that were
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/front_end.h"
#include "tests/sequence.h"

#define PORTS_MAX 64
#define WINDOW	  256
#define PAUSE_NS  50000

struct direction {
	struct fe *from, *to;
	uint8_t dst, src;
	struct sequence came;
	uint64_t n_sent;
	uint64_t due_ns, last_ns, gap_ns;
	uint64_t doubles, doubles_now, misordered, flooded;
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
	while (d->due_ns <= now_ns && d->n_sent - d->came.next < WINDOW) {
		frame_make(f, d);
		if (!fe_send(d->from, 0, f, sizeof(f)))
			break;
		d->n_sent++;
		d->due_ns += period_ns;
	}
}

static void take(struct direction *d, const uint8_t *f, uint64_t now_ns)
{
	enum sequence_verdict verdict;
	uint64_t seq;

	memcpy(&seq, f + 14, sizeof(seq));
	verdict = sequence_take(&d->came, seq);
	if (verdict == SEQUENCE_DOUBLE) {
		d->doubles++;
		d->doubles_now++;
		return;
	}
	d->misordered += verdict == SEQUENCE_LATE;
	if (d->came.n_came > 1 && now_ns - d->last_ns > d->gap_ns)
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
	uint64_t gap_ns = 0, received = 0, lost = 0, doubles = 0, doubles_now = 0, misordered = 0, flooded = 0;

	for (unsigned i = 0; i < n_ports; i++) {
		struct direction *d = &dirs[i];

		gap_ns = d->gap_ns > gap_ns ? d->gap_ns : gap_ns;
		doubles_now = d->doubles_now > doubles_now ? d->doubles_now : doubles_now;
		received += d->came.n_came;
		lost += sequence_lost(&d->came);
		doubles += d->doubles;
		misordered += d->misordered;
		flooded += d->flooded;
		d->gap_ns = d->doubles_now = 0;
	}
	printf("{\"gap_us\": %lu, \"received\": %lu, \"lost\": %lu, \"doubles\": %lu, \"doubles_now\": %lu, "
	       "\"misordered\": %lu, \"flooded\": %lu, \"closed\": %u}\n",
	       gap_ns / 1000, received, lost, doubles, doubles_now, misordered, flooded, closed());
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
