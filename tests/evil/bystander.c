/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/evil/bystander.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/front_end.h"

#define RING	  1024
#define IN_FLIGHT (RING / 2)
#define WAIT_NS	  (10 * S_NS)
#define LEN_MAX	  1514

struct way {
	struct fe *from, *to;
	uint8_t src, dst;
	uint64_t sent, next;
};

/* Lengths and bytes follow from the number, so that a frame which is cut or mixed with another shows. */
static uint32_t frame_fill(const struct way *w, uint64_t seq, uint8_t *f)
{
	uint32_t len = 60 + (uint32_t)(seq * 37 % (LEN_MAX - 60));

	memset(f, (int)(seq * 31 & 0xff), len);
	memcpy(f, "\x02\0\0\0\xb5\0\x02\0\0\0\xb5\0\x88\xb5", 14);
	f[5] = w->dst;
	f[11] = w->src;
	memcpy(f + 14, &seq, sizeof(seq));
	return len;
}

static void frame_judge(struct bystander *b, struct way *w, const uint8_t *got, int n)
{
	uint8_t want[LEN_MAX];
	uint64_t seq;

	if (n < 22 || memcmp(got, "\x02\0\0\0\xb5", 5) || memcmp(got + 12, "\x88\xb5", 2)) {
		atomic_fetch_add(&b->foreign, 1);
		return;
	}
	memcpy(&seq, got + 14, sizeof(seq));
	if ((uint32_t)n != frame_fill(w, seq, want) || memcmp(got, want, (size_t)n))
		atomic_fetch_add(&b->spoilt, 1);
	else if (seq < w->next)
		atomic_fetch_add(&b->misordered, 1);
	else {
		atomic_fetch_add(&b->lost, seq - w->next);
		w->next = seq + 1;
	}
}

static bool turn(struct bystander *b, struct way *w, uint64_t due)
{
	uint8_t f[4096];
	bool moved = false;
	int n;

	while (w->sent < due && w->sent - w->next < IN_FLIGHT &&
	       fe_send(w->from, 0, f, frame_fill(w, w->sent, f))) {
		w->sent++;
		atomic_fetch_add(&b->sent, 1);
		moved = true;
	}
	while ((n = fe_recv(w->to, 0, f, sizeof(f))) >= 0) {
		frame_judge(b, w, f, n);
		atomic_fetch_add(&b->received, 1);
		moved = true;
	}
	return moved;
}

static void run(struct bystander *b, struct fe *fe[2])
{
	struct way ways[2] = {{fe[0], fe[1], 1, 2}, {fe[1], fe[0], 2, 1}};
	uint64_t start_ns = loop_now_ns(), last_ns = start_ns, end_ns = 0;

	for (;;) {
		uint64_t now_ns = loop_now_ns(),
			 due = (now_ns - start_ns) * (BYSTANDER_RATE / 2) / S_NS;
		bool stop = atomic_load(&b->stop), moved, waits;

		if (stop)
			due = 0;
		moved = turn(b, &ways[0], due);
		moved |= turn(b, &ways[1], due);
		waits = ways[0].sent > ways[0].next || ways[1].sent > ways[1].next;
		if (moved || !waits) {
			if (now_ns - last_ns > atomic_load(&b->gap_ns) && waits)
				atomic_store(&b->gap_ns, now_ns - last_ns);
			last_ns = now_ns;
		}
		if (stop && !end_ns)
			end_ns = now_ns + WAIT_NS;
		if (stop && (!waits || now_ns > end_ns))
			break;
		if (!moved)
			usleep(300);
	}
	for (unsigned i = 0; i < 2; i++)
		atomic_fetch_add(&b->lost, ways[i].sent - ways[i].next);
}

static void process(struct bystander *b, const char *const paths[2])
{
	struct err err = ERR_NONE;
	struct fe *fe[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0; i < 2; i++) {
		struct fe_opts o = {.path = paths[i], .ring_size = RING};

		if (fe_open(&o, &fe[i], &err) < 0) {
			snprintf(b->error, sizeof(b->error), "%s", err.text);
			_exit(1);
		}
	}
	/* Both are forwarding once each has had its call; the first frames could be too early. */
	for (unsigned i = 0; i < 4; i++) {
		uint64_t n, end_ns = loop_now_ns() + WAIT_NS;

		while (read(fe[i / 2]->rings[i % 2].call_fd, &n, sizeof(n)) < 0 &&
		       loop_now_ns() < end_ns)
			usleep(300);
	}
	atomic_store(&b->running, 1);
	run(b, fe);
	_exit(0);
}

struct bystander *bystander_start(const char *path_a, const char *path_b)
{
	struct bystander *b =
		mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *const paths[2] = {path_a, path_b};
	uint64_t end_ns = loop_now_ns() + WAIT_NS;

	if (b == MAP_FAILED)
		return NULL;
	b->pid = fork();
	if (b->pid == 0)
		process(b, paths);
	while (!atomic_load(&b->running) && !b->error[0] && loop_now_ns() < end_ns)
		usleep(1000);
	if (atomic_load(&b->running))
		return b;
	fprintf(stderr, "evil: no bystander: %s\n", b->error);
	bystander_stop(b);
	return NULL;
}

const char *bystander_check(struct bystander *b, uint64_t n, char *text, size_t size)
{
	uint64_t until = atomic_load(&b->received) + n, end_ns = loop_now_ns() + WAIT_NS;

	while (atomic_load(&b->received) < until && loop_now_ns() < end_ns)
		usleep(1000);
	text[0] = '\0';
	if (atomic_load(&b->received) < until)
		snprintf(text, size, "the bystander received no %lu frames within 10 s",
			 (unsigned long)n);
	else if (atomic_load(&b->lost) || atomic_load(&b->misordered) || atomic_load(&b->foreign) ||
		 atomic_load(&b->spoilt))
		/* Of one case: the next one begins from nothing. */
		snprintf(text, size,
			 "of the bystander's frames %lu were lost, %lu out of order, %lu spoilt; "
			 "%lu were not its own",
			 (unsigned long)atomic_exchange(&b->lost, 0),
			 (unsigned long)atomic_exchange(&b->misordered, 0),
			 (unsigned long)atomic_exchange(&b->spoilt, 0),
			 (unsigned long)atomic_exchange(&b->foreign, 0));
	return text;
}

void bystander_stop(struct bystander *b)
{
	if (!b)
		return;
	atomic_store(&b->stop, 1);
	waitpid(b->pid, NULL, 0);
	munmap(b, sizeof(*b));
}
