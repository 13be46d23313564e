/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What guests do wrong on their rings and sockets: the port says what it was, nobody else notices, and a driver's
 * reset or an administrator heals it.
 */
#include "tests/unit/rig.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/loop.h"
#include "tests/unit/exchange.h"

/* Makes the guest of fe do something wrong, sees the port errored and its error eventfd
 * signalled, resets the driver, and sees it work again. */
static void violation_heals(void **state, void (*wrong)(struct fe *fe), const char *reason)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){0});
	struct pollfd p = {.fd = a->rings[1].err_fd, .events = POLLIN};
	uint32_t base;

	wrong(a);
	fe_kick(a, 1);
	rig_await(rig, 0, PORT_ERRORED);
	if (!strstr(rig_reason(rig, 0), reason))
		fail_msg("\"%s\" does not say \"%s\"", rig_reason(rig, 0), reason);
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_int_equal(rig_state(rig, 1), PORT_UP);
	/* As a driver's reset: rings stopped, cleared, started from 0. */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(fe_ring_stop(a, i, &base), 0);
		memset(a->rings[i].used, 0, 4 + 8 * 256u + 2);
	}
	a->rings[1].avail->idx = a->rings[1].next_avail = a->rings[1].last_used = 0;
	a->rings[0].last_used = 0;
	a->rings[1].free_head = 0;
	a->rings[1].n_free = 256;
	for (uint16_t k = 0; k < 256; k++)
		a->rings[1].desc[k] = (struct vring_desc){.next = (uint16_t)(k + 1)};
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(fe_ring_start(a, i, 0), 0);
	rig_await(rig, 0, PORT_UP);
	exchange(a, b, 200);
	fe_close(a);
	fe_close(b);
}

static void publish(struct fe *fe, uint16_t head)
{
	struct fe_ring *r = &fe->rings[1];

	r->avail->ring[r->next_avail & (r->size - 1)] = head;
	__atomic_store_n(&r->avail->idx, (uint16_t)(r->next_avail + 1), __ATOMIC_SEQ_CST);
}

static void desc(struct fe *fe, unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	fe->rings[1].desc[i] = (struct vring_desc){addr, len, flags, next};
}

static void index_jumps(struct fe *fe)
{
	__atomic_store_n(&fe->rings[1].avail->idx, 1000, __ATOMIC_SEQ_CST);
}

static void head_is_out_of_range(struct fe *fe)
{
	publish(fe, 256);
}

static void chain_loops(struct fe *fe)
{
	desc(fe, 0, FE_GPA, 16, VRING_DESC_NEXT, 1);
	desc(fe, 1, FE_GPA, 16, VRING_DESC_NEXT, 0);
	publish(fe, 0);
}

static void address_is_outside(struct fe *fe)
{
	desc(fe, 0, 0xdead0000, 100, 0, 0);
	publish(fe, 0);
}

static void address_wraps(struct fe *fe)
{
	desc(fe, 0, UINT64_MAX - 10, 100, 0, 0);
	publish(fe, 0);
}

static void length_leaves_memory(struct fe *fe)
{
	desc(fe, 0, FE_GPA + fe->mem_size - 50, 100, 0, 0);
	publish(fe, 0);
}

static void buffer_is_for_writing(struct fe *fe)
{
	desc(fe, 0, FE_GPA, 100, VRING_DESC_WRITE, 0);
	publish(fe, 0);
}

static void table_is_nested(struct fe *fe)
{
	fe->rings[1].indirect[0] =
		(struct vring_desc){FE_GPA, 32, VRING_DESC_INDIRECT, 0};
	desc(fe, 0, fe_gpa(fe, fe->rings[1].indirect), 16, VRING_DESC_INDIRECT, 0);
	publish(fe, 0);
}

static void table_is_odd(struct fe *fe)
{
	desc(fe, 0, fe_gpa(fe, fe->rings[1].indirect), 17, VRING_DESC_INDIRECT, 0);
	publish(fe, 0);
}

static void header_is_short(struct fe *fe)
{
	desc(fe, 0, FE_GPA, 11, 0, 0);
	publish(fe, 0);
}

#define VIOLATION(name, reason)                              \
	static void violation_##name(void **state)           \
	{                                                    \
		violation_heals(state, name, reason);        \
	}
VIOLATION(index_jumps, "available index went from 0 to 1000")
VIOLATION(head_is_out_of_range, "names descriptor 256; there are 256")
VIOLATION(chain_loops, "loops")
VIOLATION(address_is_outside, "0xdead0000, 100 bytes, is outside")
VIOLATION(address_wraps, "is outside guest memory")
VIOLATION(length_leaves_memory, "is outside guest memory")
VIOLATION(buffer_is_for_writing, "mixes buffers")
VIOLATION(table_is_nested, "holds another one")
VIOLATION(table_is_odd, "has 17 bytes")
VIOLATION(header_is_short, "has 11 bytes, less than the 12")

static void bytes_of_huge_frames_are_counted_in_full(void **state)
{
	struct rig *rig = *state;
	struct fe *fe = rig_port(rig, 0, (struct fe_opts){.buf_size = 16000});
	struct fe_ring *r = &fe->rings[1];
	uint64_t len = 100 * fe->mem_size - fe->hdr_len;
	struct port_counters c;

	/* A chain of a hundred times all memory, made available twenty times at once. */
	for (uint16_t i = 0; i < 100; i++)
		desc(fe, i, FE_GPA, (uint32_t)fe->mem_size, i < 99 ? VRING_DESC_NEXT : 0,
		     (uint16_t)(i + 1));
	for (uint16_t i = 0; i < 20; i++)
		r->avail->ring[i] = 0;
	__atomic_store_n(&r->avail->idx, 20, __ATOMIC_SEQ_CST);
	fe_kick(fe, 1);
	for (uint64_t end_ns = loop_now_ns() + 5 * S_NS; loop_now_ns() < end_ns;) {
		c = rig_counters(rig, 0);
		if (c.rx_drops[RX_TOO_LONG] == 20)
			break;
	}
	assert_int_equal(c.rx_drops[RX_TOO_LONG], 20);
	assert_true(20 * len > UINT32_MAX);
	assert_int_equal(c.rx_bytes, 20 * len);
	fe_close(fe);
}

static void administrator_heals_a_violation(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){0});

	head_is_out_of_range(a);
	fe_kick(a, 1);
	rig_await(rig, 0, PORT_ERRORED);
	a->rings[1].avail->idx = 0; /* the guest mends its ring */
	rig_port_admin(rig, 0, true);
	rig_await(rig, 0, PORT_UP);
	exchange(a, b, 100);
	fe_close(a);
	fe_close(b);
}

static void protocol_violation_closes_and_backs_off(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){.no_rings = true});
	struct vu_msg reply;

	assert_int_equal(fe_set_state(a, VU_SET_VRING_NUM, 99, 256), 0);
	assert_int_equal(fe_msg_reply(a, &reply), -EPIPE);
	rig_await(rig, 0, PORT_ERRORED);
	assert_non_null(strstr(rig_reason(rig, 0), "SET_VRING_NUM: ring 99 of a device with rings 0-15"));
	rig_await(rig, 0, PORT_WAITING); /* 250 ms later */
	fe_close(a);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(violation_index_jumps),
		T(violation_head_is_out_of_range),
		T(violation_chain_loops),
		T(violation_address_is_outside),
		T(violation_address_wraps),
		T(violation_length_leaves_memory),
		T(violation_buffer_is_for_writing),
		T(violation_table_is_nested),
		T(violation_table_is_odd),
		T(violation_header_is_short),
		T(bytes_of_huge_frames_are_counted_in_full),
		T(administrator_heals_a_violation),
		T(protocol_violation_closes_and_backs_off),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
