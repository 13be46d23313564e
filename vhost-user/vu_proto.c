/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user protocol's step function; see vhost-user/vu_proto.h.
 *
 * Trust    Handlers see a message whose size and descriptor count fit its row of the table; all
 *          else is checked in them.
 */
#include "vhost-user/vu_proto.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "vhost-user/vu_offer.h"

#define QUEUE_MASK 0xffu    /* payload of SET_VRING_KICK, CALL, ERR: ring number */
#define NOFD_BIT   (1u << 8) /* … and: no descriptor comes with it */

#define MTU_MIN 68
#define MTU_MAX 65535

/* Features that fix how rings are read, and which there are: they may not change while one is started. */
#define RING_FEATURES                                                                           \
	(VU_BIT(VIRTIO_NET_F_MQ) | VU_BIT(VIRTIO_NET_F_MRG_RXBUF) |                             \
	 VU_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VU_BIT(VIRTIO_RING_F_EVENT_IDX) |                \
	 VU_BIT(VIRTIO_F_VERSION_1) | VU_OFFLOADS)

/* One step: what handlers need, in one hand. */
struct step {
	struct vu_dev *dev;
	const struct vu_msg *msg;
	const struct vu_fd_fact *fds;
	unsigned n_fds;
	struct vu_result *out;
};

static void act(struct step *s, enum vu_action_type type, unsigned ring, int fd, unsigned slot)
{
	struct vu_action *a = &s->out->actions[s->out->n_actions++];

	a->type = type;
	a->ring = (uint8_t)ring;
	a->fd = (int8_t)fd;
	a->slot = (uint8_t)slot;
}

static void __attribute__((format(printf, 3, 4)))
verdict(struct step *s, enum vu_verdict v, const char *fmt, ...)
{
	char text[sizeof(s->out->text) - 32];
	const char *name = vu_request_name(s->msg->request);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->out->verdict = v;
	s->out->n_actions = 0;
	s->out->has_reply = false;
	snprintf(s->out->text, sizeof(s->out->text), "%s: %s", name ? name : "message", text);
}

#define refuse(s, ...)	verdict(s, VU_REFUSED, __VA_ARGS__)
#define violate(s, ...) verdict(s, VU_VIOLATION, __VA_ARGS__)

static void reply_u64(struct step *s, uint64_t value)
{
	struct vu_msg *r = &s->out->reply;

	r->request = s->msg->request;
	r->flags = VU_VERSION | VU_REPLY;
	r->size = sizeof(r->u.u64);
	r->u.u64 = value;
	s->out->has_reply = true;
}

static bool any_started(const struct vu_dev *dev)
{
	for (unsigned i = 0; i < dev->n_rings; i++)
		if (dev->rings[i].phase == VU_RING_STARTED)
			return true;
	return false;
}

/* The ring that a message is about, or NULL after a violation. */
static struct vu_ring_state *ring_of(struct step *s, uint64_t index)
{
	if (index >= s->dev->n_rings) {
		violate(s, "ring %llu of a device with rings 0-%u", (unsigned long long)index,
			s->dev->n_rings - 1);
		return NULL;
	}
	return &s->dev->rings[index];
}

static void on_get_features(struct step *s)
{
	reply_u64(s, s->dev->features_offered);
}

static void on_set_features(struct step *s)
{
	struct vu_dev *dev = s->dev;
	uint64_t f = s->msg->u.u64, unknown = f & ~dev->features_offered;

	if (unknown) {
		refuse(s, "feature bits 0x%llx were not offered", (unsigned long long)unknown);
		return;
	}
	if (any_started(dev) && (f ^ dev->features) & RING_FEATURES) {
		refuse(s, "the ring layout cannot change while a ring is started");
		return;
	}
	dev->features = f;
	dev->phase = VU_NEGOTIATED;
	act(s, VU_ACT_FEATURES, 0, -1, 0);
}

static void on_set_owner(struct step *s)
{
	if (s->dev->phase == VU_NEW)
		s->dev->phase = VU_OWNED;
}

static void on_reset_owner(struct step *s)
{
	/* Deprecated; the specification asks back ends to disable all rings. */
	for (unsigned i = 0; i < s->dev->n_rings; i++) {
		if (s->dev->rings[i].phase == VU_RING_STARTED)
			act(s, VU_ACT_RING_STOP, i, -1, 0);
		s->dev->rings[i].phase = VU_RING_STOPPED;
		s->dev->rings[i].enabled = false;
	}
	s->dev->phase = VU_NEW;
}

static void on_get_protocol_features(struct step *s)
{
	reply_u64(s, vu_offer_protocol());
}

static void on_set_protocol_features(struct step *s)
{
	uint64_t f = s->msg->u.u64;

	if (f & ~vu_offer_protocol()) {
		refuse(s, "protocol feature bits 0x%llx were not offered",
		       (unsigned long long)(f & ~vu_offer_protocol()));
		return;
	}
	s->dev->proto_features = f;
}

static void on_get_queue_num(struct step *s)
{
	reply_u64(s, s->dev->n_rings / 2);
}

static void on_get_max_mem_slots(struct step *s)
{
	reply_u64(s, VU_MEM_SLOTS);
}

static bool ranges_overlap(uint64_t a, uint64_t b, uint64_t a_size, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* True when region r is sane by itself, fits its file and overlaps none of the n before it. */
static bool region_check(struct step *s, const struct vu_mem_region *r, const struct vu_fd_fact *fd,
			 const struct vu_mem_region *others, unsigned n)
{
	unsigned long long gpa = r->gpa;

	if (!r->size || r->gpa + r->size < r->gpa || r->uva + r->size < r->uva ||
	    r->mmap_offset + r->size < r->mmap_offset) {
		refuse(s, "the region at guest address 0x%llx is empty or wraps around", gpa);
		return false;
	}
	if (fd->kind != VU_FD_FILE) {
		refuse(s, "the region at guest address 0x%llx is in no memfd, nor in a writable file in "
			  "tmpfs or hugetlbfs", gpa);
		return false;
	}
	if (r->mmap_offset + r->size > fd->size) {
		refuse(s, "the region at guest address 0x%llx ends at byte %llu of a file of %llu", gpa,
		       (unsigned long long)(r->mmap_offset + r->size), (unsigned long long)fd->size);
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		if (ranges_overlap(r->gpa, others[i].gpa, r->size, others[i].size) ||
		    ranges_overlap(r->uva, others[i].uva, r->size, others[i].size)) {
			refuse(s, "the regions at guest addresses 0x%llx and 0x%llx overlap", gpa,
			       (unsigned long long)others[i].gpa);
			return false;
		}
	return true;
}

static void on_set_mem_table(struct step *s)
{
	const struct vu_msg *m = s->msg;
	uint32_t n = m->size < 8 ? 0 : m->u.mem.n_regions;

	if (n < 1 || n > VU_MSG_FDS || m->size != 8 + n * sizeof(m->u.mem.regions[0])) {
		violate(s, "%u regions in a message of %u bytes", n, m->size);
		return;
	}
	if (s->n_fds != n) {
		violate(s, "%u regions came with %u descriptors", n, s->n_fds);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (!region_check(s, &m->u.mem.regions[i], &s->fds[i], m->u.mem.regions, i))
			return;
	act(s, VU_ACT_MEM_CLEAR, 0, -1, 0);
	for (unsigned i = 0; i < n; i++) {
		s->dev->regions[i] = m->u.mem.regions[i];
		act(s, VU_ACT_MEM_ADD, 0, (int)i, i);
	}
	s->dev->n_regions = n;
	act(s, VU_ACT_RINGS_RESOLVE, 0, -1, 0);
}

static bool slots_negotiated(struct step *s)
{
	if (s->dev->proto_features & VU_BIT(VU_PROTO_CONFIGURE_MEM_SLOTS))
		return true;
	refuse(s, "CONFIGURE_MEM_SLOTS was not negotiated");
	return false;
}

static void on_add_mem_reg(struct step *s)
{
	const struct vu_mem_region *r = &s->msg->u.mem_reg.region;
	struct vu_dev *dev = s->dev;

	if (!slots_negotiated(s))
		return;
	if (dev->n_regions == VU_MEM_SLOTS) {
		refuse(s, "all %d memory slots are in use", VU_MEM_SLOTS);
		return;
	}
	if (!region_check(s, r, &s->fds[0], dev->regions, dev->n_regions))
		return;
	dev->regions[dev->n_regions] = *r;
	act(s, VU_ACT_MEM_ADD, 0, 0, dev->n_regions);
	dev->n_regions++;
	act(s, VU_ACT_RINGS_RESOLVE, 0, -1, 0);
}

static void on_rem_mem_reg(struct step *s)
{
	const struct vu_mem_region *r = &s->msg->u.mem_reg.region;
	struct vu_dev *dev = s->dev;

	if (!slots_negotiated(s))
		return;
	for (unsigned i = 0; i < dev->n_regions; i++) {
		const struct vu_mem_region *have = &dev->regions[i];

		if (have->gpa != r->gpa || have->uva != r->uva || have->size != r->size)
			continue;
		memmove(&dev->regions[i], &dev->regions[i + 1],
			(dev->n_regions - i - 1) * sizeof(dev->regions[0]));
		dev->n_regions--;
		act(s, VU_ACT_MEM_DEL, 0, -1, i);
		act(s, VU_ACT_RINGS_RESOLVE, 0, -1, 0);
		return;
	}
	refuse(s, "no region at guest address 0x%llx with that size", (unsigned long long)r->gpa);
}

static void on_set_vring_num(struct step *s)
{
	struct vu_ring_state *r = ring_of(s, s->msg->u.state.index);
	uint32_t num = s->msg->u.state.num;

	if (!r)
		return;
	if (num < 1 || num > VU_RING_MAX || num & (num - 1)) {
		refuse(s, "a ring of %u entries; a power of two up to %d is needed", num, VU_RING_MAX);
		return;
	}
	if (r->phase == VU_RING_STARTED) {
		refuse(s, "ring %u is started; its size cannot change", s->msg->u.state.index);
		return;
	}
	r->num = (uint16_t)num;
}

static void on_set_vring_addr(struct step *s)
{
	const struct vu_vring_addr *a = &s->msg->u.addr;
	struct vu_ring_state *r = ring_of(s, a->index);

	if (!r)
		return;
	/* virtio 1.1, 2.6: alignment of the three parts of a split ring. */
	if (!a->desc || !a->avail || !a->used || a->desc % 16 || a->avail % 2 || a->used % 4) {
		refuse(s, "ring %u: a part of the ring is at 0 or not aligned to 16, 2 and 4 bytes",
		       a->index);
		return;
	}
	r->addr = *a;
	r->has_addr = true;
	if (vu_ring_runs(s->dev, a->index)) {
		act(s, VU_ACT_RING_STOP, a->index, -1, 0);
		act(s, VU_ACT_RING_START, a->index, -1, 0);
	}
}

static void on_set_vring_base(struct step *s)
{
	struct vu_ring_state *r = ring_of(s, s->msg->u.state.index);
	uint32_t num = s->msg->u.state.num;

	if (!r)
		return;
	if (num > UINT16_MAX) {
		refuse(s, "ring %u: position %u is beyond 65535", s->msg->u.state.index, num);
		return;
	}
	if (r->phase == VU_RING_STARTED) {
		refuse(s, "ring %u is started; its position cannot change", s->msg->u.state.index);
		return;
	}
	r->base = (uint16_t)num;
}

static void on_get_vring_base(struct step *s)
{
	uint32_t i = s->msg->u.state.index;
	struct vu_ring_state *r = ring_of(s, i);
	struct vu_msg *reply = &s->out->reply;

	if (!r)
		return;
	r->phase = VU_RING_STOPPED;
	act(s, VU_ACT_RING_STOP, i, -1, 0);
	act(s, VU_ACT_RING_BASE, i, -1, 0);
	reply->request = s->msg->request;
	reply->flags = VU_VERSION | VU_REPLY;
	reply->size = sizeof(reply->u.state);
	reply->u.state.index = i;
	reply->u.state.num = r->base;
	s->out->has_reply = true;
}

/* The ring of a message that brings an event descriptor; *fd is 0, or -1 when it says there is none. */
static struct vu_ring_state *event_ring(struct step *s, int *fd)
{
	uint64_t u = s->msg->u.u64;
	struct vu_ring_state *r = ring_of(s, u & QUEUE_MASK);

	if (!r)
		return NULL;
	if (u & NOFD_BIT ? s->n_fds != 0 : s->n_fds != 1) {
		violate(s, "ring %u: %u descriptors came with a message that announces %s",
			(unsigned)(u & QUEUE_MASK), s->n_fds, u & NOFD_BIT ? "none" : "one");
		return NULL;
	}
	if (s->n_fds && s->fds[0].kind != VU_FD_EVENT) {
		refuse(s, "ring %u: the descriptor is no eventfd", (unsigned)(u & QUEUE_MASK));
		return NULL;
	}
	*fd = s->n_fds ? 0 : -1;
	return r;
}

static void on_set_vring_kick(struct step *s)
{
	unsigned i = s->msg->u.u64 & QUEUE_MASK;
	int fd;
	struct vu_ring_state *r = event_ring(s, &fd);

	if (!r)
		return;
	if (s->dev->phase != VU_NEGOTIATED || !r->num || !r->has_addr) {
		refuse(s, "ring %u cannot start before its features, size and addresses are set", i);
		return;
	}
	if (vu_ring_runs(s->dev, i))
		act(s, VU_ACT_RING_STOP, i, -1, 0);
	act(s, VU_ACT_RING_KICK, i, fd, 0);
	r->phase = VU_RING_STARTED;
	if (!(s->dev->features & VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
		r->enabled = true;
	if (vu_ring_runs(s->dev, i))
		act(s, VU_ACT_RING_START, i, -1, 0);
}

/* Call and error descriptors change under a running ring: QEMU changes the one for calls whenever a
 * guest masks an interrupt, and no frame must be lost for that. */
static void event_swap(struct step *s, enum vu_action_type type)
{
	unsigned i = s->msg->u.u64 & QUEUE_MASK;
	int fd;

	if (event_ring(s, &fd))
		act(s, type, i, fd, 0);
}

static void on_set_vring_call(struct step *s)
{
	event_swap(s, VU_ACT_RING_CALL);
}

static void on_set_vring_err(struct step *s)
{
	event_swap(s, VU_ACT_RING_ERR);
}

static void on_set_vring_enable(struct step *s)
{
	uint32_t i = s->msg->u.state.index, on = s->msg->u.state.num;
	struct vu_ring_state *r = ring_of(s, i);
	bool ran;

	if (!r)
		return;
	if (on > 1) {
		refuse(s, "ring %u: %u is neither 0 (disable) nor 1 (enable)", i, on);
		return;
	}
	ran = vu_ring_runs(s->dev, i);
	r->enabled = on;
	if (vu_ring_runs(s->dev, i) != ran)
		act(s, on ? VU_ACT_RING_START : VU_ACT_RING_STOP, i, -1, 0);
}

static void on_net_set_mtu(struct step *s)
{
	uint64_t mtu = s->msg->u.u64;

	if (mtu < MTU_MIN || mtu > MTU_MAX) {
		refuse(s, "mtu %llu is outside %d-%d", (unsigned long long)mtu, MTU_MIN, MTU_MAX);
		return;
	}
	if (s->dev->mtu_max && mtu > s->dev->mtu_max) {
		refuse(s, "mtu %llu is larger than the port's %u", (unsigned long long)mtu,
		       s->dev->mtu_max);
		return;
	}
	s->dev->mtu = (uint32_t)mtu;
	act(s, VU_ACT_MTU, 0, -1, 0);
}

/* Payload sizes of rows; SIZE_TABLE: checked by the handler. */
#define SIZE_U64   8
#define SIZE_STATE 8
#define SIZE_ADDR  40
#define SIZE_REG   40
#define SIZE_TABLE UINT32_MAX

static const struct row {
	const char *name;
	void (*handle)(struct step *s);
	uint32_t size; /* of the payload, bytes */
	uint8_t fds_min, fds_max;
} rows[] = {
	[VU_GET_FEATURES] = {"GET_FEATURES", on_get_features, 0, 0, 0},
	[VU_SET_FEATURES] = {"SET_FEATURES", on_set_features, SIZE_U64, 0, 0},
	[VU_SET_OWNER] = {"SET_OWNER", on_set_owner, 0, 0, 0},
	[VU_RESET_OWNER] = {"RESET_OWNER", on_reset_owner, 0, 0, 0},
	[VU_SET_MEM_TABLE] = {"SET_MEM_TABLE", on_set_mem_table, SIZE_TABLE, 0, VU_MSG_FDS},
	[VU_SET_VRING_NUM] = {"SET_VRING_NUM", on_set_vring_num, SIZE_STATE, 0, 0},
	[VU_SET_VRING_ADDR] = {"SET_VRING_ADDR", on_set_vring_addr, SIZE_ADDR, 0, 0},
	[VU_SET_VRING_BASE] = {"SET_VRING_BASE", on_set_vring_base, SIZE_STATE, 0, 0},
	[VU_GET_VRING_BASE] = {"GET_VRING_BASE", on_get_vring_base, SIZE_STATE, 0, 0},
	[VU_SET_VRING_KICK] = {"SET_VRING_KICK", on_set_vring_kick, SIZE_U64, 0, 1},
	[VU_SET_VRING_CALL] = {"SET_VRING_CALL", on_set_vring_call, SIZE_U64, 0, 1},
	[VU_SET_VRING_ERR] = {"SET_VRING_ERR", on_set_vring_err, SIZE_U64, 0, 1},
	[VU_GET_PROTOCOL_FEATURES] = {"GET_PROTOCOL_FEATURES", on_get_protocol_features, 0, 0, 0},
	[VU_SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES", on_set_protocol_features, SIZE_U64,
				      0, 0},
	[VU_GET_QUEUE_NUM] = {"GET_QUEUE_NUM", on_get_queue_num, 0, 0, 0},
	[VU_SET_VRING_ENABLE] = {"SET_VRING_ENABLE", on_set_vring_enable, SIZE_STATE, 0, 0},
	[VU_NET_SET_MTU] = {"NET_SET_MTU", on_net_set_mtu, SIZE_U64, 0, 0},
	[VU_GET_MAX_MEM_SLOTS] = {"GET_MAX_MEM_SLOTS", on_get_max_mem_slots, 0, 0, 0},
	[VU_ADD_MEM_REG] = {"ADD_MEM_REG", on_add_mem_reg, SIZE_REG, 1, 1},
	/* The specification lets old front ends send a descriptor with it, which means nothing. */
	[VU_REM_MEM_REG] = {"REM_MEM_REG", on_rem_mem_reg, SIZE_REG, 0, 1},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Requests of the specification that we do not carry out, and whether the front end waits for an
 * answer of their own kind. */
static const struct {
	uint32_t request;
	const char *name;
	bool has_answer;
} others[] = {
	{6, "SET_LOG_BASE", true},	   {7, "SET_LOG_FD", false},
	{19, "SEND_RARP", false},	   {21, "SET_BACKEND_REQ_FD", false},
	{22, "IOTLB_MSG", true},	   {23, "SET_VRING_ENDIAN", false},
	{24, "GET_CONFIG", true},	   {25, "SET_CONFIG", false},
	{26, "CREATE_CRYPTO_SESSION", true}, {27, "CLOSE_CRYPTO_SESSION", false},
	{28, "POSTCOPY_ADVISE", true},	   {29, "POSTCOPY_LISTEN", false},
	{30, "POSTCOPY_END", true},	   {31, "GET_INFLIGHT_FD", true},
	{32, "SET_INFLIGHT_FD", false},	   {33, "GPU_SET_SOCKET", false},
	{34, "RESET_DEVICE", false},	   {35, "VRING_KICK", false},
	{39, "SET_STATUS", false},	   {40, "GET_STATUS", true},
};

static const struct row *row_of(uint32_t request)
{
	return request < N_ROWS && rows[request].handle ? &rows[request] : NULL;
}

const char *vu_request_name(uint32_t request)
{
	const struct row *row = row_of(request);

	for (size_t i = 0; !row && i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].request == request)
			return others[i].name;
	return row ? row->name : NULL;
}

void vu_dev_init(struct vu_dev *dev, uint64_t features_offered, unsigned n_pairs, uint32_t mtu_max)
{
	memset(dev, 0, sizeof(*dev));
	dev->features_offered = features_offered;
	dev->n_rings = n_pairs * 2;
	dev->mtu_max = mtu_max;
}

void vu_dev_reset(struct vu_dev *dev)
{
	vu_dev_init(dev, dev->features_offered, dev->n_rings / 2, dev->mtu_max);
}

enum vu_verdict vu_header_check(const struct vu_msg *msg, char *text, unsigned text_size)
{
	const struct row *row = row_of(msg->request);
	const char *name = vu_request_name(msg->request);

	if ((msg->flags & VU_VERSION_MASK) != VU_VERSION || msg->flags & VU_REPLY) {
		snprintf(text, text_size, "%s: flags 0x%x are not those of a request of version 1",
			 name ? name : "message", msg->flags);
		return VU_VIOLATION;
	}
	if (msg->size > VU_PAYLOAD_MAX) {
		snprintf(text, text_size, "%s: %u bytes of payload; %d are the most there can be",
			 name ? name : "message", msg->size, VU_PAYLOAD_MAX);
		return VU_VIOLATION;
	}
	if (row && row->size != SIZE_TABLE && row->size != msg->size) {
		snprintf(text, text_size, "%s: %u bytes of payload instead of %u", row->name, msg->size,
			 row->size);
		return VU_VIOLATION;
	}
	return VU_OK;
}

/* A request that we do not know or do not offer. */
static void on_other(struct step *s)
{
	const char *name = vu_request_name(s->msg->request);

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].request == s->msg->request && others[i].has_answer) {
			/* Silence would leave the front end waiting for ever. */
			violate(s, "needs a feature that was not offered");
			return;
		}
	if (name)
		refuse(s, "needs a feature that was not offered");
	else
		refuse(s, "request %u is unknown", s->msg->request);
}

/* A refusal is told to a front end that asked for acknowledgement. One that did not would go on as
 * if it had been obeyed: that cannot be let happen, except for requests that mean nothing here. */
static void refusal_finish(struct step *s, bool known)
{
	struct vu_dev *dev = s->dev;
	uint64_t bit = 1ull << (s->msg->request % 64);
	bool ack = s->msg->flags & VU_NEED_REPLY &&
		   dev->proto_features & VU_BIT(VU_PROTO_REPLY_ACK);

	if (!ack && known) {
		s->out->verdict = VU_VIOLATION;
		return;
	}
	if (ack)
		reply_u64(s, 1);
	if (!(dev->refused_logged & bit))
		act(s, VU_ACT_LOG, 0, -1, 0);
	dev->refused_logged |= bit;
}

void vu_step(struct vu_dev *dev, const struct vu_msg *msg, const struct vu_fd_fact *fds,
	     unsigned n_fds, struct vu_result *out)
{
	const struct row *row = row_of(msg->request);
	struct step s = {.dev = dev, .msg = msg, .fds = fds, .n_fds = n_fds, .out = out};

	out->verdict = VU_OK;
	out->text[0] = '\0';
	out->n_actions = 0;
	out->has_reply = false;
	if (vu_header_check(msg, out->text, sizeof(out->text)) != VU_OK) {
		out->verdict = VU_VIOLATION;
		return;
	}
	if (row && (n_fds < row->fds_min || n_fds > row->fds_max)) {
		violate(&s, "came with %u descriptors instead of %u to %u", n_fds, row->fds_min,
			row->fds_max);
		return;
	}
	if (row)
		row->handle(&s);
	else
		on_other(&s);
	if (out->verdict == VU_REFUSED)
		refusal_finish(&s, row != NULL);
	else if (out->verdict == VU_OK && !out->has_reply && msg->flags & VU_NEED_REPLY &&
		 dev->proto_features & VU_BIT(VU_PROTO_REPLY_ACK))
		reply_u64(&s, 0);
}
