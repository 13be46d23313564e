/* SPDX-License-Identifier: BSD-3-Clause */
/* Front ends that mean harm, by messages and by where their rings are: each may cost its own port and nothing else. */
#include "tests/unit/hostile_scene.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "switch/port.h"
#include "tests/unit/dice.h"

/* ---- protocol ---- */

static void silent_front_end_is_waited_for(void **state)
{
	struct scene *s = scene_open(*state);
	struct fe *fe;

	fe = scene_attack(s, (struct fe_opts){.no_handshake = true});
	rig_await(s->rig, 0, PORT_NEGOTIATING);
	fe_close(fe);
	scene_close(s);
}

static void header_without_payload_ends_after_a_deadline(void **state)
{
	const uint32_t header[3] = {VU_SET_FEATURES, VU_VERSION, 8};
	struct scene *s = scene_open(*state);
	struct fe *fe;

	fe = scene_attack(s, (struct fe_opts){.no_handshake = true});
	assert_int_equal(send(fe->fd, header, sizeof(header), 0), sizeof(header));
	usleep(4000000); /* beyond the 5 s that rig_await() has */
	scene_await(s, PORT_ERRORED, "a message did not end within 5 s");
	fe_close(fe);
	scene_close(s);
}

/* Every write ends one message and begins the next, for longer than one may take. */
static void deadline_is_of_each_message(void **state)
{
	const uint32_t header[3] = {VU_SET_OWNER, VU_VERSION, 0};
	struct scene *s = scene_open(*state);
	struct fe *fe = scene_attack(s, (struct fe_opts){.no_handshake = true});
	uint64_t end_ns = loop_now_ns() + 5500 * MS_NS;

	assert_int_equal(send(fe->fd, header, 4, 0), 4);
	while (loop_now_ns() < end_ns) {
		const uint32_t rest[3] = {header[1], header[2], header[0]};

		usleep(100000);
		assert_int_equal(send(fe->fd, rest, sizeof(rest), MSG_NOSIGNAL), sizeof(rest));
		assert_int_equal(rig_state(s->rig, 0), PORT_NEGOTIATING);
	}
	fe_close(fe);
	scene_close(s);
}

static void garbage_is_a_violation(void **state)
{
	struct scene *s = scene_open(*state);

	for (unsigned k = 0; k < 200; k++) {
		uint8_t garbage[512];
		struct fe *fe = scene_attack(s, (struct fe_opts){.no_handshake = true});

		for (unsigned i = 0; i < sizeof(garbage); i++)
			garbage[i] = (uint8_t)dice();
		if (send(fe->fd, garbage, sizeof(garbage), MSG_NOSIGNAL) < 0)
			fail_msg("send: %s", strerror(errno));
		scene_await(s, PORT_ERRORED, "protocol violation, socket closed: ");
		fe_close(fe);
		rig_port_admin(s->rig, 0, true);
		rig_await(s->rig, 0, PORT_WAITING);
	}
	scene_close(s);
}

/* One random message with a sane header; false when the back end has closed. */
static bool random_message(struct fe *fe)
{
	static const uint32_t sizes[] = {0, 8, 8, 8, 40, 40, 72, 264};
	uint64_t payload[33], r = dice();
	int fds[8], event = eventfd(0, EFD_CLOEXEC);
	uint32_t size = sizes[r & 7];
	int rc;

	for (unsigned i = 0; i < 8; i++)
		fds[i] = r >> (8 + i) & 1 ? fe->mem_fd : event;
	for (unsigned i = 0; i < 33; i++)
		payload[i] = dice() & (r >> 20 & 1 ? 7 : ~0ull);
	rc = fe_msg_send(fe, (uint32_t)(r >> 32) % 42, r >> 21 & 1 ? VU_NEED_REPLY : 0, payload, size,
			 fds, r >> 22 & 1 ? 0 : (unsigned)(r >> 40) % 9);
	close(event);
	/* Replies are thrown away now and then; a back end that waits for a reader gives up. */
	if (r >> 23 & 1) {
		uint8_t reply[1024];

		rc = rc < 0 ? rc : (int)recv(fe->fd, reply, sizeof(reply), MSG_DONTWAIT);
		return rc > 0 || (rc < 0 && errno == EAGAIN);
	}
	return rc == 0;
}

static void random_messages_cost_the_connection_at_most(void **state)
{
	struct fe_opts o = {.no_rings = true};
	struct fe *fe = NULL;
	struct scene *s = scene_open(*state);

	for (unsigned k = 0; k < 5000; k++) {
		if (!fe) {
			rig_port_admin(s->rig, 0, true);
			rig_await(s->rig, 0, PORT_WAITING);
			fe = scene_attack(s, o);
		}
		if (!random_message(fe)) {
			fe_close(fe);
			fe = NULL;
		}
	}
	fe_close(fe);
	scene_close(s);
}

static void more_than_8_descriptors_are_a_violation(void **state)
{
	static const unsigned n[] = {9, 16, 253};
	struct scene *s = scene_open(*state);

	for (unsigned k = 0; k < 3; k++) {
		struct fe *fe = scene_attack(s, (struct fe_opts){.no_rings = true});
		uint8_t table[264] = {8};
		int fds[253];

		for (unsigned i = 0; i < n[k]; i++)
			fds[i] = fe->mem_fd;
		assert_int_equal(fe_msg_send(fe, VU_SET_MEM_TABLE, 0, table, 264, fds, n[k]), 0);
		scene_await(s, PORT_ERRORED, "more than 8 descriptors came with one message");
		fe_close(fe);
		rig_port_admin(s->rig, 0, true);
		rig_await(s->rig, 0, PORT_WAITING);
	}
	scene_close(s);
}

static void unread_replies_are_a_violation(void **state)
{
	struct scene *s = scene_open(*state);
	struct fe *fe;

	fe = scene_attack(s, (struct fe_opts){.no_rings = true});
	while (fe_msg_send(fe, VU_GET_FEATURES, 0, NULL, 0, NULL, 0) == 0)
		;
	scene_await(s, PORT_ERRORED, "the front end does not read its replies");
	fe_close(fe);
	scene_close(s);
}

/* ---- rings ---- */

static void ring_size_without_reply_ack(void **state, uint32_t num, bool good)
{
	struct vu_msg reply;
	struct scene *s = scene_open(*state);
	struct fe *fe;

	fe = scene_attack(s, (struct fe_opts){.no_rings = true});
	assert_int_equal(fe_set_state(fe, VU_SET_VRING_NUM, 1, num), 0);
	if (good) {
		assert_int_equal(fe_msg_send(fe, VU_GET_QUEUE_NUM, 0, NULL, 0, NULL, 0), 0);
		assert_int_equal(fe_msg_reply(fe, &reply), 0);
		rig_await(s->rig, 0, PORT_NEGOTIATING);
	} else {
		assert_int_equal(fe_msg_reply(fe, &reply), -EPIPE);
		scene_await(s, PORT_ERRORED, "a power of two up to 32768 is needed");
	}
	fe_close(fe);
	scene_close(s);
}

static void ring_of_0_entries_closes_the_socket(void **state)
{
	ring_size_without_reply_ack(state, 0, false);
}

static void ring_of_3_entries_closes_the_socket(void **state)
{
	ring_size_without_reply_ack(state, 3, false);
}

static void ring_of_32768_entries_is_accepted(void **state)
{
	ring_size_without_reply_ack(state, 32768, true);
}

static void ring_of_65536_entries_closes_the_socket(void **state)
{
	ring_size_without_reply_ack(state, 65536, false);
}

static void ring_sizes_are_refused_where_a_reply_is_asked_for(void **state)
{
	static const struct vu_vring_state sizes[] = {{1, 0}, {1, 3}, {1, 32768}, {1, 65536}};
	struct scene *s = scene_open(*state);
	struct fe *fe;

	fe = scene_attack(s, (struct fe_opts){.no_rings = true});
	for (unsigned i = 0; i < 4; i++) {
		struct vu_msg reply;

		assert_int_equal(fe_msg_send(fe, VU_SET_VRING_NUM, VU_NEED_REPLY, &sizes[i], 8, NULL,
					     0), 0);
		assert_int_equal(fe_msg_reply(fe, &reply), 0);
		assert_int_equal(reply.u.u64, sizes[i].num == 32768 ? 0 : 1);
	}
	rig_await(s->rig, 0, PORT_NEGOTIATING);
	fe_close(fe);
	scene_close(s);
}

/* part: 0 desc, 1 avail is moved by `by`, 2 used to the last 64 bytes of memory. The port is errored,
 * the socket stays. */
static void ring_address_moved(void **state, unsigned part, uint64_t by)
{
	struct scene *s = scene_open(*state);
	struct fe *fe;
	struct fe_ring *r;
	struct pollfd p = {.events = POLLIN};

	fe = scene_attack(s, (struct fe_opts){.no_rings = true});
	r = &fe->rings[1];
	if (part == 0)
		r->desc = (void *)((uintptr_t)r->desc + by);
	else if (part == 1)
		r->avail = (void *)((uintptr_t)r->avail + by);
	else
		r->used = (void *)(fe->mem + fe->mem_size - 64);
	assert_int_equal(fe_ring_start(fe, 1, 0), 0);
	scene_await(s, PORT_ERRORED, "queue 1: a part of a ring of 256 entries is outside");
	p.fd = r->err_fd;
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_int_equal(fe_ring_stop(fe, 1, NULL), 0); /* the socket is open */
	fe_close(fe);
	scene_close(s);
}

static void descriptors_outside_memory_error_the_port(void **state)
{
	ring_address_moved(state, 0, 1ull << 40);
}

static void available_ring_outside_memory_errors_the_port(void **state)
{
	ring_address_moved(state, 1, 1ull << 46);
}

static void used_ring_that_leaves_memory_errors_the_port(void **state)
{
	ring_address_moved(state, 2, 0);
}

static void raise_fault(struct rig *rig, void *arg)
{
	port_fault_raise(port_find(rig_switch(rig), "v0"));
}

static void nothing(struct rig *rig, void *arg)
{
}

/* A driver that resets its device overtakes the report of its violation. */
static void report_of_a_fault_that_is_over_stops_nothing(void **state)
{
	struct scene *s = scene_open(*state);
	struct fe *fe;
	uint8_t f[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	fe = scene_attack(s, (struct fe_opts){0});
	rig_call(s->rig, raise_fault, NULL);
	usleep(20000);
	rig_call(s->rig, nothing, NULL);
	assert_int_equal(rig_state(s->rig, 0), PORT_UP);
	assert_true(fe_send(fe, 0, f, sizeof(f)));
	for (uint64_t end_ns = loop_now_ns() + 2 * S_NS; !fe_reclaim(fe, 0);)
		if (loop_now_ns() > end_ns)
			fail_msg("the port is up and serves nobody");
	fe_close(fe);
	scene_close(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(silent_front_end_is_waited_for),
		T(header_without_payload_ends_after_a_deadline),
		T(deadline_is_of_each_message),
		T(garbage_is_a_violation),
		T(random_messages_cost_the_connection_at_most),
		T(more_than_8_descriptors_are_a_violation),
		T(unread_replies_are_a_violation),
		T(ring_of_0_entries_closes_the_socket),
		T(ring_of_3_entries_closes_the_socket),
		T(ring_of_32768_entries_is_accepted),
		T(ring_of_65536_entries_closes_the_socket),
		T(ring_sizes_are_refused_where_a_reply_is_asked_for),
		T(descriptors_outside_memory_error_the_port),
		T(available_ring_outside_memory_errors_the_port),
		T(used_ring_that_leaves_memory_errors_the_port),
		T(report_of_a_fault_that_is_over_stops_nothing),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
