/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notifications with EVENT_IDX, both ways: a guest that sleeps until it is called misses nothing and
 * is called once a burst at most, and a worker that sleeps is kicked when it asked for that.
 *
 * How      The guest is what Linux does: asks to be called for the next entry, looks once more,
 *          sleeps. It never looks without a call, so that a missed one is a test that stops.
 */
#include "tests/unit/rig.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/dice.h"
#include "tests/unit/matrix_frames.h"
#include "tests/unit/matrix_rings.h"

#define BURSTS	3000
#define FRAMES	32 /* of a burst: what the switch takes in one */
#define WAKE_MS 2000
#define BIG	(70 * 1024)

struct sleeper {
	struct fe *from, *to;
	unsigned n_calls[2], n_kicks; /* of the ring that receives, of the ring that sends */
};

static void sleeper_open(struct rig *rig, struct sleeper *s, uint64_t features)
{
	*s = (struct sleeper){0};
	s->from = rig_port(rig, 0, (struct fe_opts){
		.features = features | VU_OFFLOADS, .buf_size = BIG + MATRIX_TABLE, .ring_size = 128});
	s->to = rig_port(rig, 1, (struct fe_opts){.features = features, .ring_size = 1024});
}

static void sleeper_close(struct sleeper *s)
{
	fe_close(s->from);
	fe_close(s->to);
}

static uint16_t used_idx(const struct fe_ring *r)
{
	return __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
}

/* Asks for a call with the entry that comes next; false when it is there already. */
static bool ask(struct fe_ring *r)
{
	__atomic_store_n(&r->avail->ring[r->size], r->last_used, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return used_idx(r) == r->last_used;
}

/* Reads how often the ring was called since it was last asked. */
static unsigned calls(struct fe_ring *r)
{
	uint64_t n = 0;

	return read(r->call_fd, &n, sizeof(n)) == sizeof(n) ? (unsigned)n : 0;
}

/* Sleeps until a call comes; a call that does not come ends the test. */
static unsigned sleep_for_call(struct fe_ring *r, const char *what)
{
	struct pollfd p = {.fd = r->call_fd, .events = POLLIN};

	if (poll(&p, 1, WAKE_MS) != 1)
		fail_msg("%s sleeps at %u, and there are entries up to %u", what, r->last_used,
			 used_idx(r));
	return calls(r);
}

/* Shows n frames at once, and kicks if the switch asked for one. */
static void burst_send(struct sleeper *s, enum matrix_kind kind, unsigned n)
{
	static const uint8_t macs[12] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1};
	static const struct matrix_tags none;
	static struct matrix_frame m;
	struct fe_ring *r = &s->from->rings[1];
	uint16_t old = r->avail->idx, event;

	for (unsigned i = 0; i < n; i++) {
		matrix_make(&m, kind, macs, &none, false);
		assert_true(matrix_send(s->from, MATRIX_DESC_ONE, &m.hdr, m.bytes, m.len));
	}
	__atomic_store_n(&r->avail->idx, r->next_avail, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = __atomic_load_n((uint16_t *)&r->used->ring[r->size], __ATOMIC_RELAXED);
	if ((uint16_t)(r->next_avail - event - 1) < (uint16_t)(r->next_avail - old)) {
		fe_kick(s->from, 1);
		s->n_kicks++;
	}
}

/* The sender sleeps until all has been taken from it. */
static void sender_sleeps(struct sleeper *s)
{
	struct fe_ring *r = &s->from->rings[1];

	while (fe_reclaim(s->from, 0), r->n_free < r->size)
		if (ask(r))
			s->n_calls[1] += sleep_for_call(r, "the sender");
}

/* The receiver sleeps until n frames have come to it. */
static void receiver_sleeps(struct sleeper *s, unsigned n)
{
	static uint8_t got[MATRIX_ROOM];

	while (n) {
		while (n && fe_recv(s->to, 0, got, sizeof(got)) >= 0)
			n--;
		if (n && ask(&s->to->rings[0]))
			s->n_calls[0] += sleep_for_call(&s->to->rings[0], "the receiver");
	}
}

static void who_sleeps_is_called_once_a_burst(void **state)
{
	struct sleeper s;

	sleeper_open(*state, &s, fe_features_default(1));
	for (unsigned i = 0; i < BURSTS; i++) {
		unsigned n = dice_in(1, FRAMES);

		burst_send(&s, MATRIX_PLAIN, n);
		if (i & 1)
			sender_sleeps(&s);
		receiver_sleeps(&s, n);
		sender_sleeps(&s);
		/* Whether the worker is asleep by then or still looking. */
		if (dice_once_in(4))
			usleep(dice_in(1, 500));
	}
	s.n_calls[0] += calls(&s.to->rings[0]);
	s.n_calls[1] += calls(&s.from->rings[1]);
	printf("%u bursts: %u kicks, %u calls of the receiver, %u of the sender\n", BURSTS, s.n_kicks,
	       s.n_calls[0], s.n_calls[1]);
	assert_in_range(s.n_calls[0], 1, BURSTS);
	assert_in_range(s.n_calls[1], 1, BURSTS);
	/* A worker that is awake asks for nothing. */
	assert_in_range(s.n_kicks, 1, BURSTS - 1);
	sleeper_close(&s);
}

/* Without EVENT_IDX, to a guest that never says that it is awake; however many packets frames are cut
 * into. */
static void burst_is_one_call_without_event_idx(void **state)
{
	static uint8_t got[MATRIX_ROOM];
	struct sleeper s;

	sleeper_open(*state, &s, fe_features_default(1) & ~VU_BIT(VIRTIO_RING_F_EVENT_IDX));
	for (unsigned i = 0; i < 400; i++) {
		calls(&s.to->rings[0]);
		burst_send(&s, i & 1 ? MATRIX_TSO4 : MATRIX_PLAIN, i & 1 ? 4 : FRAMES);
		fe_kick(s.from, 1);
		while (s.from->rings[1].n_free < s.from->rings[1].size)
			fe_reclaim(s.from, 0);
		assert_int_equal(calls(&s.to->rings[0]), 1);
		while (fe_recv(s.to, 0, got, sizeof(got)) >= 0)
			;
	}
	sleeper_close(&s);
}

/* A guest that polls has asked for an entry far away, and is left alone. */
static void who_is_awake_is_not_called(void **state)
{
	struct sleeper s;
	static uint8_t got[MATRIX_ROOM];

	sleeper_open(*state, &s, fe_features_default(1));
	burst_send(&s, MATRIX_PLAIN, 1);
	sender_sleeps(&s);
	receiver_sleeps(&s, 1);
	calls(&s.to->rings[0]); /* the first call comes in any case */
	for (unsigned i = 0; i < 200; i++) {
		s.to->rings[0].avail->ring[1024] = (uint16_t)(s.to->rings[0].last_used + 0x8000);
		burst_send(&s, MATRIX_PLAIN, FRAMES);
		sender_sleeps(&s);
		while (fe_recv(s.to, 0, got, sizeof(got)) >= 0)
			;
	}
	assert_int_equal(calls(&s.to->rings[0]), 0);
	sleeper_close(&s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_sleeps_is_called_once_a_burst),
		T(burst_is_one_call_without_event_idx),
		T(who_is_awake_is_not_called),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
