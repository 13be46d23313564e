/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbered frames between pairs of ports, for hours and through everything: what was lost, doubled, mixed up or
 * brought to others.
 *
 * usage: numbered RATE SOCKET SOCKET [SOCKET SOCKET …]
 *
 * What     RATE frames/s in each direction of each pair, every 16th to all. Each carries its pair, its sender and its
 *          number; length and bytes follow from these. A line on stdin is answered with one JSON object a
 *          line: `report`; `drain`, which stops sending and reports when nothing came for a second; `go`,
 *          which sends again; `fresh`, which forgets the longest gaps. The end of stdin ends it.
 * How      A process a pair, which connects again whenever its socket was closed; that is counted. A frame
 *          that came twice is a double, one that comes after a later one and was not there before is misordered;
 *          one of another pair is crossed. Frames that were on a ring when it was given up are lost, those before
 *          the first that came are not.
 * Threads  one a process; the processes share counters, each of which one of them writes.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/front_end.h"
#include "tests/sequence.h"

#define PAIRS_MAX  32
#define RING	   1024
#define IN_FLIGHT  (RING / 2)
#define LEN_MAX	   1514
#define TO_ALL	   16
#define QUIET_NS   S_NS
#define RETRY_US   20000
#define HEAD_BYTES 32

enum { SENT, CAME, LOST, DOUBLES, MISORDERED, CROSSED, SPOILT, RECONNECTS, GAP_NS, N_COUNTERS };
static const char *const names[] = {"sent",    "received", "lost",	 "doubles", "misordered",
				    "crossed", "spoilt",   "reconnects", "gap_ns"};

struct shared {
	_Atomic int stop; /* sending */
	_Atomic int fresh;
	struct {
		_Atomic uint64_t n[N_COUNTERS];
		_Atomic int ready, quiet;
		int fresh_seen;
	} pairs[PAIRS_MAX];
};

static struct shared *shared;

/* One direction of a pair. */
struct way {
	unsigned pair, side; /* who sends */
	uint64_t sent;
	uint64_t last_ns;    /* when a frame came, or nothing was under way */
	struct sequence came;
};

struct end {
	const char *path;
	struct fe *fe; /* NULL: not connected */
	uint64_t retry_ns;
};

static void count(unsigned pair, unsigned what, uint64_t n)
{
	atomic_fetch_add_explicit(&shared->pairs[pair].n[what], n, memory_order_relaxed);
}

static uint32_t frame_fill(unsigned pair, unsigned side, uint64_t seq, uint8_t *f)
{
	uint32_t len = 60 + (uint32_t)(seq * 37 % (LEN_MAX - 60));

	memset(f, (int)((seq * 31 + pair * 7 + side) & 0xff), len);
	memcpy(f, "\x02\0\0\0\xc0\0\x02\0\0\0\xc0\0\x88\xb5", 14);
	f[5] = (uint8_t)(2 * pair + !side);
	f[11] = (uint8_t)(2 * pair + side);
	if (seq % TO_ALL == 0)
		memset(f, 0xff, 6);
	f[14] = (uint8_t)pair;
	f[15] = (uint8_t)side;
	memcpy(f + 16, &seq, sizeof(seq));
	return len;
}

/* side: who got it. */
static void frame_judge(struct way *w, unsigned pair, unsigned side, const uint8_t *got, int n, uint64_t now_ns)
{
	enum sequence_verdict verdict;
	uint8_t want[LEN_MAX];
	uint64_t seq;

	if (n < HEAD_BYTES || memcmp(got + 12, "\x88\xb5", 2))
		return; /* not ours: a guest's */
	if (got[14] != pair || got[15] != !side) {
		count(pair, CROSSED, 1);
		return;
	}
	memcpy(&seq, got + 16, sizeof(seq));
	if (seq >= w->sent || (uint32_t)n != frame_fill(pair, !side, seq, want) || memcmp(got, want, (size_t)n)) {
		count(pair, SPOILT, 1);
		return;
	}
	w->last_ns = now_ns;
	if (w->came.n_came == 0)
		sequence_begin(&w->came, seq); /* the switch may have had the sender's rings before the receiver's */
	verdict = sequence_take(&w->came, seq);
	count(pair, verdict == SEQUENCE_DOUBLE ? DOUBLES : CAME, 1);
	if (verdict == SEQUENCE_LATE)
		count(pair, MISORDERED, 1);
}

static bool turn(struct way *w, struct end *from, struct end *to, uint64_t due, uint64_t now_ns)
{
	uint8_t f[4096];
	bool moved = false;
	int n;

	if (from->fe)
		fe_reclaim(from->fe, 0);
	/* What waits on the ring finds room at the receiver's, however long the switch was away. */
	while (from->fe && w->sent < due && from->fe->rings[1].n_free > RING - IN_FLIGHT &&
	       fe_send(from->fe, 0, f, frame_fill(w->pair, w->side, w->sent, f))) {
		if (w->sent == w->came.next)
			w->last_ns = now_ns;
		w->sent++;
		count(w->pair, SENT, 1);
		moved = true;
	}
	while (to->fe && (n = fe_recv(to->fe, 0, f, sizeof(f))) >= 0) {
		uint64_t gap_ns = w->sent > w->came.next ? now_ns - w->last_ns : 0;

		frame_judge(w, w->pair, !w->side, f, n, now_ns);
		if (gap_ns > atomic_load(&shared->pairs[w->pair].n[GAP_NS]))
			atomic_store(&shared->pairs[w->pair].n[GAP_NS], gap_ns);
		moved = true;
	}
	return moved;
}

static void end_look(struct end *e, unsigned pair, uint64_t now_ns)
{
	struct fe_opts o = {.path = e->path, .ring_size = RING};
	struct pollfd hup = {.fd = e->fe ? e->fe->fd : -1, .events = POLLRDHUP};

	if (e->fe && poll(&hup, 1, 0) == 1 && hup.revents & (POLLRDHUP | POLLHUP | POLLERR)) {
		fe_close(e->fe);
		e->fe = NULL;
		count(pair, RECONNECTS, 1);
	}
	if (!e->fe && now_ns >= e->retry_ns) {
		if (fe_open(&o, &e->fe, NULL) < 0)
			e->fe = NULL;
		e->retry_ns = loop_now_ns() + RETRY_US * 1000ull;
	}
}

static void pair_run(unsigned pair, uint64_t rate, struct end ends[2])
{
	struct way ways[2] = {{.pair = pair, .side = 0}, {.pair = pair, .side = 1}};
	uint64_t at_ns = loop_now_ns(), looked_ns = 0, moved_ns = at_ns;
	double due = 0;

	for (;;) {
		uint64_t now_ns = loop_now_ns();
		bool stop = atomic_load(&shared->stop), moved;

		if (now_ns - looked_ns > MS_NS) {
			for (unsigned i = 0; i < 2; i++)
				end_look(&ends[i], pair, now_ns);
			looked_ns = now_ns;
			atomic_store(&shared->pairs[pair].ready, ends[0].fe && ends[1].fe);
			if (shared->pairs[pair].fresh_seen != atomic_load(&shared->fresh)) {
				shared->pairs[pair].fresh_seen = atomic_load(&shared->fresh);
				atomic_store(&shared->pairs[pair].n[GAP_NS], 0);
			}
		}
		if (!stop && ends[0].fe && ends[1].fe)
			due += (double)(now_ns - at_ns) * (double)rate / (double)S_NS;
		at_ns = now_ns;
		/* What could not be sent in time is not made up for. */
		for (unsigned i = 0; i < 2; i++)
			if (due > (double)(ways[i].sent + IN_FLIGHT))
				due = (double)(ways[i].sent + IN_FLIGHT);
		moved = turn(&ways[0], &ends[0], &ends[1], stop ? 0 : (uint64_t)due, now_ns);
		moved |= turn(&ways[1], &ends[1], &ends[0], stop ? 0 : (uint64_t)due, now_ns);
		if (moved)
			moved_ns = now_ns;
		atomic_store(&shared->pairs[pair].n[LOST],
			     sequence_lost(&ways[0].came) + sequence_lost(&ways[1].came));
		atomic_store(&shared->pairs[pair].quiet, stop && now_ns - moved_ns > QUIET_NS);
		if (!moved)
			usleep(100);
	}
}

static void report(unsigned n_pairs)
{
	bool ready = true;

	printf("{");
	for (unsigned k = 0; k < N_COUNTERS; k++) {
		uint64_t sum = 0;

		for (unsigned i = 0; i < n_pairs; i++) {
			uint64_t n = atomic_load(&shared->pairs[i].n[k]);

			sum = k == GAP_NS ? (n > sum ? n : sum) : sum + n;
		}
		printf("\"%s\": %lu, ", names[k], (unsigned long)sum);
	}
	for (unsigned i = 0; i < n_pairs; i++)
		ready &= atomic_load(&shared->pairs[i].ready);
	printf("\"ready\": %s}\n", ready ? "true" : "false");
	fflush(stdout);
}

static void drain(unsigned n_pairs)
{
	atomic_store(&shared->stop, 1);
	for (unsigned i = 0; i < n_pairs; i++)
		while (!atomic_load(&shared->pairs[i].quiet))
			usleep(10000);
}

int main(int argc, char **argv)
{
	unsigned n_pairs = (unsigned)(argc - 2) / 2;
	pid_t pids[PAIRS_MAX];
	char line[64];

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc < 4 || argc % 2 || n_pairs > PAIRS_MAX || shared == MAP_FAILED) {
		fprintf(stderr, "usage: numbered RATE SOCKET SOCKET [SOCKET SOCKET …]\n");
		return 2;
	}
	for (unsigned i = 0; i < n_pairs; i++) {
		struct end ends[2] = {{.path = argv[2 + 2 * i]}, {.path = argv[3 + 2 * i]}};

		pids[i] = fork();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pair_run(i, strtoull(argv[1], NULL, 10), ends);
		}
	}
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, "drain"))
			drain(n_pairs);
		else if (!strcmp(line, "go"))
			atomic_store(&shared->stop, 0);
		else if (!strcmp(line, "fresh"))
			atomic_fetch_add(&shared->fresh, 1);
		usleep(2000);
		report(n_pairs);
	}
	for (unsigned i = 0; i < n_pairs; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	return 0;
}
