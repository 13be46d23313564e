/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper's watchdog, with a page and a clock of the test's own: who has hung, and who only waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "control/keeper/watchdog.h"

struct dog {
	struct watchdog w;
	struct pulse *pulse;
	uint64_t now_ns;
	char text[64];
};

static struct dog *dog_new(void)
{
	struct dog *d = calloc(1, sizeof(*d));

	d->pulse = aligned_alloc(64, sizeof(*d->pulse));
	memset(d->pulse, 0, sizeof(*d->pulse));
	d->now_ns = 100 * S_NS;
	watchdog_begin(&d->w);
	return d;
}

static void dog_free(struct dog *d)
{
	free(d->pulse);
	free(d);
}

static bool look(struct dog *d, uint64_t after_ns, bool stopped)
{
	d->now_ns += after_ns;
	return watchdog_look(&d->w, d->pulse, stopped, d->now_ns, d->text, sizeof(d->text));
}

/* How many ticks until it barks, at most n. */
static unsigned ticks(struct dog *d, unsigned n, bool stopped, bool moves)
{
	for (unsigned i = 1; i <= n; i++) {
		if (moves)
			atomic_fetch_add(&d->pulse->workers[2].n_looks, 1);
		if (look(d, WATCHDOG_TICK, stopped))
			return i;
	}
	return 0;
}

static void worker_that_stands_still_is_seen_within_a_second(void **state)
{
	struct dog *d = dog_new();
	unsigned n;

	atomic_store(&d->pulse->workers[2].awake, 1);
	assert_int_equal(ticks(d, 40, false, true), 0);
	n = ticks(d, 40, false, false);
	assert_in_range(n * WATCHDOG_TICK, 1, S_NS);
	assert_non_null(strstr(d->text, "worker 2 stood still"));
	dog_free(d);
}

static void worker_that_sleeps_is_left_alone(void **state)
{
	struct dog *d = dog_new();

	assert_int_equal(ticks(d, 100, false, false), 0);
	/* It has just woken up and not come to look yet. */
	atomic_store(&d->pulse->workers[2].awake, 1);
	assert_int_equal(ticks(d, 2, false, false), 0);
	atomic_store(&d->pulse->workers[2].awake, 0);
	assert_int_equal(ticks(d, 100, false, false), 0);
	dog_free(d);
}

static void stopped_process_is_seen_within_a_second(void **state)
{
	struct dog *d = dog_new();
	unsigned n;

	assert_int_equal(ticks(d, 2, true, false), 0);
	assert_int_equal(ticks(d, 1, false, false), 0);
	n = ticks(d, 40, true, false);
	assert_in_range(n * WATCHDOG_TICK, 2 * WATCHDOG_TICK, S_NS);
	assert_non_null(strstr(d->text, "stopped for"));
	dog_free(d);
}

static void host_that_was_paused_is_no_hang(void **state)
{
	struct dog *d = dog_new();

	atomic_store(&d->pulse->workers[2].awake, 1);
	atomic_store(&d->pulse->control_since_ns, d->now_ns - 1);
	assert_int_equal(ticks(d, 2, false, true), 0);
	for (unsigned i = 0; i < 50; i++)
		assert_false(look(d, 20 * S_NS, true));
	dog_free(d);
}

static void control_may_wait_for_a_disk_but_not_for_ever(void **state)
{
	struct dog *d = dog_new();
	unsigned n;

	assert_int_equal(ticks(d, 1, false, false), 0);
	atomic_store(&d->pulse->control_since_ns, d->now_ns);
	n = ticks(d, 100, false, false);
	assert_in_range(n * WATCHDOG_TICK, WATCHDOG_CONTROL, WATCHDOG_CONTROL + WATCHDOG_TICK);
	dog_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worker_that_stands_still_is_seen_within_a_second),
		cmocka_unit_test(worker_that_sleeps_is_left_alone),
		cmocka_unit_test(stopped_process_is_seen_within_a_second),
		cmocka_unit_test(host_that_was_paused_is_no_hang),
		cmocka_unit_test(control_may_wait_for_a_disk_but_not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
