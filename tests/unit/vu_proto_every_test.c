/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user protocol step with every message in every state: what tests/unit/proto_rules.h says holds.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/proto_rules.h"
#include "tests/unit/proto_talk.h"

static void check_step(const struct vu_dev *before, const struct vu_msg *m,
		       const struct vu_fd_fact *facts, unsigned n_fds)
{
	static struct vu_dev dev;
	const char *broken;

	memcpy(&dev, before, sizeof(dev));
	broken = proto_rules_step(&dev, m, facts, n_fds, &talk_res);
	if (broken)
		fail_msg("request %u flags 0x%x size %u, %u descriptors: %s (%s)", m->request,
			 m->flags, m->size, n_fds, broken, talk_res.text);
}

#define N_STATES 7

static void states_make(struct vu_dev s[N_STATES])
{
	s[0] = talk_device();
	s[1] = talk_device();
	assert_int_equal(talk_plain(&s[1], VU_SET_OWNER), VU_OK);
	assert_int_equal(talk_u64(&s[1], VU_SET_PROTOCOL_FEATURES, PROTO), VU_OK);
	s[2] = talk_device();
	talk_negotiate(&s[2], PROTO);
	s[3] = talk_running(PROTO);
	s[4] = talk_running(0); /* nothing can be acknowledged */
	s[5] = talk_running(PROTO);
	for (uint64_t i = 2; i < VU_MEM_SLOTS; i++)
		assert_int_equal(talk_slot(&s[5], VU_ADD_MEM_REG,
				      (struct vu_mem_region){i * MB, MB, 0x7f0000000000 + i * MB, 0}),
				 VU_OK);
	s[6] = talk_running(PROTO);
	s[6].mtu_max = 1500;
	s[6].refused_logged = ~0ull;
}

/* Every state, request, flag and kind of descriptors with one payload; first, first + step … 9 of
 * them. */
static void everything_with(const struct vu_dev *states, const void *payload, uint32_t size,
			    unsigned first, unsigned step_fds)
{
	struct vu_msg *m = talk_message(0, payload, size);

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

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_request_of_every_size_keeps_the_invariants),
		T(every_ring_number_keeps_the_invariants),
		T(every_memory_table_keeps_the_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
