/* SPDX-License-Identifier: BSD-3-Clause */
/* A port's MTU: what its front end says, what the administrator says, and for how long. */
#include "tests/unit/rig.h"

static void mtu_set(struct rig *rig, void *arg)
{
	struct err err = ERR_NONE;

	if (port_mtu_set(port_find(rig_switch(rig), "v0"), *(uint32_t *)arg, &err) < 0)
		fail_msg("%s", err.text);
}

static void mtu_get(struct rig *rig, void *arg)
{
	struct port_info info;

	port_info(port_find(rig_switch(rig), "v0"), &info);
	*(uint32_t *)arg = info.mtu;
}

static uint32_t rig_mtu(struct rig *rig)
{
	uint32_t mtu;

	rig_call(rig, mtu_get, &mtu);
	return mtu;
}

/* Tells an MTU and waits until it has been read. */
static void mtu_tell(struct fe *fe, uint64_t mtu)
{
	uint64_t pairs;

	assert_int_equal(fe_set_u64(fe, VU_NET_SET_MTU, mtu), 0);
	assert_int_equal(fe_get_u64(fe, VU_GET_QUEUE_NUM, &pairs), 0);
}

static void front_ends_mtu_ends_with_its_connection(void **state)
{
	struct rig *rig = *state;
	struct fe *fe = rig_port(rig, 0, (struct fe_opts){0});

	mtu_tell(fe, 1500);
	assert_int_equal(rig_mtu(rig), 1500);
	mtu_tell(fe, 9000); /* its own word does not bind it */
	assert_int_equal(rig_mtu(rig), 9000);
	fe_close(fe);
	rig_await(rig, 0, PORT_WAITING);
	assert_int_equal(rig_mtu(rig), 0);
}

static void administrators_mtu_outlives_connections(void **state)
{
	struct rig *rig = *state;
	struct fe *fe = rig_port(rig, 0, (struct fe_opts){0});
	uint32_t mtu = 2000;

	rig_call(rig, mtu_set, &mtu);
	mtu_tell(fe, 1500);
	assert_int_equal(rig_mtu(rig), 2000);
	fe_close(fe);
	rig_await(rig, 0, PORT_WAITING);
	assert_int_equal(rig_mtu(rig), 2000);
}

/* A front end tells its MTU at each reset of its driver: one that was agreed on stays good. */
static void lowered_mtu_counts_from_the_next_connection(void **state)
{
	struct rig *rig = *state;
	struct fe *fe = rig_port(rig, 0, (struct fe_opts){.no_rings = true});
	struct fe_opts again = {.path = fe->opts.path, .no_rings = true};
	struct err err = ERR_NONE;
	uint64_t mtu = 9000;
	uint32_t limit = 1500;
	struct vu_msg reply;

	rig_call(rig, mtu_set, &limit);
	mtu_tell(fe, 9000);
	fe_close(fe);
	rig_await(rig, 0, PORT_WAITING);
	assert_int_equal(fe_open(&again, &fe, &err), 0);
	/* Refused with an answer, where one is asked for: the connection stays. */
	assert_int_equal(fe_msg_send(fe, VU_NET_SET_MTU, VU_NEED_REPLY, &mtu, sizeof(mtu), NULL, 0), 0);
	assert_int_equal(fe_msg_reply(fe, &reply), 0);
	assert_int_equal(reply.u.u64, 1);
	limit = 2000;
	rig_call(rig, mtu_set, &limit);
	mtu = 2000; /* raised: that counts at once */
	assert_int_equal(fe_msg_send(fe, VU_NET_SET_MTU, VU_NEED_REPLY, &mtu, sizeof(mtu), NULL, 0), 0);
	assert_int_equal(fe_msg_reply(fe, &reply), 0);
	assert_int_equal(reply.u.u64, 0);
	limit = 1400;
	rig_call(rig, mtu_set, &limit);
	mtu = 1500; /* lowered: it was right when the front end connected */
	assert_int_equal(fe_msg_send(fe, VU_NET_SET_MTU, VU_NEED_REPLY, &mtu, sizeof(mtu), NULL, 0), 0);
	assert_int_equal(fe_msg_reply(fe, &reply), 0);
	assert_int_equal(reply.u.u64, 0);
	assert_int_equal(rig_mtu(rig), 1400);
	fe_close(fe);
	rig_await(rig, 0, PORT_WAITING);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(front_ends_mtu_ends_with_its_connection),
		T(administrators_mtu_outlives_connections),
		T(lowered_mtu_counts_from_the_next_connection),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
