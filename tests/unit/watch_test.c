/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captures, mirrors and traces over a whole switch with fake ports. That the watched forwarder delivers and
 * counts what the other does is in hot_isa_test.c.
 */
#include "tests/unit/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "switch/trace.h"
#include "switch/watch.h"

#define LEN 200

static struct watch *watch(struct lab *lab, unsigned port, unsigned ways, struct port *to)
{
	struct port *ports[1] = {fake_port(lab->port[port])};
	struct watch_opts o = {
		.ways = ways, .snaplen = FRAME_MAX, .ports = ports, .n_ports = 1, .to = to};
	struct err err = ERR_NONE;
	struct watch *w;

	if (watch_add(lab->sw, &o, &w, &err) < 0)
		fail_msg("%s", err.text);
	return w;
}

static struct capture_ring *ring_map(const struct watch *w)
{
	void *at = mmap(NULL, CAPTURE_PAGE + watch_ring_size(w), PROT_READ | PROT_WRITE, MAP_SHARED,
			watch_fd(w), 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static void ring_unmap(const struct watch *w, struct capture_ring *r)
{
	munmap(r, CAPTURE_PAGE + watch_ring_size(w));
}

static void send_long(struct lab *lab, unsigned port, uint8_t dst, uint8_t src, int tci)
{
	uint8_t frame[LEN];

	fake_inject(lab->port[port], frame, frame_make(frame, dst, src, tci, LEN));
	fake_settle(lab->sw);
}

static void a_capture_has_the_bytes_of_the_port(void **state)
{
	const uint16_t vids[] = {10, 0};
	struct vlan_policy access = vlan_access(10), trunk = vlan_trunk(0, vids);
	struct lab *lab = *state;
	struct capture_record r;
	struct capture_ring *ring;
	struct watch *w;
	const uint8_t *out;
	size_t len;

	lab_port(lab, 0, lab->br, &access);
	lab_port(lab, 1, lab->br, &trunk);
	w = watch(lab, 1, WATCH_OUT, NULL);
	ring = ring_map(w);
	send_long(lab, 0, 0xff, 1, -1);
	assert_n_out(lab, 1, 1);
	out = fake_out(lab->port[1], 0, &len);
	assert_int_equal(len, LEN + VLAN_TAG);
	memcpy(&r, (uint8_t *)ring + CAPTURE_PAGE, sizeof(r));
	assert_int_equal(r.len, len);
	assert_int_equal(r.kept, len);
	assert_memory_equal((uint8_t *)ring + CAPTURE_PAGE + sizeof(r), out, len);
	ring_unmap(w, ring);
	watch_del(w);
}

/* What a port takes is shown as delivered, whichever thread is going to count it. */
static void a_capture_has_what_a_helper_counts(void **state)
{
	struct lab *lab = *state;
	struct capture_record r;
	struct capture_ring *ring;
	struct watch *w;

	lab_ports(lab, 2);
	fake_helper_counts_set(lab->port[1], true);
	w = watch(lab, 1, WATCH_OUT, NULL);
	ring = ring_map(w);
	send_long(lab, 0, 0xff, 1, -1);
	assert_n_out(lab, 1, 1);
	memcpy(&r, (uint8_t *)ring + CAPTURE_PAGE, sizeof(r));
	assert_int_equal(r.len, LEN);
	assert_int_equal(r.flags, CAPTURE_OUT);
	ring_unmap(w, ring);
	watch_del(w);
}

/* Whatever a reader writes into the ring's head and tail, frames go their way and copies are counted. */
static void a_hostile_reader_costs_nobody_anything(void **state)
{
	const uint64_t lies[] = {1, UINT64_MAX, 1ull << 63, 8 << 20, (8 << 20) + 1, 12345, 0};
	struct lab *lab = *state;
	const unsigned n_each = 9000; /* together several times what the ring holds */
	unsigned n = 0;
	struct capture_ring *ring;
	struct watch *w;

	lab_ports(lab, 2);
	w = watch(lab, 0, WATCH_IN, NULL);
	ring = ring_map(w);
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint8_t frame[1500];
		size_t len = frame_make(frame, 0xff, 1, -1, sizeof(frame));

		for (unsigned k = 0; k < n_each; k++, n++) {
			atomic_store(&ring->tail, lies[i] + k);
			fake_inject(lab->port[0], frame, len);
		}
		fake_settle(lab->sw);
		/* Nothing was written over that may not have been read. */
		assert_true(w->writers->head - w->writers->tail <= watch_ring_size(w));
		atomic_store(&ring->head, lies[i]);
	}
	assert_n_out(lab, 1, n);
	assert_int_equal(w->writers->n_frames + w->writers->n_lost[0], n);
	assert_true(w->writers->n_lost[0] > 0);
	/* One that reads in the end goes on where it was. */
	atomic_store(&ring->tail, w->writers->head);
	send_long(lab, 0, 0xff, 1, -1);
	assert_int_equal(w->writers->n_frames + w->writers->n_lost[0], n + 1);
	ring_unmap(w, ring);
	watch_del(w);
	sums_check(lab->sw);
}

static void captures_are_limited_and_leave_nothing(void **state)
{
	struct lab *lab = *state;
	struct watch *w[CAPTURES_MAX], *more;
	struct port *ports[1];
	struct watch_opts o = {.ways = WATCH_IN, .snaplen = 64, .ports = ports, .n_ports = 1};
	struct err err = ERR_NONE;

	lab_ports(lab, 2);
	ports[0] = fake_port(lab->port[0]);
	for (unsigned i = 0; i < CAPTURES_MAX; i++)
		w[i] = watch(lab, 0, WATCH_IN, NULL);
	assert_int_equal(watch_add(lab->sw, &o, &more, &err), -ENOSPC);
	assert_string_equal(err.text, "8 captures are running, the most there can be");
	for (unsigned i = 0; i < CAPTURES_MAX; i++)
		watch_del(w[i]);
	w[0] = watch(lab, 0, WATCH_IN, NULL);
	/* A port that goes is looked at no more, and its id may be another's. */
	port_del(fake_port(lab->port[0]), NULL);
	lab_port(lab, 0, lab->br, NULL);
	send_long(lab, 0, 0xff, 1, -1);
	assert_int_equal(w[0]->writers->n_frames, 0);
	watch_del(w[0]);
}

static void a_mirror_copies_what_is_received_and_sent_once(void **state)
{
	struct lab *lab = *state;
	struct watch *w[3];
	uint8_t frame[LEN];

	lab_ports(lab, 4);
	w[0] = watch(lab, 0, WATCH_IN | WATCH_OUT, fake_port(lab->port[3]));
	/* In a ring: copies are not copied. */
	w[1] = watch(lab, 3, WATCH_IN | WATCH_OUT, fake_port(lab->port[2]));
	w[2] = watch(lab, 2, WATCH_IN | WATCH_OUT, fake_port(lab->port[0]));
	send_long(lab, 0, 1, 2, -1);
	/* Flooded to 1, 2, 3, and copied: in on 0 to 3, out on 3 to 2, out on 2 to 0. */
	frame_make(frame, 1, 2, -1, LEN);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < fake_n_out(lab->port[i]); k++)
			assert_memory_equal(fake_out(lab->port[i], k, NULL), frame, LEN);
	assert_n_out(lab, 0, 1);
	assert_n_out(lab, 1, 1);
	assert_n_out(lab, 2, 2);
	assert_n_out(lab, 3, 2);
	/* It finds no room: a copy is lost, and counted. */
	fake_full_set(lab->port[3], true);
	send_long(lab, 1, 2, 1, -1);
	send_long(lab, 0, 1, 2, -1);
	assert_n_out(lab, 1, 2);
	assert_true(lab_counters(lab, 3).tx_drops[TX_RING_FULL] >= 2);
	for (unsigned i = 0; i < 3; i++)
		watch_del(w[i]);
	sums_check(lab->sw);
}

struct told {
	unsigned n_delivered[LAB_PORTS], n_dropped;
	struct lab *lab;
};

static void tell(void *arg, const struct trace_step *s)
{
	struct told *t = arg;

	t->n_dropped += s->kind == TRACE_DROPPED_IN || s->kind == TRACE_DROPPED_OUT;
	for (unsigned i = 0; i < LAB_PORTS && s->kind == TRACE_DELIVERED; i++)
		t->n_delivered[i] += t->lab->port[i] && s->port == fake_port(t->lab->port[i]);
}

static void a_mirror_is_changed_where_no_place_is_free(void **state)
{
	struct lab *lab = *state;
	struct watch *w[WATCHES_MAX], *more;
	struct port *ports[1];
	struct watch_opts o = {.ways = WATCH_IN, .snaplen = FRAME_MAX, .ports = ports, .n_ports = 1};
	struct err err = ERR_NONE;

	lab_ports(lab, 4);
	for (unsigned i = 0; i < WATCHES_MAX; i++)
		w[i] = watch(lab, 0, WATCH_IN, fake_port(lab->port[3]));
	ports[0] = fake_port(lab->port[1]);
	o.to = fake_port(lab->port[3]);
	assert_int_equal(watch_add(lab->sw, &o, &more, &err), -ENOSPC);
	o.instead = w[5];
	assert_int_equal(watch_add(lab->sw, &o, &w[5], &err), 0);
	/* Port 1 is looked at by that one, and by no other. */
	lab_send(lab, 1, 2, 1, -1);
	fake_settle(lab->sw);
	assert_int_equal(fake_n_out(lab->port[3]), 2); /* flooded, and the copy */
	fake_clear(lab->port[3]);
	lab_send(lab, 0, 3, 4, -1);
	fake_settle(lab->sw);
	assert_int_equal(fake_n_out(lab->port[3]), WATCHES_MAX);
	for (unsigned i = 0; i < WATCHES_MAX; i++)
		watch_del(w[i]);
}

static void a_trace_tells_what_then_happens(void **state)
{
	const uint16_t vids[] = {10, 20, 0};
	struct vlan_policy access = vlan_access(10), trunk = vlan_trunk(20, vids);
	struct lab *lab = *state;

	lab_port(lab, 0, lab->br, &access);
	lab_port(lab, 1, lab->br, &trunk);
	lab_port(lab, 2, lab->br, NULL);
	lab_port(lab, 3, lab->br, &access);
	for (unsigned k = 0; k < 400; k++) {
		unsigned from = k % 4, n_dropped = 0;
		int tcis[] = {-1, 10, 20, 30};
		uint8_t frame[LEN];
		size_t len = frame_make(frame, k % 7 ? (uint8_t)(k / 3 % 5) : 0xff, (uint8_t)from,
					tcis[k / 4 % 4], LEN);
		struct told t = {.lab = lab};
		uint32_t n_macs = bridge_n_macs(lab->br);
		struct port_counters before = lab_counters(lab, from), after;

		assert_int_equal(trace_run(lab->sw, fake_port(lab->port[from]), frame,
					   (uint32_t)len, tell, &t, NULL),
				 0);
		assert_int_equal(bridge_n_macs(lab->br), n_macs);
		after = lab_counters(lab, from);
		assert_memory_equal(&before, &after, sizeof(before));
		fake_inject(lab->port[from], frame, len);
		fake_settle(lab->sw);
		after = lab_counters(lab, from);
		for (unsigned i = 0; i < N_RX_DROPS; i++)
			n_dropped += (unsigned)(after.rx_drops[i] - before.rx_drops[i]);
		assert_int_equal(t.n_dropped, n_dropped);
		for (unsigned i = 0; i < 4; i++) {
			assert_n_out(lab, i, t.n_delivered[i]);
			fake_clear(lab->port[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_capture_has_the_bytes_of_the_port, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(a_capture_has_what_a_helper_counts, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(a_hostile_reader_costs_nobody_anything, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(captures_are_limited_and_leave_nothing, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(a_mirror_copies_what_is_received_and_sent_once,
						lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(a_mirror_is_changed_where_no_place_is_free, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(a_trace_tells_what_then_happens, lab_setup,
						lab_teardown),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
