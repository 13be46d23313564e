/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frame-exact delivery: numbered frames of all sizes from 60 to 1514 bytes go both ways between two
 * vhost-user ports, in a closed loop with at most half a ring in flight, and every one must
 * arrive once, in the order of its flow, with every byte as it was sent.
 *
 * usage: exact --path A --path B [--frames N] [--rate FRAMES/S] [--server]
 * SIGTERM ends it early, with the same verdict on what was sent until then.
 */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/front_end.h"

#define LEN_MIN 60
#define LEN_MAX 1514
#define RING	 256
#define N_FLOWS	 64
#define STALL_NS (20 * S_NS)

/* What follows the Ethernet header. */
struct stamp {
	uint64_t seq;	   /* in this direction */
	uint32_t flow_seq; /* in this flow */
	uint16_t flow, len;
};

struct direction {
	struct fe *from, *to;
	uint8_t dst, src;
	uint64_t n_sent, n_received;
	uint32_t flow_sent[N_FLOWS], flow_received[N_FLOWS];
	uint64_t rng;
};

static volatile sig_atomic_t stopped; /* SIGTERM: no new frames, then the verdict */

static void on_term(int sig)
{
	stopped = 1;
}

static void die(const struct direction *d, const char *what)
{
	fprintf(stderr, "exact: %02x->%02x after %llu frames: %s\n", d->src, d->dst,
		(unsigned long long)d->n_received, what);
	exit(1);
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	return x ^ x >> 29;
}

/* The byte pattern of a frame, from its number: other for each frame and place. */
static void pattern(uint8_t *at, size_t n, uint64_t seq)
{
	uint64_t word = mix(seq + 1);

	for (; n >= 8; n -= 8, at += 8, word = word * 6364136223846793005ull + 1)
		memcpy(at, &word, 8);
	memcpy(at, &word, n);
}

static uint16_t frame_build(struct direction *d, uint8_t *f)
{
	struct stamp s = {.seq = d->n_sent};

	d->rng = mix(d->rng + d->n_sent);
	s.flow = (uint16_t)(d->rng % N_FLOWS);
	s.len = (uint16_t)(LEN_MIN + (d->rng >> 32) % (LEN_MAX - LEN_MIN + 1));
	s.flow_seq = d->flow_sent[s.flow];
	memset(f, 0, 12);
	f[0] = f[6] = 2;
	f[5] = d->dst;
	f[11] = d->src;
	f[12] = 0x88;
	f[13] = 0xb5;
	memcpy(f + 14, &s, sizeof(s));
	pattern(f + 14 + sizeof(s), s.len - 14 - sizeof(s), s.seq);
	return s.len;
}

static void frame_check(struct direction *d, const uint8_t *f, int n)
{
	static uint8_t want[LEN_MAX];
	struct stamp s;

	memcpy(&s, f + 14, sizeof(s));
	if (s.seq != d->n_received)
		die(d, s.seq < d->n_received ? "a frame came twice or late" : "a frame was lost");
	if (s.flow >= N_FLOWS || s.flow_seq != d->flow_received[s.flow])
		die(d, "a flow is out of order");
	if (s.len != n || f[5] != d->dst || f[11] != d->src)
		die(d, "a frame has another length or address");
	pattern(want, (size_t)n - 14 - sizeof(s), s.seq);
	if (memcmp(want, f + 14 + sizeof(s), (size_t)n - 14 - sizeof(s)))
		die(d, "a frame was corrupted");
	d->flow_received[s.flow]++;
	d->n_received++;
}

/* One turn: sends while less than half a ring is in flight, takes what has come. */
static bool turn(struct direction *d, uint64_t n_frames)
{
	static uint8_t f[4096];
	bool moved = false;
	int n;

	while (d->n_sent < n_frames && d->n_sent - d->n_received < RING / 2) {
		uint16_t len = frame_build(d, f);
		struct stamp s;

		if (!fe_send(d->from, 0, f, len))
			break;
		memcpy(&s, f + 14, sizeof(s));
		d->flow_sent[s.flow]++;
		d->n_sent++;
		moved = true;
	}
	while ((n = fe_recv(d->to, 0, f, sizeof(f))) >= 0) {
		/* Before the addresses are known, a direction's frames are flooded: still one copy. */
		frame_check(d, f, n);
		moved = true;
	}
	return moved;
}

/* The switch calls a ring once when it starts it: from then on frames may come and go. */
static void called_await(struct fe *fe, unsigned ring)
{
	struct pollfd p = {.fd = fe->rings[ring].call_fd, .events = POLLIN};

	if (poll(&p, 1, 10000) != 1) {
		fprintf(stderr, "exact: ring %u of %s was not started\n", ring, fe->opts.path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"path", 1, 0, 'p'}, {"frames", 1, 0, 'n'}, {"rate", 1, 0, 'r'}, {"server", 0, 0, 's'}, {0}};
	struct fe_opts opts[2] = {0};
	struct direction d[2] = {{.dst = 2, .src = 1}, {.dst = 1, .src = 2, .rng = 7}};
	struct err err = ERR_NONE;
	uint64_t n = 10000000, rate = 0, last_ns, start_ns;
	unsigned n_paths = 0;
	struct fe *fe[2];
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'p' && n_paths < 2)
			opts[n_paths++].path = optarg;
		else if (c == 'n')
			n = strtoull(optarg, NULL, 10);
		else if (c == 'r')
			rate = strtoull(optarg, NULL, 10) / 2;
		else if (c == 's')
			opts[0].server = opts[1].server = true;
		else
			n_paths = 3;
	}
	if (n_paths != 2) {
		fprintf(stderr, "usage: exact --path A --path B [--frames N] [--rate N] [--server]\n");
		return 2;
	}
	signal(SIGTERM, on_term);
	for (unsigned i = 0; i < 2; i++) {
		opts[i].ring_size = RING;
		if (fe_open(&opts[i], &fe[i], &err) < 0) {
			fprintf(stderr, "exact: %s\n", err.text);
			return 1;
		}
	}
	for (unsigned i = 0; i < 4; i++)
		called_await(fe[i / 2], i % 2);
	d[0].from = d[1].to = fe[0];
	d[0].to = d[1].from = fe[1];
	start_ns = last_ns = loop_now_ns();
	while (stopped || d[0].n_received < n / 2 || d[1].n_received < n / 2) {
		uint64_t max = rate ? (loop_now_ns() - start_ns) * rate / S_NS : n / 2;
		bool moved;

		max = max < n / 2 ? max : n / 2;
		if (stopped)
			max = 0;
		moved = turn(&d[0], max);
		moved |= turn(&d[1], max);
		if (stopped && d[0].n_received == d[0].n_sent && d[1].n_received == d[1].n_sent)
			break;
		if (rate && !moved)
			usleep(200);
		if (moved || (d[0].n_received == d[0].n_sent && d[1].n_received == d[1].n_sent))
			last_ns = loop_now_ns();
		else if (loop_now_ns() - last_ns > STALL_NS)
			die(&d[d[0].n_received == d[0].n_sent], "no frame came for 20 s");
	}
	printf("%llu frames of %d to %d bytes, both ways: each once, in order, intact, in %.1f s\n",
	       (unsigned long long)(d[0].n_received + d[1].n_received), LEN_MIN, LEN_MAX,
	       (double)(loop_now_ns() - start_ns) / 1e9);
	fe_close(fe[0]);
	fe_close(fe[1]);
	return 0;
}
