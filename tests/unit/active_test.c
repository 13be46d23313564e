/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings that are quiet and rings that are polled: none is ever forgotten between the two. */
#include "tests/unit/lab.h"

#include <stdlib.h>
#include <unistd.h>

#define AWAIT_NS (5 * S_NS)

/* A frame that ends on its own port: nothing comes out, so that a test may send as many as it likes. */
static void inject(struct lab *lab, unsigned port)
{
	uint8_t f[60];

	fake_inject(lab->port[port], f, frame_make(f, (uint8_t)port, (uint8_t)port, -1, sizeof(f)));
}

/* Keeps port 0 busy until the condition holds; false when it does not come to that. */
static bool busy_until(struct lab *lab, bool (*condition)(struct lab *lab))
{
	uint64_t end_ns = loop_now_ns() + AWAIT_NS;

	for (bool holds = false; !holds; holds = condition(lab)) {
		inject(lab, 0);
		usleep(20);
		if (loop_now_ns() > end_ns)
			return false;
	}
	return true;
}

static bool others_are_quiet(struct lab *lab)
{
	return !fake_is_quiet(lab->port[0]) && fake_is_quiet(lab->port[1]) &&
	       fake_is_quiet(lab->port[2]);
}

static bool port_1_was_heard(struct lab *lab)
{
	return lab_counters(lab, 1).rx_frames == 1;
}

static void ring_without_frames_is_not_polled_while_others_are(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	assert_true(busy_until(lab, others_are_quiet));
}

static void frame_on_a_quiet_ring_is_taken_while_others_are_busy(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	assert_true(busy_until(lab, others_are_quiet));
	inject(lab, 1);
	assert_true(busy_until(lab, port_1_was_heard));
}

static void sleeping_worker_wakes_for_one_ring_alone(void **state)
{
	struct lab *lab = *state;
	uint64_t end_ns = loop_now_ns() + AWAIT_NS;

	lab_ports(lab, 3);
	while (!fake_is_quiet(lab->port[0]) || !fake_is_quiet(lab->port[1]) ||
	       !fake_is_quiet(lab->port[2])) {
		assert_true(loop_now_ns() < end_ns);
		usleep(100);
	}
	usleep(1000);
	/* A ring that were touched in a round would be asked not to kick first. */
	for (unsigned i = 0; i < 100; i++) {
		lab_send(lab, 1, 1, 1, -1);
		assert_true(fake_is_quiet(lab->port[0]));
		assert_true(fake_is_quiet(lab->port[2]));
	}
}

static void poll_mode_asks_for_no_kick(void **state)
{
	struct lab *lab = *state;

	lab_ports(lab, 3);
	for (unsigned i = 0; i < 300; i++) {
		inject(lab, 0);
		usleep(20);
		assert_false(fake_is_quiet(lab->port[1]));
	}
	/* Long quiet by now, and looked at all the same. */
	inject(lab, 1);
	assert_true(busy_until(lab, port_1_was_heard));
}

/* Gaps on both sides of every threshold, and views that change meanwhile; fake_settle() stops the test
 * when a frame is not taken. */
static void no_ring_is_lost_between_active_and_quiet(void **state)
{
	struct lab *lab = *state;
	uint64_t rng = 88172645463325252ull, end_ns = loop_now_ns() + 4 * S_NS;

	lab_ports(lab, LAB_PORTS);
	for (unsigned n = 0; n < 60000 && loop_now_ns() < end_ns; n++) {
		rng ^= rng << 13;
		rng ^= rng >> 7;
		rng ^= rng << 17;
		inject(lab, rng & 1 ? 0 : (unsigned)(rng >> 8) % LAB_PORTS);
		if ((rng >> 16) % 16 == 0)
			fake_settle(lab->sw);
		if ((rng >> 24) % 512 == 0)
			port_mtu_set(fake_port(lab->port[3]), 1500 + (uint32_t)(rng >> 33) % 100, NULL);
		if ((rng >> 40) % 4 == 0)
			usleep((unsigned)(rng >> 48) % (rng >> 44 & 15 ? 60 : 2000));
	}
	fake_settle(lab->sw);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		TEST(ring_without_frames_is_not_polled_while_others_are),
		TEST(frame_on_a_quiet_ring_is_taken_while_others_are_busy),
		TEST(sleeping_worker_wakes_for_one_ring_alone),
		cmocka_unit_test_setup_teardown(poll_mode_asks_for_no_kick, lab_setup_poll, lab_teardown),
		TEST(no_ring_is_lost_between_active_and_quiet),
		cmocka_unit_test_setup_teardown(no_ring_is_lost_between_active_and_quiet, lab_setup_poll,
						lab_teardown),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
