/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Meters and shares by a clock that the test moves: switch/meter.h, switch/limit.h, switch/share.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/limit.h"
#include "switch/share.h"

#define US 2600ull /* cycles */
#define S  (1000000 * US)

/* ---- meters ---- */

static unsigned take(struct meter *m, uint64_t now, unsigned n)
{
	return meter_take(m, now, S / 1000, S / 10, n); /* 1,000 a second, 100 at once */
}

static void a_meter_gives_its_depth_at_once_and_then_its_rate(void **state)
{
	struct meter m = {0};
	uint64_t now = 77 * S;
	unsigned n = 0;

	assert_int_equal(take(&m, now, 32), 32);
	assert_int_equal(take(&m, now, 100), 68);
	assert_int_equal(take(&m, now, 1), 0);
	assert_int_equal(take(&m, now + S / 1000 - 1, 1), 0);
	assert_int_equal(take(&m, now + S / 1000, 5), 1);
	for (unsigned ms = 2; ms <= 10000; ms++)
		n += take(&m, now + ms * (S / 1000), 32);
	assert_int_equal(n, 9999);
	/* A pause earns no more than the depth. */
	assert_int_equal(take(&m, now + 100 * S, 1000), 100);
}

/* A worker that looks every `every` cycles at a sender that has always frames of this size. Returns bytes
 * in n_s seconds, after the first. */
static uint64_t limited_bytes(uint64_t rate, uint32_t len, uint64_t every, unsigned n_s)
{
	static struct burst b;
	struct port p = {0};
	struct view_port vp = {.port = &p};
	const struct view_source s = {.port = &vp,
				      .special = SOURCE_LIMITED,
				      .rate_cost =
					      (uint64_t)((unsigned __int128)S * 8 * 65536 / rate)};
	uint64_t begin = 9 * S, sum = 0, due;

	for (uint64_t now = begin; now < begin + (n_s + 1) * S; now += every) {
		b.n = limit_frames(&s, now, US, &due);
		if (!b.n) {
			assert_true(due > now);
			continue;
		}
		assert_true(b.n <= BURST_MAX);
		for (unsigned i = 0; i < b.n; i++)
			b.frames[i].len = len;
		limit_pay(&s, &b, now, US);
		if (now >= begin + S)
			sum += (uint64_t)b.n * len;
	}
	return sum;
}

static void a_rate_is_kept_within_2_per_cent(void **state)
{
	static const uint64_t rates[] = {1000000, 10000000, 100000000, 1000000000, 10000000000ull};
	static const uint32_t lens[] = {60, 1514, 65550};

	for (unsigned r = 0; r < 5; r++)
		for (unsigned l = 0; l < 3; l++)
			for (uint64_t every = 1; every <= 1000; every *= 10) {
				unsigned n_s = rates[r] < 10000000 ? 60 : 10;
				uint64_t bytes, wanted = rates[r] / 8 * n_s;

				/* 32 short frames each time are less than that rate. */
				if (rates[r] > 32ull * lens[l] * 8 * 1000000 / every)
					continue;
				bytes = limited_bytes(rates[r], lens[l], every * US, n_s);
				if (bytes < wanted - wanted / 50 || bytes > wanted + wanted / 50)
					fail_msg(
						"%lu bits/s, %u bytes, every %lu us: %lu instead of %lu",
						rates[r], lens[l], every, bytes, wanted);
			}
}

static void a_late_worker_makes_up_for_20_ms(void **state)
{
	uint64_t wanted = 100000000 / 8 * 10, bytes = limited_bytes(100000000, 1514, 3000 * US, 10);

	/* 32 frames every 3 ms are all that it can take. */
	assert_true(bytes > wanted * 98 / 100);
}

static void low_rates_give_few_frames_at_a_time(void **state)
{
	struct port p = {0};
	struct view_port vp = {.port = &p};
	const struct view_source s = {.port = &vp, .rate_cost = S * 8 * 65536 / 1000000};
	static struct burst b;
	uint64_t now = 5 * S, due;

	assert_int_equal(limit_frames(&s, now, US, &due), 1); /* how long are they? */
	b.n = 1;
	b.frames[0].len = 65550;
	limit_pay(&s, &b, now, US);
	/* Half a second's worth, of which 20 ms had been saved. */
	assert_int_equal(limit_frames(&s, now, US, &due), 0);
	assert_in_range(due - now, 500 * 1000 * US, 525 * 1000 * US);
	assert_int_equal(limit_frames(&s, due, US, &due), 1);
}

/* ---- shares ---- */

struct sender {
	uint64_t cost;	/* cycles of one frame */
	unsigned every; /* it has frames in every so many rounds */
	unsigned frames;
	uint64_t used;
	uint64_t longest; /* its longest burst, but for the beginning */
};

/* As poll_round() does. */
static uint64_t rounds(struct sender *who, unsigned n, uint64_t cycles)
{
	struct share of[8] = {{0}};
	struct shares s;
	uint64_t now = 0;

	shares_init(&s, of, US);
	for (unsigned r = 0; now < cycles; r++) {
		for (unsigned i = 0; i < n; i++) {
			unsigned frames = who[i].frames;
			uint64_t cost;

			now += 30;
			if (!share_may(&s, i) || r % who[i].every)
				continue;
			if (frames > BURST_MAX - (unsigned)s.of[i].n_unwanted)
				frames = BURST_MAX - s.of[i].n_unwanted;
			cost = frames * who[i].cost;
			now += cost;
			who[i].used += cost;
			/* How long a sender's first bursts take nobody knows before. */
			if (now > cycles / 10 && cost > who[i].longest)
				who[i].longest = cost;
			share_charge(&s, i, cost, frames, n > 1);
		}
		shares_round(&s);
	}
	return now;
}

static void assert_share(const struct sender *who, uint64_t all, unsigned per_cent)
{
	assert_true(who->used * 100 >= all * per_cent);
}

/* 60 bytes against 64 KB that are cut into segments, as measured. */
static void large_frames_leave_half_to_short_ones(void **state)
{
	struct sender who[2] = {{.cost = 50, .every = 1, .frames = 32},
				{.cost = 20 * US, .every = 1, .frames = 32}};
	uint64_t all = rounds(who, 2, S);

	assert_share(&who[0], all, 45);
	assert_share(&who[1], all, 35);
	/* Each poll of the short ones costs its own overhead here: both had the same. */
	assert_in_range(who[0].used * 100 / who[1].used, 97, 103);
}

static void floods_leave_half_to_unicast(void **state)
{
	struct sender who[2] = {{.cost = 60, .every = 1, .frames = 32},
				{.cost = 900, .every = 1, .frames = 32}};

	rounds(who, 2, S);
	assert_in_range(who[0].used * 100 / who[1].used, 97, 103);
}

static void eight_get_an_eighth_each(void **state)
{
	struct sender who[8];
	uint64_t sum = 0;

	for (unsigned i = 0; i < 8; i++)
		who[i] = (struct sender){.cost = 40ull << i, .every = 1, .frames = 32};
	rounds(who, 8, S);
	for (unsigned i = 0; i < 8; i++)
		sum += who[i].used;
	for (unsigned i = 0; i < 8; i++)
		assert_in_range(who[i].used * 800 / sum, 97, 103);
}

static void no_cycle_is_kept_for_who_does_not_want_it(void **state)
{
	struct sender alone = {.cost = 20 * US, .every = 1, .frames = 32};
	struct sender who[2] = {{.cost = 50, .every = 100, .frames = 1},
				{.cost = 20 * US, .every = 1, .frames = 32}};

	assert_share(&alone, rounds(&alone, 1, S), 99);
	assert_int_equal(alone.longest, 32 * 20 * US); /* nobody waits for it */
	assert_share(&who[1], rounds(who, 2, S), 95);
}

static void bursts_that_others_wait_for_are_short(void **state)
{
	struct sender who[2] = {{.cost = 50, .every = 7, .frames = 1},
				{.cost = 10 * US, .every = 1, .frames = 32}};

	rounds(who, 2, S);
	assert_in_range(who[1].longest, SHARE_BURST_US / 2 * US, SHARE_BURST_US * US);
}

static void who_comes_back_has_nothing_saved_up(void **state)
{
	struct share of[2] = {{0}};
	struct shares s;
	unsigned turns = 0;

	shares_init(&s, of, US);
	for (unsigned i = 0; i < 10000; i++) {
		share_charge(&s, 0, 100 * US, 32, true);
		shares_round(&s);
	}
	/* The second one was silent meanwhile, and is not repaid for that. */
	for (unsigned i = 0; i < 1000; i++) {
		if (share_may(&s, 1))
			share_charge(&s, 1, 10 * US, 32, true);
		if (share_may(&s, 0)) {
			share_charge(&s, 0, 10 * US, 32, true);
			turns++;
		}
		shares_round(&s);
	}
	assert_true(turns > 950);
}

/* One poll of each of two rings, with what it takes in microseconds; 0: no frames. */
static unsigned round_of_two(struct shares *s, unsigned first_us, unsigned second_us)
{
	const unsigned us[2] = {first_us, second_us};
	unsigned turns = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (!share_may(s, i))
			continue;
		turns |= 1u << i;
		if (us[i])
			share_charge(s, i, us[i] * US, 32, true);
	}
	shares_round(s);
	return turns;
}

static void debts_end_when_nobody_has_frames(void **state)
{
	struct share of[2] = {{0}};
	struct shares s;

	shares_init(&s, of, US);
	assert_int_equal(round_of_two(&s, 1000, 10), 3);
	assert_int_equal(round_of_two(&s, 1000, 10), 2);
	/* The second one has no more: the first one waits for nobody. */
	assert_int_equal(round_of_two(&s, 1000, 0), 2);
	assert_int_equal(round_of_two(&s, 1000, 0), 3);
	/* What it took meanwhile is nobody's loss. */
	assert_int_equal(round_of_two(&s, 0, 0), 3);
	assert_int_equal(round_of_two(&s, 10, 10), 3);
	assert_int_equal(round_of_two(&s, 10, 10), 3);
}

/* It has one frame in each round: it is never behind, and nobody waits for it. */
static void who_gives_few_frames_has_all_it_wants(void **state)
{
	struct share of[2] = {{0}};
	struct shares s;
	unsigned turns = 0;

	shares_init(&s, of, US);
	for (unsigned i = 0; i < 1000; i++) {
		if (share_may(&s, 0)) {
			share_charge(&s, 0, 100 * US, 32 - of[0].n_unwanted, true);
			turns++;
		}
		assert_true(share_may(&s, 1));
		share_charge(&s, 1, 100, 1, true);
		shares_round(&s);
	}
	assert_true(turns > 990);
}

static void a_host_that_takes_the_cpu_makes_nobody_starve(void **state)
{
	struct share of[2] = {{0}};
	struct shares s;
	unsigned waited = 0;

	shares_init(&s, of, US);
	share_charge(&s, 0, 100 * S, 1, true);
	for (; waited < 1000000; waited++) {
		share_charge(&s, 1, 10 * US, 32, true);
		if (share_may(&s, 0))
			break;
		shares_round(&s);
	}
	assert_in_range(waited * 10, SHARE_DEBT_US * 9 / 10, SHARE_DEBT_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_meter_gives_its_depth_at_once_and_then_its_rate),
		cmocka_unit_test(a_rate_is_kept_within_2_per_cent),
		cmocka_unit_test(a_late_worker_makes_up_for_20_ms),
		cmocka_unit_test(low_rates_give_few_frames_at_a_time),
		cmocka_unit_test(large_frames_leave_half_to_short_ones),
		cmocka_unit_test(floods_leave_half_to_unicast),
		cmocka_unit_test(eight_get_an_eighth_each),
		cmocka_unit_test(no_cycle_is_kept_for_who_does_not_want_it),
		cmocka_unit_test(bursts_that_others_wait_for_are_short),
		cmocka_unit_test(who_comes_back_has_nothing_saved_up),
		cmocka_unit_test(debts_end_when_nobody_has_frames),
		cmocka_unit_test(who_gives_few_frames_has_all_it_wants),
		cmocka_unit_test(a_host_that_takes_the_cpu_makes_nobody_starve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
