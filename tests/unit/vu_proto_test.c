/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user's step function: invariants over every request with boundary payloads, and what each
 * message means.
 *
 * How      Messages lie in heap blocks of exactly their size, so that the address sanitizer sees a
 *          read beyond msg->size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/proto_rules.h"
#include "vhost-user/vu_proto.h"

#define FEATURES                                                                          \
	(VU_BIT(VIRTIO_F_VERSION_1) | VU_BIT(VIRTIO_NET_F_MRG_RXBUF) |                    \
	 VU_BIT(VIRTIO_RING_F_EVENT_IDX) | VU_BIT(VIRTIO_RING_F_INDIRECT_DESC) |          \
	 VU_BIT(VIRTIO_NET_F_MTU) | VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES))
#define ACK   VU_BIT(VU_PROTO_REPLY_ACK)
#define SLOTS VU_BIT(VU_PROTO_CONFIGURE_MEM_SLOTS)
#define PROTO (VU_BIT(VU_PROTO_MQ) | ACK | VU_BIT(VU_PROTO_NET_MTU) | SLOTS)

#define N_PAIRS 2
#define LAST	(2 * N_PAIRS - 1) /* ring */
#define MB	(1ull << 20)

static struct vu_result res;

static struct vu_msg *message(uint32_t request, const void *payload, uint32_t size)
{
	/* volatile: the compiler warns about blocks that it sees to be shorter than their type. */
	volatile size_t block = offsetof(struct vu_msg, u) + size;
	struct vu_msg *m = malloc(block);

	m->request = request;
	m->flags = VU_VERSION;
	m->size = size;
	if (size)
		memcpy((uint8_t *)m + offsetof(struct vu_msg, u), payload, size);
	return m;
}

/* One step with n descriptors of one kind (files of 16 MB); the result is in `res`. */
static enum vu_verdict step(struct vu_dev *dev, uint32_t request, const void *payload, uint32_t size,
			    unsigned n_fds, enum vu_fd_kind kind, uint32_t flags)
{
	struct vu_fd_fact *facts = calloc(n_fds ? n_fds : 1, sizeof(*facts));
	struct vu_msg *m = message(request, payload, size);

	for (unsigned i = 0; i < n_fds; i++)
		facts[i] = (struct vu_fd_fact){kind, kind == VU_FD_FILE ? 16 * MB : 0};
	m->flags |= flags;
	vu_step(dev, m, facts, n_fds, &res);
	free(m);
	free(facts);
	return res.verdict;
}

static enum vu_verdict plain(struct vu_dev *dev, uint32_t request)
{
	return step(dev, request, NULL, 0, 0, VU_FD_OTHER, 0);
}

static enum vu_verdict u64(struct vu_dev *dev, uint32_t request, uint64_t value)
{
	return step(dev, request, &value, sizeof(value), 0, VU_FD_OTHER, 0);
}

static enum vu_verdict ring(struct vu_dev *dev, uint32_t request, uint32_t index, uint32_t num)
{
	const struct vu_vring_state s = {index, num};

	return step(dev, request, &s, sizeof(s), 0, VU_FD_OTHER, 0);
}

static enum vu_verdict event(struct vu_dev *dev, uint32_t request, uint64_t index)
{
	return step(dev, request, &index, sizeof(index), 1, VU_FD_EVENT, 0);
}

static enum vu_verdict addr(struct vu_dev *dev, uint32_t index)
{
	const struct vu_vring_addr a = {.index = index, .desc = 0x1000, .avail = 0x2000, .used = 0x3000};

	return step(dev, VU_SET_VRING_ADDR, &a, sizeof(a), 0, VU_FD_OTHER, 0);
}

/* A memory table of n neighbours of 1 MB. */
static enum vu_verdict table(struct vu_dev *dev, uint32_t n)
{
	struct {
		uint32_t n, padding;
		struct vu_mem_region r[VU_MSG_FDS];
	} t = {.n = n};

	for (uint32_t i = 0; i < n; i++)
		t.r[i] = (struct vu_mem_region){i * MB, MB, 0x7f0000000000 + i * MB, 0};
	return step(dev, VU_SET_MEM_TABLE, &t, 8 + n * 32, n, VU_FD_FILE, 0);
}

static enum vu_verdict slot(struct vu_dev *dev, uint32_t request, struct vu_mem_region r)
{
	const struct {
		uint64_t padding;
		struct vu_mem_region r;
	} p = {0, r};
	bool add = request == VU_ADD_MEM_REG;

	return step(dev, request, &p, sizeof(p), add, VU_FD_FILE, VU_NEED_REPLY);
}

static void negotiate(struct vu_dev *dev, uint64_t proto)
{
	assert_int_equal(plain(dev, VU_SET_OWNER), VU_OK);
	assert_int_equal(u64(dev, VU_SET_PROTOCOL_FEATURES, proto), VU_OK);
	assert_int_equal(u64(dev, VU_SET_FEATURES, FEATURES), VU_OK);
}

static void start(struct vu_dev *dev, uint32_t i)
{
	assert_int_equal(ring(dev, VU_SET_VRING_NUM, i, 256), VU_OK);
	assert_int_equal(ring(dev, VU_SET_VRING_BASE, i, 0), VU_OK);
	assert_int_equal(addr(dev, i), VU_OK);
	assert_int_equal(event(dev, VU_SET_VRING_KICK, i), VU_OK);
	assert_int_equal(ring(dev, VU_SET_VRING_ENABLE, i, 1), VU_OK);
}

static struct vu_dev device(void)
{
	struct vu_dev dev;

	vu_dev_init(&dev, FEATURES, N_PAIRS, 0);
	return dev;
}

/* A negotiated device with memory whose first and last rings run. */
static struct vu_dev running(uint64_t proto)
{
	struct vu_dev dev = device();

	negotiate(&dev, proto);
	assert_int_equal(table(&dev, 2), VU_OK);
	start(&dev, 0);
	start(&dev, LAST);
	return dev;
}

static bool acted(enum vu_action_type type)
{
	for (unsigned i = 0; i < res.n_actions; i++)
		if (res.actions[i].type == type)
			return true;
	return false;
}

static bool says(const char *part)
{
	return strstr(res.text, part) != NULL;
}

/* ---- every request ---- */

static void check_step(const struct vu_dev *before, const struct vu_msg *m,
		       const struct vu_fd_fact *facts, unsigned n_fds)
{
	static struct vu_dev dev;
	const char *broken;

	memcpy(&dev, before, sizeof(dev));
	broken = proto_rules_step(&dev, m, facts, n_fds, &res);
	if (broken)
		fail_msg("request %u flags 0x%x size %u, %u descriptors: %s (%s)", m->request,
			 m->flags, m->size, n_fds, broken, res.text);
}

#define N_STATES 7

static void states_make(struct vu_dev s[N_STATES])
{
	s[0] = device();
	s[1] = device();
	assert_int_equal(plain(&s[1], VU_SET_OWNER), VU_OK);
	assert_int_equal(u64(&s[1], VU_SET_PROTOCOL_FEATURES, PROTO), VU_OK);
	s[2] = device();
	negotiate(&s[2], PROTO);
	s[3] = running(PROTO);
	s[4] = running(0); /* nothing can be acknowledged */
	s[5] = running(PROTO);
	for (uint64_t i = 2; i < VU_MEM_SLOTS; i++)
		assert_int_equal(slot(&s[5], VU_ADD_MEM_REG,
				      (struct vu_mem_region){i * MB, MB, 0x7f0000000000 + i * MB, 0}),
				 VU_OK);
	s[6] = running(PROTO);
	s[6].mtu_max = 1500;
	s[6].refused_logged = ~0ull;
}

/* Every state, request, flag and kind of descriptors with one payload; first, first + step … 9 of
 * them. */
static void everything_with(const struct vu_dev *states, const void *payload, uint32_t size,
			    unsigned first, unsigned step_fds)
{
	struct vu_msg *m = message(0, payload, size);

	for (unsigned n = first; n <= 9; n += step_fds)
		for (unsigned kind = VU_FD_EVENT; kind <= (n ? VU_FD_OTHER : VU_FD_EVENT); kind++) {
			struct vu_fd_fact *facts = calloc(n ? n : 1, sizeof(*facts));

			for (unsigned i = 0; i < n; i++)
				facts[i] = (struct vu_fd_fact){kind, 16 * MB};
			for (unsigned k = 0; k < N_STATES * 51 * 2; k++) {
				m->request = k / 2 % 51;
				m->flags = VU_VERSION | (k & 1 ? VU_NEED_REPLY : 0);
				check_step(&states[k / 102], m, facts, n);
			}
			free(facts);
		}
	free(m);
}

static void every_request_of_every_size_keeps_the_invariants(void **state)
{
	static struct vu_dev states[N_STATES];
	static uint8_t payload[VU_PAYLOAD_MAX];

	states_make(states);
	memset(payload, 0, sizeof(payload));
	for (uint32_t size = 0; size <= VU_PAYLOAD_MAX; size++)
		everything_with(states, payload, size, 0,
				size == 0 || size == 8 || size == 40 ? 1 : 9);
	memset(payload, 0xff, sizeof(payload));
	for (uint32_t size = 8; size <= VU_PAYLOAD_MAX; size += 32)
		everything_with(states, payload, size, 0, 1);
}

static void every_ring_number_keeps_the_invariants(void **state)
{
	static const uint32_t indexes[] = {0, LAST, LAST + 1, 255, 256, 256 + LAST, UINT32_MAX};
	static const uint32_t nums[] = {0, 1, 2, 3, 256, 1500, 32768, 32769, 65535, 65536, UINT32_MAX};
	static struct vu_dev states[N_STATES];

	states_make(states);
	for (unsigned i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		for (unsigned k = 0; k < sizeof(nums) / sizeof(nums[0]); k++) {
			/* Also as a u64: low half first, that is a ring, a size, features. */
			const uint32_t p[2] = {indexes[i], nums[k]}, q[2] = {nums[k], indexes[i] & 1};
			struct vu_vring_addr a = {indexes[i], 0, nums[k], nums[k] & ~1u,
						  nums[k] & ~3u, 0};

			everything_with(states, p, sizeof(p), 0, 1);
			everything_with(states, q, sizeof(q), 0, 3);
			everything_with(states, &a, sizeof(a), 0, 3);
		}
	}
}

static void every_memory_table_keeps_the_invariants(void **state)
{
	static const uint64_t places[] = {0, 2 * MB - 1, 2 * MB, 64 * MB, 1ull << 63,
					  UINT64_MAX - MB, UINT64_MAX - MB + 1};
	static const uint64_t sizes[] = {0, 1, MB, 16 * MB, 16 * MB + 1, UINT64_MAX};
	static struct vu_dev states[N_STATES];
	struct {
		uint32_t n, padding;
		struct vu_mem_region r[VU_MSG_FDS];
	} t = {0};

	states_make(states);
	for (unsigned i = 0; i < 7 * 7 * 6; i++) {
		uint64_t gpa = places[i % 7], other = places[i / 7 % 7], size = sizes[i / 49];
		struct vu_mem_region r = {gpa, size, other, i % 3 ? 0 : 16 * MB - size};

		t.r[0] = r;
		everything_with(states, &t, 40, 1, 8); /* as ADD_MEM_REG */
		t.n = 2;
		t.r[1] = (struct vu_mem_region){other, size, gpa ^ 1ull << (40 + i % 2), 0};
		everything_with(states, &t, 72, 2, 6);
		t.r[1] = (struct vu_mem_region){other ^ 1ull << (40 + i % 2), size, gpa, 0};
		everything_with(states, &t, 72, 2, 6);
		t.n = 0;
	}
	for (uint64_t i = 0; i < VU_MSG_FDS; i++)
		t.r[i] = (struct vu_mem_region){i * MB, MB, i * MB, 0};
	for (t.n = 0; t.n <= 9; t.n++)
		for (uint32_t said = 0; said <= VU_MSG_FDS; said++)
			everything_with(states, &t, 8 + said * 32, 0, 1);
}

/* ---- one rule each ---- */

static void qemu_handshake_ends_with_running_rings(void **state)
{
	struct vu_dev dev = device();

	assert_int_equal(plain(&dev, VU_GET_FEATURES), VU_OK);
	assert_true(res.reply.u.u64 == FEATURES);
	assert_int_equal(plain(&dev, VU_GET_PROTOCOL_FEATURES), VU_OK);
	assert_true(res.reply.u.u64 == PROTO);
	assert_int_equal(u64(&dev, VU_SET_PROTOCOL_FEATURES, PROTO), VU_OK);
	assert_int_equal(plain(&dev, VU_GET_QUEUE_NUM), VU_OK);
	assert_int_equal(res.reply.u.u64, N_PAIRS);
	assert_int_equal(plain(&dev, VU_GET_MAX_MEM_SLOTS), VU_OK);
	assert_int_equal(res.reply.u.u64, 64);
	assert_int_equal(plain(&dev, VU_SET_OWNER), VU_OK);
	assert_int_equal(plain(&dev, VU_GET_FEATURES), VU_OK);
	for (uint32_t i = 0; i < 2; i++) /* before any driver: masked notifiers */
		assert_int_equal(event(&dev, VU_SET_VRING_CALL, i), VU_OK);
	assert_int_equal(ring(&dev, VU_SET_VRING_ENABLE, 0, 1), VU_OK);
	assert_int_equal(ring(&dev, VU_SET_VRING_ENABLE, 1, 1), VU_OK);
	assert_int_equal(u64(&dev, VU_SET_FEATURES, FEATURES), VU_OK);
	assert_int_equal(table(&dev, 2), VU_OK);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(ring(&dev, VU_SET_VRING_NUM, i, 1024), VU_OK);
		assert_int_equal(ring(&dev, VU_SET_VRING_BASE, i, 0), VU_OK);
		assert_int_equal(addr(&dev, i), VU_OK);
		assert_int_equal(event(&dev, VU_SET_VRING_KICK, i), VU_OK);
		assert_true(acted(VU_ACT_RING_START));
		assert_int_equal(event(&dev, VU_SET_VRING_CALL, i), VU_OK);
		assert_true(vu_ring_runs(&dev, i));
	}
}

static void virtio_user_handshake_ends_with_running_rings(void **state)
{
	struct vu_dev dev = device();

	assert_int_equal(plain(&dev, VU_SET_OWNER), VU_OK);
	assert_int_equal(plain(&dev, VU_GET_FEATURES), VU_OK);
	assert_int_equal(plain(&dev, VU_GET_PROTOCOL_FEATURES), VU_OK);
	assert_int_equal(u64(&dev, VU_SET_PROTOCOL_FEATURES, PROTO & ~SLOTS), VU_OK);
	assert_int_equal(plain(&dev, VU_GET_QUEUE_NUM), VU_OK);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(event(&dev, VU_SET_VRING_CALL, i), VU_OK);
	assert_int_equal(u64(&dev, VU_SET_FEATURES, FEATURES), VU_OK);
	assert_int_equal(table(&dev, 1), VU_OK);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(ring(&dev, VU_SET_VRING_NUM, i, 256), VU_OK);
		assert_int_equal(ring(&dev, VU_SET_VRING_BASE, i, 0), VU_OK);
		assert_int_equal(addr(&dev, i), VU_OK);
		assert_int_equal(event(&dev, VU_SET_VRING_KICK, i), VU_OK);
		assert_false(vu_ring_runs(&dev, i));
	}
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(ring(&dev, VU_SET_VRING_ENABLE, i, 1), VU_OK);
		assert_true(acted(VU_ACT_RING_START));
	}
	assert_int_equal(ring(&dev, VU_SET_VRING_ENABLE, 2, 0), VU_OK);
	assert_int_equal(res.n_actions, 0);
	assert_false(vu_ring_runs(&dev, 2));
}

static void rings_enable_themselves_without_protocol_features(void **state)
{
	struct vu_dev dev = device();

	assert_int_equal(u64(&dev, VU_SET_FEATURES, VU_BIT(VIRTIO_F_VERSION_1)), VU_OK);
	assert_int_equal(table(&dev, 1), VU_OK);
	assert_int_equal(ring(&dev, VU_SET_VRING_NUM, 1, 256), VU_OK);
	assert_int_equal(addr(&dev, 1), VU_OK);
	assert_int_equal(event(&dev, VU_SET_VRING_KICK, 1), VU_OK);
	assert_true(vu_ring_runs(&dev, 1));
}

static void get_vring_base_stops_the_ring_and_tells_where(void **state)
{
	struct vu_dev dev = running(PROTO);

	assert_int_equal(ring(&dev, VU_GET_VRING_BASE, LAST, 0), VU_OK);
	assert_int_equal(dev.rings[LAST].phase, VU_RING_STOPPED);
	assert_int_equal(dev.rings[0].phase, VU_RING_STARTED);
	assert_int_equal(res.n_actions, 2);
	assert_int_equal(res.actions[0].type, VU_ACT_RING_STOP);
	assert_int_equal(res.actions[1].type, VU_ACT_RING_BASE);
	assert_int_equal(res.actions[1].ring, LAST);
	assert_int_equal(res.reply.u.state.index, LAST);
}

static void started_ring_keeps_size_and_base(void **state)
{
	struct vu_dev dev = running(0);

	assert_int_equal(ring(&dev, VU_SET_VRING_NUM, 0, 512), VU_VIOLATION);
	assert_true(says("SET_VRING_NUM: ring 0 is started"));
	assert_int_equal(ring(&dev, VU_SET_VRING_BASE, 0, 5), VU_VIOLATION);
	assert_int_equal(ring(&dev, VU_GET_VRING_BASE, 0, 0), VU_OK);
	assert_int_equal(ring(&dev, VU_SET_VRING_NUM, 0, 512), VU_OK);
}

static void ring_cannot_start_before_it_is_described(void **state)
{
	struct vu_dev dev = device();

	negotiate(&dev, PROTO);
	assert_int_equal(event(&dev, VU_SET_VRING_KICK, 0), VU_VIOLATION);
	assert_int_equal(ring(&dev, VU_SET_VRING_NUM, 0, 256), VU_OK);
	assert_int_equal(event(&dev, VU_SET_VRING_KICK, 0), VU_VIOLATION);
	assert_true(says("cannot start before"));
	assert_int_equal(addr(&dev, 0), VU_OK);
	assert_int_equal(event(&dev, VU_SET_VRING_KICK, 0), VU_OK);
}

static void ring_layout_features_are_fixed_while_a_ring_runs(void **state)
{
	struct vu_dev dev = running(0);

	assert_int_equal(u64(&dev, VU_SET_FEATURES, FEATURES & ~VU_BIT(VIRTIO_NET_F_MTU)), VU_OK);
	assert_int_equal(u64(&dev, VU_SET_FEATURES, FEATURES & ~VU_BIT(VIRTIO_NET_F_MRG_RXBUF)),
			 VU_VIOLATION);
	assert_true(says("while a ring is started"));
	assert_int_equal(ring(&dev, VU_GET_VRING_BASE, 0, 0), VU_OK);
	assert_int_equal(ring(&dev, VU_GET_VRING_BASE, LAST, 0), VU_OK);
	assert_int_equal(u64(&dev, VU_SET_FEATURES, FEATURES & ~VU_BIT(VIRTIO_NET_F_MRG_RXBUF)),
			 VU_OK);
}

/* Else a running ring would be none any more, and its descriptors be taken from under it. */
static void several_queues_stay_several_while_a_ring_runs(void **state)
{
	struct vu_dev dev = running(0);

	dev.features_offered |= VU_BIT(VIRTIO_NET_F_MQ);
	assert_int_equal(u64(&dev, VU_SET_FEATURES, FEATURES | VU_BIT(VIRTIO_NET_F_MQ)), VU_VIOLATION);
	assert_true(says("while a ring is started"));
}

static void features_that_were_not_offered_are_refused(void **state)
{
	struct vu_dev dev = device();

	assert_int_equal(u64(&dev, VU_SET_FEATURES, FEATURES | VU_BIT(34)), VU_VIOLATION);
	assert_true(says("SET_FEATURES: feature bits 0x400000000 were not offered"));
	assert_int_equal(u64(&dev, VU_SET_PROTOCOL_FEATURES, 1ull << 1), VU_VIOLATION);
}

static struct vu_mem_region region_at(uint64_t i)
{
	return (struct vu_mem_region){i * 2 * MB, MB, 0x7f0000000000 + i * 2 * MB, 0};
}

static void memory_has_64_slots(void **state)
{
	struct vu_dev dev = device();

	negotiate(&dev, PROTO);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(slot(&dev, VU_ADD_MEM_REG, region_at(i)), VU_OK);
	assert_int_equal(slot(&dev, VU_ADD_MEM_REG, region_at(64)), VU_REFUSED);
	assert_true(says("all 64 memory slots are in use"));
	assert_int_equal(slot(&dev, VU_REM_MEM_REG, region_at(7)), VU_OK);
	assert_int_equal(res.actions[0].type, VU_ACT_MEM_DEL);
	assert_int_equal(res.actions[0].slot, 7);
	assert_true(dev.regions[7].gpa == region_at(8).gpa);
	assert_int_equal(slot(&dev, VU_ADD_MEM_REG, region_at(64)), VU_OK);
	assert_int_equal(res.actions[0].slot, 63);
}

static void unknown_region_cannot_be_removed(void **state)
{
	struct vu_dev dev = device();
	struct vu_mem_region other = region_at(3);

	negotiate(&dev, PROTO);
	assert_int_equal(slot(&dev, VU_ADD_MEM_REG, region_at(3)), VU_OK);
	other.size--;
	assert_int_equal(slot(&dev, VU_REM_MEM_REG, other), VU_REFUSED);
	assert_int_equal(dev.n_regions, 1);
}

static void region_must_fit_its_file(void **state)
{
	struct vu_dev dev = device();
	struct vu_mem_region r = region_at(0);

	negotiate(&dev, PROTO);
	r.mmap_offset = 15 * MB;
	assert_int_equal(slot(&dev, VU_ADD_MEM_REG, r), VU_OK);
	r = region_at(1);
	r.mmap_offset = 15 * MB + 1;
	assert_int_equal(slot(&dev, VU_ADD_MEM_REG, r), VU_REFUSED);
	assert_true(says("ends at byte 16777217 of a file of 16777216"));
}

static void memory_slots_need_their_feature(void **state)
{
	struct vu_dev dev = device();

	negotiate(&dev, PROTO & ~SLOTS);
	assert_int_equal(slot(&dev, VU_ADD_MEM_REG, region_at(0)), VU_REFUSED);
	assert_true(says("CONFIGURE_MEM_SLOTS was not negotiated"));
}

static void new_memory_table_replaces_the_old_one(void **state)
{
	struct vu_dev dev = running(PROTO);

	assert_int_equal(table(&dev, 1), VU_OK);
	assert_int_equal(dev.n_regions, 1);
	assert_int_equal(res.n_actions, 3);
	assert_int_equal(res.actions[0].type, VU_ACT_MEM_CLEAR);
	assert_int_equal(res.actions[1].type, VU_ACT_MEM_ADD);
	assert_int_equal(res.actions[2].type, VU_ACT_RINGS_RESOLVE);
}

static void call_and_error_change_under_a_running_ring(void **state)
{
	struct vu_dev dev = running(PROTO);

	assert_int_equal(event(&dev, VU_SET_VRING_CALL, 0), VU_OK);
	assert_int_equal(res.n_actions, 1);
	assert_int_equal(res.actions[0].type, VU_ACT_RING_CALL);
	assert_int_equal(event(&dev, VU_SET_VRING_ERR, 0), VU_OK);
	assert_int_equal(res.n_actions, 1);
	assert_int_equal(res.actions[0].type, VU_ACT_RING_ERR);
	assert_true(vu_ring_runs(&dev, 0));
}

static void mtu_is_bounded_by_the_port(void **state)
{
	struct vu_dev dev = device();

	assert_int_equal(u64(&dev, VU_NET_SET_MTU, 67), VU_VIOLATION);
	assert_int_equal(u64(&dev, VU_NET_SET_MTU, 65536), VU_VIOLATION);
	assert_int_equal(u64(&dev, VU_NET_SET_MTU, 1ull << 32 | 1500), VU_VIOLATION);
	assert_int_equal(u64(&dev, VU_NET_SET_MTU, 9000), VU_OK);
	assert_int_equal(dev.mtu, 9000);
	assert_true(acted(VU_ACT_MTU));
	dev.mtu_max = 1500;
	assert_int_equal(u64(&dev, VU_NET_SET_MTU, 1501), VU_VIOLATION);
	assert_true(says("mtu 1501 is larger than the port's 1500"));
	assert_int_equal(u64(&dev, VU_NET_SET_MTU, 1500), VU_OK);
}

static void need_reply_is_answered_once_it_was_negotiated(void **state)
{
	struct vu_dev dev = device();

	assert_int_equal(step(&dev, VU_SET_OWNER, NULL, 0, 0, 0, VU_NEED_REPLY), VU_OK);
	assert_false(res.has_reply);
	assert_int_equal(u64(&dev, VU_SET_PROTOCOL_FEATURES, ACK), VU_OK);
	assert_int_equal(step(&dev, VU_SET_OWNER, NULL, 0, 0, 0, VU_NEED_REPLY), VU_OK);
	assert_true(res.has_reply);
	assert_int_equal(res.reply.u.u64, 0);
}

static void refusal_is_said_once(void **state)
{
	struct vu_dev dev = device();

	negotiate(&dev, PROTO);
	assert_int_equal(slot(&dev, VU_REM_MEM_REG, region_at(0)), VU_REFUSED);
	assert_true(acted(VU_ACT_LOG));
	assert_int_equal(slot(&dev, VU_REM_MEM_REG, region_at(0)), VU_REFUSED);
	assert_int_equal(res.n_actions, 0);
	assert_int_equal(res.reply.u.u64, 1);
}

static void kick_may_come_without_a_descriptor(void **state)
{
	struct vu_dev dev = running(PROTO);
	uint64_t none = 1u << 8;

	assert_int_equal(u64(&dev, VU_SET_VRING_KICK, none), VU_OK);
	assert_int_equal(res.actions[1].type, VU_ACT_RING_KICK);
	assert_int_equal(res.actions[1].fd, -1);
	assert_int_equal(event(&dev, VU_SET_VRING_KICK, none), VU_VIOLATION);
	assert_int_equal(u64(&dev, VU_SET_VRING_KICK, 0), VU_VIOLATION);
	assert_true(says("0 descriptors came with a message that announces one"));
}

static void reset_owner_stops_all_rings(void **state)
{
	struct vu_dev dev = running(PROTO);

	assert_int_equal(plain(&dev, VU_RESET_OWNER), VU_OK);
	assert_int_equal(res.n_actions, 2);
	assert_int_equal(dev.rings[0].phase, VU_RING_STOPPED);
	assert_int_equal(dev.rings[LAST].phase, VU_RING_STOPPED);
}

static void request_that_awaits_an_unknown_answer_is_a_violation(void **state)
{
	struct vu_dev dev = running(PROTO);

	assert_int_equal(step(&dev, 24, NULL, 0, 0, 0, VU_NEED_REPLY), VU_VIOLATION);
	assert_true(says("GET_CONFIG: needs a feature that was not offered"));
	assert_int_equal(step(&dev, 200, NULL, 0, 0, 0, 0), VU_REFUSED);
	assert_true(says("request 200 is unknown"));
}

static void headers_of_replies_and_other_versions_are_violations(void **state)
{
	struct vu_dev dev = device();

	assert_int_equal(step(&dev, VU_SET_OWNER, NULL, 0, 0, 0, VU_REPLY), VU_VIOLATION);
	assert_int_equal(step(&dev, VU_SET_OWNER, NULL, 0, 0, 0, 2), VU_VIOLATION);
	assert_int_equal(u64(&dev, VU_SET_OWNER, 0), VU_VIOLATION);
	assert_true(says("SET_OWNER: 8 bytes of payload instead of 0"));
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_request_of_every_size_keeps_the_invariants),
		T(every_ring_number_keeps_the_invariants),
		T(every_memory_table_keeps_the_invariants),
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
