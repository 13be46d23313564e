/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user protocol: sequences of messages with descriptors of all kinds, against the step
 * function.
 *
 * How      After each step its rules hold (tests/unit/proto_rules.h), and a device that carries
 *          out nothing but the actions has the memory and the running rings that the state says. A
 *          violation ends the connection, as it does in the product; the next one begins afresh.
 *          Messages lie in blocks of exactly their size.
 */
#include "tests/fuzz/input.h"
#include "tests/unit/proto_rules.h"

#define MB (1ull << 20)

/* The device, as far as actions tell. */
struct model {
	unsigned n_regions;
	uint64_t regions[VU_MEM_SLOTS]; /* guest addresses */
	bool kick[VU_QUEUES_MAX], runs[VU_QUEUES_MAX];
};

static struct vu_dev dev;
static struct model model;
static struct vu_result res;

static void act(const struct vu_action *a)
{
	switch (a->type) {
	case VU_ACT_MEM_CLEAR:
		model.n_regions = 0;
		memset(model.runs, 0, sizeof(model.runs));
		break;
	case VU_ACT_MEM_ADD:
		FUZZ_CHECK(a->slot == model.n_regions, "added as %u", a->slot);
		model.regions[model.n_regions++] = dev.regions[a->slot].gpa;
		break;
	case VU_ACT_MEM_DEL:
		FUZZ_CHECK(a->slot < model.n_regions, "slot %u", a->slot);
		memset(model.runs, 0, sizeof(model.runs));
		model.n_regions--;
		memmove(&model.regions[a->slot], &model.regions[a->slot + 1],
			(model.n_regions - a->slot) * sizeof(model.regions[0]));
		break;
	case VU_ACT_RINGS_RESOLVE:
		for (unsigned i = 0; i < dev.n_rings; i++)
			model.runs[i] |= vu_ring_runs(&dev, i);
		break;
	case VU_ACT_RING_KICK:
		FUZZ_CHECK(!model.runs[a->ring], "ring %u runs while its kick changes", a->ring);
		model.kick[a->ring] = true;
		break;
	case VU_ACT_RING_START:
		FUZZ_CHECK(!model.runs[a->ring], "ring %u runs already", a->ring);
		FUZZ_CHECK(model.kick[a->ring], "ring %u was never given a kick", a->ring);
		model.runs[a->ring] = true;
		break;
	case VU_ACT_RING_STOP:
		model.runs[a->ring] = false;
		break;
	case VU_ACT_FEATURES:
	case VU_ACT_RING_CALL:
	case VU_ACT_RING_ERR:
	case VU_ACT_RING_BASE:
	case VU_ACT_MTU:
	case VU_ACT_LOG:
		break;
	}
}

static void model_compare(void)
{
	FUZZ_CHECK(model.n_regions == dev.n_regions, "%u and %u", model.n_regions, dev.n_regions);
	for (unsigned i = 0; i < dev.n_regions; i++)
		FUZZ_CHECK(model.regions[i] == dev.regions[i].gpa, "region %u", i);
	for (unsigned i = 0; i < dev.n_rings; i++)
		FUZZ_CHECK(model.runs[i] == vu_ring_runs(&dev, i), "ring %u", i);
}

/* A number of which the interesting ones are near. */
static uint64_t edge(struct input *in)
{
	static const uint64_t near[] = {
		0,
		1,
		2,
		3,
		MB,
		MB - 1,
		16 * MB,
		16 * MB + 1,
		1500,
		65535,
		32768,
		256,
		0x7f0000000000,
		0x7f0000001000,
		68,
		1ull << 63,
		UINT64_MAX,
		UINT32_MAX,
		UINT64_MAX - MB,
		0x100,
	};
	uint8_t pick = in_u8(in);

	if (pick < 128)
		return pick;
	if (pick < 250)
		return near[pick % (sizeof(near) / sizeof(near[0]))];
	return in_u64(in);
}

static struct vu_mem_region region(struct input *in)
{
	uint8_t sane = in_u8(in);

	/* Most are neighbours of 1 MB each, as a front end's are. */
	if (sane < 192)
		return (struct vu_mem_region){sane % 80 * MB, MB, 0x7f0000000000 + sane % 80 * MB,
					      0};
	return (struct vu_mem_region){edge(in), edge(in), edge(in), edge(in)};
}

/* Fills the payload that a request of this kind has; returns its bytes. */
static uint32_t payload(struct input *in, struct vu_msg *m)
{
	switch (m->request) {
	case VU_SET_MEM_TABLE:
		m->u.mem.n_regions = in_below(in, VU_MSG_FDS + 2);
		for (unsigned i = 0; i < VU_MSG_FDS; i++)
			m->u.mem.regions[i] =
				i < m->u.mem.n_regions ? region(in) : (struct vu_mem_region){0};
		return 8 + (m->u.mem.n_regions > 8 ? 8 : m->u.mem.n_regions) * 32;
	case VU_ADD_MEM_REG:
	case VU_REM_MEM_REG:
		m->u.mem_reg.padding = 0;
		m->u.mem_reg.region = region(in);
		return 40;
	case VU_SET_VRING_ADDR:
		m->u.addr = (struct vu_vring_addr){.index = (uint32_t)edge(in),
						   .desc = edge(in) << 4,
						   .avail = edge(in) << 1,
						   .used = edge(in) << 2};
		return 40;
	case VU_SET_VRING_NUM:
	case VU_SET_VRING_BASE:
	case VU_SET_VRING_ENABLE:
	case VU_GET_VRING_BASE:
		m->u.state = (struct vu_vring_state){(uint32_t)edge(in), (uint32_t)edge(in)};
		return 8;
	case VU_SET_FEATURES:
		/* Those that were offered, but for some bits. */
		m->u.u64 = dev.features_offered & ~(1ull << in_u8(in) % 64) &
			   ~(1ull << in_u8(in) % 64);
		if (in_u8(in) > 250)
			m->u.u64 = in_u64(in);
		return 8;
	case VU_GET_FEATURES:
	case VU_GET_PROTOCOL_FEATURES:
	case VU_GET_QUEUE_NUM:
	case VU_GET_MAX_MEM_SLOTS:
	case VU_SET_OWNER:
	case VU_RESET_OWNER:
		return 0;
	default:
		m->u.u64 = edge(in);
		return 8;
	}
}

/* As many descriptors as the message should have, of the kind that it should have; or any. */
static unsigned descriptors(struct input *in, const struct vu_msg *m, struct vu_fd_fact *facts)
{
	bool is_event = m->request >= VU_SET_VRING_KICK && m->request <= VU_SET_VRING_ERR;
	uint8_t how = in_u8(in);
	unsigned n = m->request == VU_ADD_MEM_REG;

	if (m->request == VU_SET_MEM_TABLE)
		n = m->u.mem.n_regions % (VU_MSG_FDS + 1);
	if (is_event)
		n = !(m->u.u64 >> 8 & 1);
	if (how >= 224)
		n = how % (VU_MSG_FDS + 2);
	for (unsigned i = 0; i < n; i++) {
		enum vu_fd_kind kind = is_event ? VU_FD_EVENT : VU_FD_FILE;

		if (how % 8 == 0)
			kind = in_u8(in) % 3;

		facts[i] = (struct vu_fd_fact){kind, kind == VU_FD_FILE ? 16 * MB : 0};
	}
	return n;
}

static void connection_begin(void)
{
	vu_dev_reset(&dev);
	memset(&model, 0, sizeof(model));
}

static void message_take(struct input *in)
{
	struct vu_fd_fact facts[VU_MSG_FDS + 2], *exact_facts;
	struct vu_msg m = {.request = in_u8(in) % 48}, *exact;
	uint8_t how = in_u8(in);
	unsigned n_fds;
	const char *broken;

	m.flags = VU_VERSION | (how & 1 ? VU_NEED_REPLY : 0);
	m.size = payload(in, &m);
	if (how >= 252) {
		m.size = in_u16(in) % (VU_PAYLOAD_MAX + 1);
		in_bytes(in, m.u.bytes, m.size < 16 ? m.size : 16);
		m.flags = how == 255 ? in_u32(in) : m.flags;
		m.request = how == 254 ? in_u32(in) : m.request;
	}
	n_fds = descriptors(in, &m, facts);
	/* Blocks of exactly their size: a read beyond is seen. */
	exact = malloc(offsetof(struct vu_msg, u) + m.size);
	memcpy(exact, &m, offsetof(struct vu_msg, u) + m.size);
	exact_facts = malloc(n_fds * sizeof(*facts));
	memcpy(exact_facts, facts, n_fds * sizeof(*facts));
	broken = proto_rules_step(&dev, exact, exact_facts, n_fds, &res);
	FUZZ_CHECK(!broken, "request %u, %u descriptors: %s (%s)", m.request, n_fds, broken,
		   res.text);
	free(exact);
	free(exact_facts);
	for (unsigned i = 0; i < res.n_actions; i++)
		act(&res.actions[i]);
	model_compare();
	if (res.verdict == VU_VIOLATION)
		connection_begin();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t how = in_u8(&in);
	uint64_t features = VU_BIT(VIRTIO_F_VERSION_1) | VU_BIT(VIRTIO_NET_F_MRG_RXBUF) |
			    VU_BIT(VIRTIO_RING_F_EVENT_IDX) | VU_BIT(VIRTIO_NET_F_MTU) |
			    (how & 8 ? VU_BIT(VIRTIO_NET_F_MQ) : 0) | VU_OFFLOADS |
			    VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES);

	memset(&dev, 0, sizeof(dev));
	vu_dev_init(&dev, features, 1 + how % 8, how & 16 ? 1500 : 0);
	connection_begin();
	for (unsigned i = 0; i < 200 && in.left; i++)
		message_take(&in);
	return 0;
}
