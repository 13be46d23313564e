/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event loop: order of timers, and what may be deleted from where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/loop.h"

#define N 1000

struct tick {
	struct loop_timer *timer;
	unsigned delay_us;
};

static struct tick ticks[N];
static unsigned n_seen, last_us;

static void seen(void *arg)
{
	const struct tick *t = arg;

	assert_null(t->timer);
	/* Timers are added within a few microseconds of each other. */
	assert_true(t->delay_us + 5000 >= last_us);
	last_us = t->delay_us;
	n_seen++;
}

static void timers_run_in_order_of_their_time(void **state)
{
	struct loop *l;
	unsigned n_left = 0;

	assert_int_equal(loop_create(&l), 0);
	srand(1);
	for (unsigned i = 0; i < N; i++) {
		ticks[i].delay_us = (unsigned)(rand() % 20) * 5000;
		assert_int_equal(loop_timer_add(l, ticks[i].delay_us * 1000ull, seen, &ticks[i],
						&ticks[i].timer), 0);
	}
	for (unsigned i = 0; i < N; i++)
		if (rand() % 3 == 0)
			loop_timer_del(ticks[i].timer);
		else
			n_left++;
	for (uint64_t end = loop_now_ns() + 2 * S_NS; n_seen < n_left && loop_now_ns() < end;)
		loop_once(l, 100);
	assert_int_equal(n_seen, n_left);
	loop_destroy(l);
}

static void deleted(void *arg)
{
	fail_msg("a timer that was deleted ran");
}

static void delete_other(void *arg)
{
	loop_timer_del(*(struct loop_timer **)arg);
	n_seen++;
}

static void timer_may_delete_one_that_is_due(void **state)
{
	struct loop_timer *first, *second;
	struct loop *l;

	n_seen = 0;
	assert_int_equal(loop_create(&l), 0);
	assert_int_equal(loop_timer_add(l, 0, delete_other, &second, &first), 0);
	assert_int_equal(loop_timer_add(l, 1000, deleted, NULL, &second), 0);
	while (loop_now_ns() % 10000 < 5000)
		;
	for (unsigned i = 0; i < 5; i++)
		loop_once(l, 1);
	assert_int_equal(n_seen, 1);
	assert_null(second);
	loop_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_run_in_order_of_their_time),
		cmocka_unit_test(timer_may_delete_one_that_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
