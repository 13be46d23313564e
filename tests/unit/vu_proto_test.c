/* SPDX-License-Identifier: BSD-3-Clause */
/* The vhost-user protocol step, one rule a test. */
#include <string.h>

#include "tests/unit/proto_talk.h"

static bool acted(enum vu_action_type type)
{
	for (unsigned i = 0; i < talk_res.n_actions; i++)
		if (talk_res.actions[i].type == type)
			return true;
	return false;
}

static bool says(const char *part)
{
	return strstr(talk_res.text, part) != NULL;
}

static void qemu_handshake_ends_with_running_rings(void **state)
{
	struct vu_dev dev = talk_device();

	assert_int_equal(talk_plain(&dev, VU_GET_FEATURES), VU_OK);
	assert_true(talk_res.reply.u.u64 == FEATURES);
	assert_int_equal(talk_plain(&dev, VU_GET_PROTOCOL_FEATURES), VU_OK);
	assert_true(talk_res.reply.u.u64 == PROTO);
	assert_int_equal(talk_u64(&dev, VU_SET_PROTOCOL_FEATURES, PROTO), VU_OK);
	assert_int_equal(talk_plain(&dev, VU_GET_QUEUE_NUM), VU_OK);
	assert_int_equal(talk_res.reply.u.u64, N_PAIRS);
	assert_int_equal(talk_plain(&dev, VU_GET_MAX_MEM_SLOTS), VU_OK);
	assert_int_equal(talk_res.reply.u.u64, 64);
	assert_int_equal(talk_plain(&dev, VU_SET_OWNER), VU_OK);
	assert_int_equal(talk_plain(&dev, VU_GET_FEATURES), VU_OK);
	for (uint32_t i = 0; i < 2; i++) /* before any driver: masked notifiers */
		assert_int_equal(talk_event(&dev, VU_SET_VRING_CALL, i), VU_OK);
	assert_int_equal(talk_ring(&dev, VU_SET_VRING_ENABLE, 0, 1), VU_OK);
	assert_int_equal(talk_ring(&dev, VU_SET_VRING_ENABLE, 1, 1), VU_OK);
	assert_int_equal(talk_u64(&dev, VU_SET_FEATURES, FEATURES), VU_OK);
	assert_int_equal(talk_table(&dev, 2), VU_OK);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(talk_ring(&dev, VU_SET_VRING_NUM, i, 1024), VU_OK);
		assert_int_equal(talk_ring(&dev, VU_SET_VRING_BASE, i, 0), VU_OK);
		assert_int_equal(talk_addr(&dev, i), VU_OK);
		assert_int_equal(talk_event(&dev, VU_SET_VRING_KICK, i), VU_OK);
		assert_true(acted(VU_ACT_RING_START));
		assert_int_equal(talk_event(&dev, VU_SET_VRING_CALL, i), VU_OK);
		assert_true(vu_ring_runs(&dev, i));
	}
}

static void virtio_user_handshake_ends_with_running_rings(void **state)
{
	struct vu_dev dev = talk_device();

	assert_int_equal(talk_plain(&dev, VU_SET_OWNER), VU_OK);
	assert_int_equal(talk_plain(&dev, VU_GET_FEATURES), VU_OK);
	assert_int_equal(talk_plain(&dev, VU_GET_PROTOCOL_FEATURES), VU_OK);
	assert_int_equal(talk_u64(&dev, VU_SET_PROTOCOL_FEATURES, PROTO & ~SLOTS), VU_OK);
	assert_int_equal(talk_plain(&dev, VU_GET_QUEUE_NUM), VU_OK);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(talk_event(&dev, VU_SET_VRING_CALL, i), VU_OK);
	assert_int_equal(talk_u64(&dev, VU_SET_FEATURES, FEATURES), VU_OK);
	assert_int_equal(talk_table(&dev, 1), VU_OK);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(talk_ring(&dev, VU_SET_VRING_NUM, i, 256), VU_OK);
		assert_int_equal(talk_ring(&dev, VU_SET_VRING_BASE, i, 0), VU_OK);
		assert_int_equal(talk_addr(&dev, i), VU_OK);
		assert_int_equal(talk_event(&dev, VU_SET_VRING_KICK, i), VU_OK);
		assert_false(vu_ring_runs(&dev, i));
	}
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(talk_ring(&dev, VU_SET_VRING_ENABLE, i, 1), VU_OK);
		assert_true(acted(VU_ACT_RING_START));
	}
	assert_int_equal(talk_ring(&dev, VU_SET_VRING_ENABLE, 2, 0), VU_OK);
	assert_int_equal(talk_res.n_actions, 0);
	assert_false(vu_ring_runs(&dev, 2));
}

static void rings_enable_themselves_without_protocol_features(void **state)
{
	struct vu_dev dev = talk_device();

	assert_int_equal(talk_u64(&dev, VU_SET_FEATURES, VU_BIT(VIRTIO_F_VERSION_1)), VU_OK);
	assert_int_equal(talk_table(&dev, 1), VU_OK);
	assert_int_equal(talk_ring(&dev, VU_SET_VRING_NUM, 1, 256), VU_OK);
	assert_int_equal(talk_addr(&dev, 1), VU_OK);
	assert_int_equal(talk_event(&dev, VU_SET_VRING_KICK, 1), VU_OK);
	assert_true(vu_ring_runs(&dev, 1));
}

static void get_vring_base_stops_the_ring_and_tells_where(void **state)
{
	struct vu_dev dev = talk_running(PROTO);

	assert_int_equal(talk_ring(&dev, VU_GET_VRING_BASE, LAST, 0), VU_OK);
	assert_int_equal(dev.rings[LAST].phase, VU_RING_STOPPED);
	assert_int_equal(dev.rings[0].phase, VU_RING_STARTED);
	assert_int_equal(talk_res.n_actions, 2);
	assert_int_equal(talk_res.actions[0].type, VU_ACT_RING_STOP);
	assert_int_equal(talk_res.actions[1].type, VU_ACT_RING_BASE);
	assert_int_equal(talk_res.actions[1].ring, LAST);
	assert_int_equal(talk_res.reply.u.state.index, LAST);
}

static void started_ring_keeps_size_and_base(void **state)
{
	struct vu_dev dev = talk_running(0);

	assert_int_equal(talk_ring(&dev, VU_SET_VRING_NUM, 0, 512), VU_VIOLATION);
	assert_true(says("SET_VRING_NUM: ring 0 is started"));
	assert_int_equal(talk_ring(&dev, VU_SET_VRING_BASE, 0, 5), VU_VIOLATION);
	assert_int_equal(talk_ring(&dev, VU_GET_VRING_BASE, 0, 0), VU_OK);
	assert_int_equal(talk_ring(&dev, VU_SET_VRING_NUM, 0, 512), VU_OK);
}

static void ring_cannot_start_before_it_is_described(void **state)
{
	struct vu_dev dev = talk_device();

	talk_negotiate(&dev, PROTO);
	assert_int_equal(talk_event(&dev, VU_SET_VRING_KICK, 0), VU_VIOLATION);
	assert_int_equal(talk_ring(&dev, VU_SET_VRING_NUM, 0, 256), VU_OK);
	assert_int_equal(talk_event(&dev, VU_SET_VRING_KICK, 0), VU_VIOLATION);
	assert_true(says("cannot start before"));
	assert_int_equal(talk_addr(&dev, 0), VU_OK);
	assert_int_equal(talk_event(&dev, VU_SET_VRING_KICK, 0), VU_OK);
}

static void ring_layout_features_are_fixed_while_a_ring_runs(void **state)
{
	struct vu_dev dev = talk_running(0);

	assert_int_equal(talk_u64(&dev, VU_SET_FEATURES, FEATURES & ~VU_BIT(VIRTIO_NET_F_MTU)), VU_OK);
	assert_int_equal(talk_u64(&dev, VU_SET_FEATURES, FEATURES & ~VU_BIT(VIRTIO_NET_F_MRG_RXBUF)),
			 VU_VIOLATION);
	assert_true(says("while a ring is started"));
	assert_int_equal(talk_ring(&dev, VU_GET_VRING_BASE, 0, 0), VU_OK);
	assert_int_equal(talk_ring(&dev, VU_GET_VRING_BASE, LAST, 0), VU_OK);
	assert_int_equal(talk_u64(&dev, VU_SET_FEATURES, FEATURES & ~VU_BIT(VIRTIO_NET_F_MRG_RXBUF)),
			 VU_OK);
}

/* Else a running ring would be none any more, and its descriptors be taken from under it. */
static void several_queues_stay_several_while_a_ring_runs(void **state)
{
	struct vu_dev dev = talk_running(0);

	dev.features_offered |= VU_BIT(VIRTIO_NET_F_MQ);
	assert_int_equal(talk_u64(&dev, VU_SET_FEATURES, FEATURES | VU_BIT(VIRTIO_NET_F_MQ)), VU_VIOLATION);
	assert_true(says("while a ring is started"));
}

static void features_that_were_not_offered_are_refused(void **state)
{
	struct vu_dev dev = talk_device();

	assert_int_equal(talk_u64(&dev, VU_SET_FEATURES, FEATURES | VU_BIT(34)), VU_VIOLATION);
	assert_true(says("SET_FEATURES: feature bits 0x400000000 were not offered"));
	assert_int_equal(talk_u64(&dev, VU_SET_PROTOCOL_FEATURES, 1ull << 1), VU_VIOLATION);
}

static struct vu_mem_region region_at(uint64_t i)
{
	return (struct vu_mem_region){i * 2 * MB, MB, 0x7f0000000000 + i * 2 * MB, 0};
}

static void memory_has_64_slots(void **state)
{
	struct vu_dev dev = talk_device();

	talk_negotiate(&dev, PROTO);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(talk_slot(&dev, VU_ADD_MEM_REG, region_at(i)), VU_OK);
	assert_int_equal(talk_slot(&dev, VU_ADD_MEM_REG, region_at(64)), VU_REFUSED);
	assert_true(says("all 64 memory slots are in use"));
	assert_int_equal(talk_slot(&dev, VU_REM_MEM_REG, region_at(7)), VU_OK);
	assert_int_equal(talk_res.actions[0].type, VU_ACT_MEM_DEL);
	assert_int_equal(talk_res.actions[0].slot, 7);
	assert_true(dev.regions[7].gpa == region_at(8).gpa);
	assert_int_equal(talk_slot(&dev, VU_ADD_MEM_REG, region_at(64)), VU_OK);
	assert_int_equal(talk_res.actions[0].slot, 63);
}

static void unknown_region_cannot_be_removed(void **state)
{
	struct vu_dev dev = talk_device();
	struct vu_mem_region other = region_at(3);

	talk_negotiate(&dev, PROTO);
	assert_int_equal(talk_slot(&dev, VU_ADD_MEM_REG, region_at(3)), VU_OK);
	other.size--;
	assert_int_equal(talk_slot(&dev, VU_REM_MEM_REG, other), VU_REFUSED);
	assert_int_equal(dev.n_regions, 1);
}

static void region_must_fit_its_file(void **state)
{
	struct vu_dev dev = talk_device();
	struct vu_mem_region r = region_at(0);

	talk_negotiate(&dev, PROTO);
	r.mmap_offset = 15 * MB;
	assert_int_equal(talk_slot(&dev, VU_ADD_MEM_REG, r), VU_OK);
	r = region_at(1);
	r.mmap_offset = 15 * MB + 1;
	assert_int_equal(talk_slot(&dev, VU_ADD_MEM_REG, r), VU_REFUSED);
	assert_true(says("ends at byte 16777217 of a file of 16777216"));
}

static void memory_slots_need_their_feature(void **state)
{
	struct vu_dev dev = talk_device();

	talk_negotiate(&dev, PROTO & ~SLOTS);
	assert_int_equal(talk_slot(&dev, VU_ADD_MEM_REG, region_at(0)), VU_REFUSED);
	assert_true(says("CONFIGURE_MEM_SLOTS was not negotiated"));
}

static void new_memory_table_replaces_the_old_one(void **state)
{
	struct vu_dev dev = talk_running(PROTO);

	assert_int_equal(talk_table(&dev, 1), VU_OK);
	assert_int_equal(dev.n_regions, 1);
	assert_int_equal(talk_res.n_actions, 3);
	assert_int_equal(talk_res.actions[0].type, VU_ACT_MEM_CLEAR);
	assert_int_equal(talk_res.actions[1].type, VU_ACT_MEM_ADD);
	assert_int_equal(talk_res.actions[2].type, VU_ACT_RINGS_RESOLVE);
}

static void call_and_error_change_under_a_running_ring(void **state)
{
	struct vu_dev dev = talk_running(PROTO);

	assert_int_equal(talk_event(&dev, VU_SET_VRING_CALL, 0), VU_OK);
	assert_int_equal(talk_res.n_actions, 1);
	assert_int_equal(talk_res.actions[0].type, VU_ACT_RING_CALL);
	assert_int_equal(talk_event(&dev, VU_SET_VRING_ERR, 0), VU_OK);
	assert_int_equal(talk_res.n_actions, 1);
	assert_int_equal(talk_res.actions[0].type, VU_ACT_RING_ERR);
	assert_true(vu_ring_runs(&dev, 0));
}

static void mtu_is_bounded_by_the_port(void **state)
{
	struct vu_dev dev = talk_device();

	assert_int_equal(talk_u64(&dev, VU_NET_SET_MTU, 67), VU_VIOLATION);
	assert_int_equal(talk_u64(&dev, VU_NET_SET_MTU, 65536), VU_VIOLATION);
	assert_int_equal(talk_u64(&dev, VU_NET_SET_MTU, 1ull << 32 | 1500), VU_VIOLATION);
	assert_int_equal(talk_u64(&dev, VU_NET_SET_MTU, 9000), VU_OK);
	assert_int_equal(dev.mtu, 9000);
	assert_true(acted(VU_ACT_MTU));
	dev.mtu_max = 1500;
	assert_int_equal(talk_u64(&dev, VU_NET_SET_MTU, 1501), VU_VIOLATION);
	assert_true(says("mtu 1501 is larger than the port's 1500"));
	assert_int_equal(talk_u64(&dev, VU_NET_SET_MTU, 1500), VU_OK);
}

static void need_reply_is_answered_once_it_was_negotiated(void **state)
{
	struct vu_dev dev = talk_device();

	assert_int_equal(talk_step(&dev, VU_SET_OWNER, NULL, 0, 0, 0, VU_NEED_REPLY), VU_OK);
	assert_false(talk_res.has_reply);
	assert_int_equal(talk_u64(&dev, VU_SET_PROTOCOL_FEATURES, ACK), VU_OK);
	assert_int_equal(talk_step(&dev, VU_SET_OWNER, NULL, 0, 0, 0, VU_NEED_REPLY), VU_OK);
	assert_true(talk_res.has_reply);
	assert_int_equal(talk_res.reply.u.u64, 0);
}

static void refusal_is_said_once(void **state)
{
	struct vu_dev dev = talk_device();

	talk_negotiate(&dev, PROTO);
	assert_int_equal(talk_slot(&dev, VU_REM_MEM_REG, region_at(0)), VU_REFUSED);
	assert_true(acted(VU_ACT_LOG));
	assert_int_equal(talk_slot(&dev, VU_REM_MEM_REG, region_at(0)), VU_REFUSED);
	assert_int_equal(talk_res.n_actions, 0);
	assert_int_equal(talk_res.reply.u.u64, 1);
}

static void kick_may_come_without_a_descriptor(void **state)
{
	struct vu_dev dev = talk_running(PROTO);
	uint64_t none = 1u << 8;

	assert_int_equal(talk_u64(&dev, VU_SET_VRING_KICK, none), VU_OK);
	assert_int_equal(talk_res.actions[1].type, VU_ACT_RING_KICK);
	assert_int_equal(talk_res.actions[1].fd, -1);
	assert_int_equal(talk_event(&dev, VU_SET_VRING_KICK, none), VU_VIOLATION);
	assert_int_equal(talk_u64(&dev, VU_SET_VRING_KICK, 0), VU_VIOLATION);
	assert_true(says("0 descriptors came with a message that announces one"));
}

static void reset_owner_stops_all_rings(void **state)
{
	struct vu_dev dev = talk_running(PROTO);

	assert_int_equal(talk_plain(&dev, VU_RESET_OWNER), VU_OK);
	assert_int_equal(talk_res.n_actions, 2);
	assert_int_equal(dev.rings[0].phase, VU_RING_STOPPED);
	assert_int_equal(dev.rings[LAST].phase, VU_RING_STOPPED);
}

static void request_that_awaits_an_unknown_answer_is_a_violation(void **state)
{
	struct vu_dev dev = talk_running(PROTO);

	assert_int_equal(talk_step(&dev, 24, NULL, 0, 0, 0, VU_NEED_REPLY), VU_VIOLATION);
	assert_true(says("GET_CONFIG: needs a feature that was not offered"));
	assert_int_equal(talk_step(&dev, 200, NULL, 0, 0, 0, 0), VU_REFUSED);
	assert_true(says("request 200 is unknown"));
}

static void headers_of_replies_and_other_versions_are_violations(void **state)
{
	struct vu_dev dev = talk_device();

	assert_int_equal(talk_step(&dev, VU_SET_OWNER, NULL, 0, 0, 0, VU_REPLY), VU_VIOLATION);
	assert_int_equal(talk_step(&dev, VU_SET_OWNER, NULL, 0, 0, 0, 2), VU_VIOLATION);
	assert_int_equal(talk_u64(&dev, VU_SET_OWNER, 0), VU_VIOLATION);
	assert_true(says("SET_OWNER: 8 bytes of payload instead of 0"));
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(qemu_handshake_ends_with_running_rings),
		T(virtio_user_handshake_ends_with_running_rings),
		T(rings_enable_themselves_without_protocol_features),
		T(get_vring_base_stops_the_ring_and_tells_where),
		T(started_ring_keeps_size_and_base),
		T(ring_cannot_start_before_it_is_described),
		T(ring_layout_features_are_fixed_while_a_ring_runs),
		T(several_queues_stay_several_while_a_ring_runs),
		T(features_that_were_not_offered_are_refused),
		T(memory_has_64_slots),
		T(unknown_region_cannot_be_removed),
		T(region_must_fit_its_file),
		T(memory_slots_need_their_feature),
		T(new_memory_table_replaces_the_old_one),
		T(call_and_error_change_under_a_running_ring),
		T(mtu_is_bounded_by_the_port),
		T(need_reply_is_answered_once_it_was_negotiated),
		T(refusal_is_said_once),
		T(kick_may_come_without_a_descriptor),
		T(reset_owner_stops_all_rings),
		T(request_that_awaits_an_unknown_answer_is_a_violation),
		T(headers_of_replies_and_other_versions_are_violations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
