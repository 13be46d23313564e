/* SPDX-License-Identifier: BSD-3-Clause */
/* Which worker a ring belongs to: the decisions, and rings that change hands while frames flow. */
#include "tests/unit/rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "switch/balance.h"
#include "switch/internal.h"
#include "tests/fake_port.h"

/* ---- decisions ---- */

#define RINGS_MAX 4

static const struct {
	const char *name;
	uint32_t workers[3]; /* loads */
	unsigned n_workers;
	struct balance_ring rings[RINGS_MAX];
	unsigned n_rings;
	int ring, to; /* -1: none moves */
} cases[] = {
	{"nobody is busy", {500, 0}, 2, {{0, 300}, {0, 200}}, 2, -1, 0},
	{"half of a busy worker's load goes to the idle one", {1000, 0}, 2, {{0, 500}, {0, 500}}, 2, 0, 1},
	{"the ring that evens out most goes", {1000, 100}, 2, {{0, 100}, {0, 450}, {0, 300}, {1, 100}}, 4, 1, 1},
	{"a worker's only ring stays", {1000, 0}, 2, {{0, 1000}}, 1, -1, 0},
	{"quiet rings beside the busy one do not help", {1000, 0}, 2, {{0, 980}, {0, 10}, {0, 10}}, 3, -1, 0},
	{"a gain too small is none", {900, 550}, 2, {{0, 380}, {0, 520}, {1, 550}}, 3, -1, 0},
	{"both busy: nowhere to go", {1000, 900}, 2, {{0, 500}, {0, 500}, {1, 900}}, 3, -1, 0},
	{"a ring that has just moved rests", {1000, 0}, 2, {{0, 500, true}, {0, 400}}, 2, 1, 1},
	{"the least busy worker gets it", {1000, 400, 100}, 3, {{0, 600}, {0, 400}}, 2, 1, 2},
	{"a busy worker with one ring hides no other", {1000, 950, 0}, 3, {{0, 1000}, {1, 500}, {1, 450}}, 3, 1, 2},
};

static void busy_ring_goes_where_it_helps(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct balance_worker w[3] = {0};
		struct balance_move move = {0};
		bool found;

		for (unsigned k = 0; k < cases[i].n_workers; k++)
			w[k].load = cases[i].workers[k];
		found = balance_pick(w, cases[i].n_workers, cases[i].rings, cases[i].n_rings, &move);
		if (found != (cases[i].ring >= 0) ||
		    (found && ((int)move.ring != cases[i].ring || (int)move.to != cases[i].to)))
			fail_msg("%s: ring %d to worker %u", cases[i].name,
				 found ? (int)move.ring : -1, move.to);
	}
}

/* Loads that stay as they are: moves come to an end, whatever they are, and none is taken back. */
static void moves_come_to_rest(void **state)
{
	uint64_t rng = 88172645463325252ull;

	for (unsigned round = 0; round < 20000; round++) {
		struct balance_ring r[16] = {0};
		struct balance_move move;
		unsigned n_moves = 0;

		for (unsigned i = 0; i < 16; i++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			r[i].worker = (unsigned)rng % 4;
			r[i].load = (uint32_t)(rng >> 32) % 400;
		}
		for (;; n_moves++) {
			struct balance_worker w[4] = {0};

			for (unsigned i = 0; i < 16; i++)
				w[r[i].worker].load += r[i].load;
			if (!balance_pick(w, 4, r, 16, &move))
				break;
			assert_int_not_equal(r[move.ring].worker, move.to);
			r[move.ring].worker = move.to;
			assert_true(n_moves < 64);
		}
	}
}

static void new_ring_goes_to_the_least_loaded_worker(void **state)
{
	const struct balance_worker by_number[] = {{0, 3}, {0, 2}, {0, 2}};
	const struct balance_worker by_load[] = {{900, 1}, {100, 5}, {240, 4}};

	assert_int_equal(balance_place(by_number, 3), 1);
	assert_int_equal(balance_place(by_load, 3), 2);
}

/* ---- rings that change hands ---- */

#define N_MOVES	   5000
#define IN_FLIGHT  100

struct mover {
	struct rig *rig;
	pthread_t thread;
	atomic_bool done;
};

static void move_over(struct rig *rig, void *arg)
{
	struct port *p = port_find(rig_switch(rig), "v0");

	assert_int_equal(port_rx_move(p, 0, !p->rx_worker[0]), 0);
}

static void *move_all(void *arg)
{
	struct mover *m = arg;

	for (unsigned i = 0; i < N_MOVES; i++) {
		rig_call(m->rig, move_over, NULL);
		if (i % 64 == 0)
			usleep(3000); /* long enough to sleep and to be woken by a kick */
	}
	atomic_store(&m->done, true);
	return NULL;
}

static void frame_number(uint8_t *f, uint64_t n)
{
	static const uint8_t head[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};

	memset(f, 0, 60);
	memcpy(f, head, sizeof(head));
	memcpy(f + 14, &n, sizeof(n));
}

/* Now and then all is taken, and the sender pauses: rings must be found in every state. */
static void ring_that_moves_loses_and_reorders_nothing(void **state)
{
	struct mover m = {.rig = *state};
	struct fe *from = rig_port(*state, 0, (struct fe_opts){0});
	struct fe *to = rig_port(*state, 1, (struct fe_opts){0});
	uint64_t n_sent = 0, n_received = 0, end_ns = loop_now_ns() + 100 * S_NS;
	uint8_t f[2048];

	pthread_create(&m.thread, NULL, move_all, &m);
	while (!atomic_load(&m.done) || n_received < n_sent) {
		while (!atomic_load(&m.done) && n_sent - n_received < IN_FLIGHT) {
			frame_number(f, n_sent);
			if (!fe_send(from, 0, f, 60))
				break;
			n_sent++;
		}
		while (fe_recv(to, 0, f, sizeof(f)) >= 0) {
			assert_memory_equal(f + 14, &n_received, sizeof(n_received));
			n_received++;
		}
		if (n_sent / 1000 % 7 == 0)
			usleep(n_sent % 100);
		assert_true(loop_now_ns() < end_ns);
	}
	pthread_join(m.thread, NULL);
	assert_int_equal(rig_counters(*state, 0).rx_frames, n_sent);
	assert_true(n_sent > N_MOVES);
	fe_close(from);
	fe_close(to);
}

/* A burst that takes so long that a worker which has some is busy, whatever else the machine does meanwhile. */
static void take_long(void *arg, unsigned n_left)
{
	uint64_t end_ns = loop_now_ns() + 5 * MS_NS;

	while (loop_now_ns() < end_ns)
		;
}

static void fake_add(struct rig *rig, void *arg)
{
	struct fake_port **fp = arg;

	for (unsigned i = 0; i < 2; i++) {
		struct port_opts opts = {.name = i ? "v1" : "v0", .bridge = rig_bridge(rig)};
		struct err err = ERR_NONE;

		vlan_policy_default(&opts.vlan);
		if (fake_port_add(rig_switch(rig), &opts, 1, &fp[i], &err) < 0)
			fail_msg("%s", err.text);
		fake_on_taken(fp[i], take_long, NULL);
	}
}

struct places {
	bool together;
	unsigned worker[2];
};

static void places(struct rig *rig, void *arg)
{
	struct places *at = arg;

	for (unsigned i = 0; i < 2; i++) {
		struct port *p = port_find(rig_switch(rig), i ? "v1" : "v0");

		if (at->together)
			port_rx_move(p, 0, 0);
		at->worker[i] = p->rx_worker[0];
	}
}

static void two_busy_rings_of_one_worker_are_parted(void **state)
{
	struct places at = {.together = true};
	uint64_t end_ns = loop_now_ns() + 60 * S_NS;
	struct fake_port *fp[2];
	uint8_t f[60];

	rig_call(*state, fake_add, fp);
	rig_call(*state, places, &at);
	assert_int_equal(at.worker[0], at.worker[1]);
	for (at.together = false; at.worker[0] == at.worker[1];) {
		frame_number(f, 0);
		for (unsigned i = 0; i < 2; i++)
			fake_inject(fp[i], f, sizeof(f));
		usleep(4000); /* more than the two can take */
		rig_call(*state, places, &at);
		assert_true(loop_now_ns() < end_ns);
	}
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, rig_setup_2_workers, rig_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busy_ring_goes_where_it_helps),
		cmocka_unit_test(moves_come_to_rest),
		cmocka_unit_test(new_ring_goes_to_the_least_loaded_worker),
		TEST(ring_that_moves_loses_and_reorders_nothing),
		TEST(two_busy_rings_of_one_worker_are_parted),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
