/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Front ends whose messages are wrong, or come in the wrong order.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "tests/evil/raw.h"

#define REQUESTS 42 /* 0 to 41: all that the specification has, and one on each side */

/* ---- one header that is wrong ---- */

enum { H_VERSION, H_REPLY, H_HUGE, H_SHORT, H_UNKNOWN, H_GARBAGE };

static void header(struct scene *s)
{
	static const uint32_t headers[][3] = {
		[H_VERSION] = {VU_GET_FEATURES, 2, 0},
		[H_REPLY] = {VU_GET_FEATURES, VU_VERSION | VU_REPLY, 0},
		[H_HUGE] = {VU_SET_MEM_TABLE, VU_VERSION, 0xffffffff},
		[H_SHORT] = {VU_SET_FEATURES, VU_VERSION, 4},
		[H_UNKNOWN] = {0xdeadbeef, VU_VERSION, 0},
		[H_GARBAGE] = {0x6f5d2a11, 0x8c3e9f0a, 0xffd01c77},
	};
	struct fe *fe = raw_connect(s);

	raw_bytes_send(s, fe, headers[s->c->arg], 12);
	if (s->c->arg != H_UNKNOWN && !raw_is_closed(fe))
		evil_fail(s, "the socket is still open");
}

/* ---- rings as they are told ---- */

static void num(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});

	fe_set_state(fe, VU_SET_VRING_NUM, 1, s->c->arg);
	if (!raw_is_closed(fe))
		evil_fail(s, "the socket is still open");
}

static void num_running(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});

	fe_set_state(fe, s->c->arg, 1, 128);
	if (!raw_is_closed(fe))
		evil_fail(s, "the socket is still open");
}

/* The biggest ring, and a base that is nonsense: it goes on where the used index is. */
static void num_biggest(struct scene *s)
{
	struct fe *fe = evil_attacker(
		s, (struct fe_opts){.ring_size = 32768, .buf_size = 128, .no_rings = true});
	uint8_t f[60] = BROADCAST EVIL_MAC "\x88\xb6";

	fe_ring_start(fe, RX_RING, 40000);
	fe_ring_start(fe, TX_RING, 65535);
	evil_await(s, "up", NULL);
	if (!fe_send(fe, 0, f, sizeof(f)) || !raw_used(fe, TX_RING))
		evil_fail(s, "a frame was not taken");
}

static void num_one(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.ring_size = 1});
	uint8_t f[60] = BROADCAST EVIL_MAC "\x88\xb6";

	for (unsigned i = 0; i < 100; i++) {
		for (uint64_t end_ns = loop_now_ns() + 5 * S_NS; !fe_send(fe, 0, f, sizeof(f));)
			if (loop_now_ns() > end_ns)
				evil_fail(s, "frame %u was not taken", i);
	}
}

static void base_beyond(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});

	fe_set_state(fe, VU_SET_VRING_BASE, 1, s->c->arg);
	if (!raw_is_closed(fe))
		evil_fail(s, "the socket is still open");
}

enum { A_NULL, A_UNALIGNED, A_END, A_OUTSIDE, A_WRAPS };

static void ring_address(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
	struct fe_ring *r = &fe->rings[TX_RING];

	fe_ring_start(fe, RX_RING, 0);
	switch (s->c->arg) {
	case A_NULL:
		r->avail = NULL;
		break;
	case A_UNALIGNED:
		r->used = (void *)((uint8_t *)r->used + 2);
		break;
	case A_END:
		r->used = (void *)(fe->mem + fe->mem_size - 64);
		break;
	case A_OUTSIDE:
		r->desc = (void *)((uintptr_t)r->desc + (1ull << 40));
		break;
	case A_WRAPS:
		r->desc = (void *)(0ull - 4096);
		break;
	}
	fe_ring_start(fe, TX_RING, 0);
}

/* Every message that names a ring names ring 255. */
static void queue_255(struct scene *s)
{
	static const uint32_t requests[] = {
		VU_SET_VRING_NUM,  VU_SET_VRING_ADDR, VU_SET_VRING_BASE, VU_GET_VRING_BASE,
		VU_SET_VRING_KICK, VU_SET_VRING_CALL, VU_SET_VRING_ERR,	 VU_SET_VRING_ENABLE};

	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
		const uint64_t payload[5] = {255, 4096, 4096, 4096, 4096};

		fe_msg_send(fe, requests[i], 0, payload, requests[i] == VU_SET_VRING_ADDR ? 40 : 8,
			    &fe->rings[0].kick_fd,
			    requests[i] >= VU_SET_VRING_KICK && requests[i] <= VU_SET_VRING_ERR);
		evil_await(s, "errored", "ring 255 of a device with rings 0-15");
		fe_close(fe);
		if (i < 7)
			evil_heal(s, "waiting");
	}
}

/* ---- every state, every message ---- */

enum { S_NEW, S_OWNED, S_NEGOTIATED, S_RUNNING, S_STOPPED, N_STATES };

static struct fe *in_state(struct scene *s, unsigned state)
{
	struct fe *fe;

	if (state == S_NEW || state == S_OWNED) {
		fe = raw_connect(s);
		if (state == S_OWNED)
			fe_msg_send(fe, VU_SET_OWNER, 0, NULL, 0, NULL, 0);
		return fe;
	}
	fe = evil_attacker(s, (struct fe_opts){.no_rings = state == S_NEGOTIATED});
	if (state == S_STOPPED)
		fe_ring_stop(fe, TX_RING, NULL);
	return fe;
}

/* Payload and descriptors that fit the message where there are such; value: what is in it. */
static void message(struct fe *fe, uint32_t request, uint64_t value)
{
	struct {
		uint64_t head;
		struct vu_mem_region r;
	} region = {1, {FE_GPA, fe->mem_size, (uintptr_t)fe->mem, 0}};
	uint64_t payload[5] = {value, (uintptr_t)fe->rings[0].desc, (uintptr_t)fe->rings[0].used,
			       (uintptr_t)fe->rings[0].avail, 0};
	bool event = request >= VU_SET_VRING_KICK && request <= VU_SET_VRING_ERR;
	bool table = request == VU_SET_MEM_TABLE || request == VU_ADD_MEM_REG ||
		     request == VU_REM_MEM_REG;
	uint32_t size = request == VU_SET_VRING_ADDR ? 40 : 8;

	if (request <= VU_RESET_OWNER && request != VU_SET_FEATURES)
		size = 0;
	if (request == VU_GET_PROTOCOL_FEATURES || request == VU_GET_QUEUE_NUM ||
	    request == VU_GET_MAX_MEM_SLOTS)
		size = 0;
	if (table)
		fe_msg_send(fe, request, 0, &region, sizeof(region), &fe->mem_fd,
			    request != VU_REM_MEM_REG);
	else
		fe_msg_send(fe, request, 0, payload, size, event ? &fe->rings[0].kick_fd : NULL,
			    event);
}

static void state_message(struct scene *s)
{
	for (unsigned state = 0; state < N_STATES; state++)
		for (uint32_t request = 0; request < REQUESTS; request++) {
			struct fe *fe = in_state(s, state);

			message(fe, request, s->c->arg ? 0x8000000000000000ull : request % 2);
			message(fe, VU_GET_FEATURES, 0);
			fe_close(fe);
			/* Which of the two it is now depends on when we hung up. */
			evil_heal(s, "waiting");
		}
}

/* ---- changes under running rings ---- */

enum { C_MEM_TABLE, C_CALL, C_ENABLE, C_ADDR, C_BASE, C_RESET_OWNER };

/* The same change again and again while frames are under way. */
static void churn(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	const struct {
		uint64_t n;
		struct vu_mem_region r;
	} table = {1, {FE_GPA, fe->mem_size, (uintptr_t)fe->mem, 0}};
	uint8_t f[60] = BROADCAST EVIL_MAC "\x88\xb6";
	uint64_t u, end_ns = loop_now_ns() + S_NS;

	for (unsigned i = 0; i < 500 && loop_now_ns() < end_ns; i++) {
		u = i % 2;
		fe_send(fe, 0, f, sizeof(f));
		if (s->c->arg == C_MEM_TABLE)
			fe_msg_send(fe, VU_SET_MEM_TABLE, 0, &table, sizeof(table), &fe->mem_fd, 1);
		else if (s->c->arg == C_CALL)
			fe_msg_send(fe, VU_SET_VRING_CALL, 0, &u, 8, &fe->rings[u].call_fd, 1);
		else if (s->c->arg == C_ENABLE)
			fe_set_state(fe, VU_SET_VRING_ENABLE, TX_RING, i % 2);
		else if (s->c->arg == C_ADDR || s->c->arg == C_BASE)
			fe_ring_stop(fe, TX_RING, NULL), fe_ring_start(fe, TX_RING, (uint16_t)i);
		else
			fe_msg_send(fe, VU_RESET_OWNER, 0, NULL, 0, NULL, 0);
	}
	if (s->c->arg == C_ENABLE)
		fe_set_state(fe, VU_SET_VRING_ENABLE, TX_RING, 1);
	fe_get_u64(fe, VU_GET_FEATURES, &u);
}

static void features(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = s->c->arg != 1});

	fe_set_u64(fe, VU_SET_FEATURES,
		   s->c->arg ? fe_features_default(1) & ~VU_BIT(VIRTIO_NET_F_MRG_RXBUF) : ~0ull);
	if (!raw_is_closed(fe))
		evil_fail(s, "the socket is still open");
}

const struct evil_case evil_protocol[] = {
	{"version", "a message of version 2", "the socket is closed, the flags named", header,
	 "errored", "GET_FEATURES: flags 0x2 are not those of a request of version 1", H_VERSION},
	{"reply", "a reply where a request is expected", "the socket is closed, the flags named",
	 header, "errored", "flags 0x5 are not", H_REPLY},
	{"payload-huge", "a header that announces 4 GiB of payload",
	 "the socket is closed, the size named", header, "errored",
	 "SET_MEM_TABLE: 4294967295 bytes of payload; 264 are the most", H_HUGE},
	{"payload-short", "half of the payload that belongs to a message",
	 "the socket is closed, both sizes named", header, "errored",
	 "SET_FEATURES: 4 bytes of payload instead of 8", H_SHORT},
	{"request-unknown", "a request that nobody knows", "the connection goes on", header,
	 "negotiating", NULL, H_UNKNOWN},
	{"garbage", "random bytes", "the socket is closed", header, "errored",
	 "protocol violation, socket closed", H_GARBAGE},
	{"garbage-server", "random bytes from a front end that owns the socket",
	 "the socket is closed", header, "errored", "protocol violation, socket closed", H_GARBAGE,
	 true},
	{"num-0", "a ring of 0 entries", "the socket is closed, the size named", num, "errored",
	 "SET_VRING_NUM: a ring of 0 entries; a power of two up to 32768 is needed", 0},
	{"num-3", "a ring of 3 entries", "the socket is closed, the size named", num, "errored",
	 "SET_VRING_NUM: a ring of 3 entries", 3},
	{"num-65536", "a ring of 65,536 entries", "the socket is closed, the size named", num,
	 "errored", "SET_VRING_NUM: a ring of 65536 entries", 65536},
	{"num-2-31", "a ring of 2^31 entries", "the socket is closed, the size named", num,
	 "errored", "SET_VRING_NUM: a ring of 2147483648 entries", 1u << 31},
	{"num-32768", "a ring of 32,768 entries whose base is 65535", "it works", num_biggest, "up",
	 NULL},
	{"num-1", "a ring of one entry", "it works", num_one, "up", NULL},
	{"num-running", "another size for a ring that runs", "the socket is closed and says so",
	 num_running, "errored", "SET_VRING_NUM: ring 1 is started; its size cannot change",
	 VU_SET_VRING_NUM},
	{"base-running", "another position for a ring that runs",
	 "the socket is closed and says so", num_running, "errored",
	 "SET_VRING_BASE: ring 1 is started; its position cannot change", VU_SET_VRING_BASE},
	{"base-65536", "a position beyond 65535", "the socket is closed, the position named",
	 base_beyond, "errored", "SET_VRING_BASE: ring 1: position 65536 is beyond 65535", 65536},
	{"base-2-32", "a position of 2^32 - 1", "the socket is closed, the position named",
	 base_beyond, "errored", "position 4294967295 is beyond 65535", ~0u},
	{"ring-at-0", "an available ring at address 0", "the socket is closed and says so",
	 ring_address, "errored",
	 "SET_VRING_ADDR: ring 1: a part of the ring is at 0 or not aligned", A_NULL},
	{"ring-unaligned", "a used ring at an odd place", "the socket is closed and says so",
	 ring_address, "errored",
	 "SET_VRING_ADDR: ring 1: a part of the ring is at 0 or not aligned", A_UNALIGNED},
	{"ring-at-the-end", "a used ring that begins in guest memory and ends behind it",
	 "the port is errored, the socket stays open", ring_address, "errored",
	 "queue 1: a part of a ring of 256 entries is outside guest memory", A_END},
	{"ring-outside", "a descriptor table outside guest memory",
	 "the port is errored, the socket stays open", ring_address, "errored",
	 "queue 1: a part of a ring of 256 entries is outside guest memory", A_OUTSIDE},
	{"ring-wraps", "a descriptor table that wraps around the end of the address space",
	 "the port is errored, the socket stays open", ring_address, "errored",
	 "queue 1: a part of a ring of 256 entries is outside guest memory", A_WRAPS},
	{"queue-255", "ring 255, in every message that names one",
	 "the socket is closed, the ring named each time", queue_255, "errored",
	 "ring 255 of a device with rings 0-15"},
	{"every-state-every-message", "each message of the specification in each state of a device",
	 "it is obeyed, refused, or the socket is closed; the port heals each time", state_message,
	 "waiting", NULL, 0},
	{"every-state-every-message-huge", "the same with values of 2^63",
	 "it is obeyed, refused, or the socket is closed; the port heals each time", state_message,
	 "waiting", NULL, 1},
	{"churn-memory", "the memory table told anew 500 times under running rings",
	 "the rings go on each time", churn, "up", NULL, C_MEM_TABLE},
	{"churn-calls", "the call eventfd changed 500 times under running rings",
	 "the rings go on each time", churn, "up", NULL, C_CALL},
	{"churn-enable", "a ring disabled and enabled 500 times",
	 "the port is up when it is enabled", churn, "up", NULL, C_ENABLE},
	{"churn-rings", "a ring stopped and started 500 times", "the port is up when it is started",
	 churn, "up", NULL, C_ADDR},
	{"reset-owner", "RESET_OWNER 500 times under running rings", "the rings stop", churn,
	 "negotiating", NULL, C_RESET_OWNER},
	{"features-not-offered", "all feature bits acknowledged, offered or not",
	 "the socket is closed, the bits named", features, "errored", "were not offered", 0},
	{"features-running", "another ring layout while rings run",
	 "the socket is closed and says so", features, "errored",
	 "the ring layout cannot change while a ring is started", 1},
	{0},
};
