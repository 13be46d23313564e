/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/proto_talk.h"

#include <stdlib.h>
#include <string.h>

struct vu_result talk_res;

struct vu_msg *talk_message(uint32_t request, const void *payload, uint32_t size)
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

enum vu_verdict talk_step(struct vu_dev *dev, uint32_t request, const void *payload, uint32_t size,
			  unsigned n_fds, enum vu_fd_kind kind, uint32_t flags)
{
	struct vu_fd_fact *facts = calloc(n_fds ? n_fds : 1, sizeof(*facts));
	struct vu_msg *m = talk_message(request, payload, size);

	for (unsigned i = 0; i < n_fds; i++)
		facts[i] = (struct vu_fd_fact){kind, kind == VU_FD_FILE ? 16 * MB : 0};
	m->flags |= flags;
	vu_step(dev, m, facts, n_fds, &talk_res);
	free(m);
	free(facts);
	return talk_res.verdict;
}

enum vu_verdict talk_plain(struct vu_dev *dev, uint32_t request)
{
	return talk_step(dev, request, NULL, 0, 0, VU_FD_OTHER, 0);
}

enum vu_verdict talk_u64(struct vu_dev *dev, uint32_t request, uint64_t value)
{
	return talk_step(dev, request, &value, sizeof(value), 0, VU_FD_OTHER, 0);
}

enum vu_verdict talk_ring(struct vu_dev *dev, uint32_t request, uint32_t index, uint32_t num)
{
	const struct vu_vring_state s = {index, num};

	return talk_step(dev, request, &s, sizeof(s), 0, VU_FD_OTHER, 0);
}

enum vu_verdict talk_event(struct vu_dev *dev, uint32_t request, uint64_t index)
{
	return talk_step(dev, request, &index, sizeof(index), 1, VU_FD_EVENT, 0);
}

enum vu_verdict talk_addr(struct vu_dev *dev, uint32_t index)
{
	const struct vu_vring_addr a = {
		.index = index, .desc = 0x1000, .avail = 0x2000, .used = 0x3000};

	return talk_step(dev, VU_SET_VRING_ADDR, &a, sizeof(a), 0, VU_FD_OTHER, 0);
}

enum vu_verdict talk_table(struct vu_dev *dev, uint32_t n)
{
	struct {
		uint32_t n, padding;
		struct vu_mem_region r[VU_MSG_FDS];
	} t = {.n = n};

	for (uint32_t i = 0; i < n; i++)
		t.r[i] = (struct vu_mem_region){i * MB, MB, 0x7f0000000000 + i * MB, 0};
	return talk_step(dev, VU_SET_MEM_TABLE, &t, 8 + n * 32, n, VU_FD_FILE, 0);
}

enum vu_verdict talk_slot(struct vu_dev *dev, uint32_t request, struct vu_mem_region r)
{
	const struct {
		uint64_t padding;
		struct vu_mem_region r;
	} p = {0, r};
	bool add = request == VU_ADD_MEM_REG;

	return talk_step(dev, request, &p, sizeof(p), add, VU_FD_FILE, VU_NEED_REPLY);
}

void talk_negotiate(struct vu_dev *dev, uint64_t proto)
{
	assert_int_equal(talk_plain(dev, VU_SET_OWNER), VU_OK);
	assert_int_equal(talk_u64(dev, VU_SET_PROTOCOL_FEATURES, proto), VU_OK);
	assert_int_equal(talk_u64(dev, VU_SET_FEATURES, FEATURES), VU_OK);
}

void talk_start(struct vu_dev *dev, uint32_t i)
{
	assert_int_equal(talk_ring(dev, VU_SET_VRING_NUM, i, 256), VU_OK);
	assert_int_equal(talk_ring(dev, VU_SET_VRING_BASE, i, 0), VU_OK);
	assert_int_equal(talk_addr(dev, i), VU_OK);
	assert_int_equal(talk_event(dev, VU_SET_VRING_KICK, i), VU_OK);
	assert_int_equal(talk_ring(dev, VU_SET_VRING_ENABLE, i, 1), VU_OK);
}

struct vu_dev talk_device(void)
{
	struct vu_dev dev;

	vu_dev_init(&dev, FEATURES, N_PAIRS, 0);
	return dev;
}

struct vu_dev talk_running(uint64_t proto)
{
	struct vu_dev dev = talk_device();

	talk_negotiate(&dev, proto);
	assert_int_equal(talk_table(&dev, 2), VU_OK);
	talk_start(&dev, 0);
	talk_start(&dev, LAST);
	return dev;
}
