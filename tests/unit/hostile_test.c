/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Front ends and guests that mean harm: each may cost its own port and nothing else.
 *
 * How      While port v0 is attacked, a thread sends numbered frames from v6 to v7, at most half a
 *          ring in flight, and expects every one of them in order. Afterwards the process has
 *          the descriptors that it had before.
 */
#include "tests/unit/rig.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "switch/port.h"

#define IN_FLIGHT   128
#define BY_WAIT_NS  (5 * S_NS)
#define BY_FRAMES   2000 /* that must have passed after an attack */
#define ATTACK_VLAN 99
#define BY_VLAN	    10

static uint64_t rng_state = 88172645463325252ull;

/* xorshift64: the same attacks in every run. */
static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* ---- bystanders ---- */

struct scene {
	struct rig *rig;
	struct fe *from, *to;
	pthread_t thread;
	atomic_bool stop;
	_Atomic uint64_t n_passed;
	char wrong[128]; /* what went wrong; "": nothing */
	unsigned n_fds;
	const char *path; /* of v0 */
};

static uint32_t frame_number(uint8_t *f, uint64_t seq)
{
	uint32_t len = 60 + (uint32_t)(seq * 37 % 1455);

	memset(f, (int)(seq & 0xff), len);
	memcpy(f, "\x02\0\0\0\0\x77\x02\0\0\0\0\x66\x88\xb5", 14);
	memcpy(f + 14, &seq, sizeof(seq));
	return len;
}

static void *bystand(void *arg)
{
	uint8_t f[2048], want[2048], got[2048];
	struct scene *s = arg;
	uint64_t sent = 0, passed = 0, last_ns = loop_now_ns();

	while (!s->wrong[0] && !(atomic_load(&s->stop) && sent == passed)) {
		int n;

		if (sent - passed < IN_FLIGHT && !atomic_load(&s->stop) &&
		    fe_send(s->from, 0, f, frame_number(f, sent)))
			sent++;
		n = fe_recv(s->to, 0, got, sizeof(got));
		if (n < 0) {
			if (loop_now_ns() - last_ns > BY_WAIT_NS && sent != passed)
				snprintf(s->wrong, sizeof(s->wrong), "frame %lu is lost", passed);
			sched_yield();
			continue;
		}
		if ((uint32_t)n != frame_number(want, passed) || memcmp(got, want, (size_t)n))
			snprintf(s->wrong, sizeof(s->wrong), "not frame %lu has come", passed);
		atomic_store(&s->n_passed, ++passed);
		last_ns = loop_now_ns();
	}
	return NULL;
}

static unsigned fds_count(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

struct vlan_change {
	unsigned port;
	uint16_t vid;
};

static void vlan_change(struct rig *rig, void *arg)
{
	const struct vlan_change *c = arg;
	const struct vlan_policy p = {.mode = VLAN_ACCESS, .vid = c->vid};
	char name[16];

	snprintf(name, sizeof(name), "v%u", c->port);
	port_vlan_set(port_find(rig_switch(rig), name), &p, NULL);
}

static void vlan_set(struct rig *rig, unsigned port, uint16_t vid)
{
	rig_call(rig, vlan_change, &(struct vlan_change){port, vid});
}

static struct scene *scene_open(struct rig *rig)
{
	struct scene *s = calloc(1, sizeof(*s)); /* a test that fails leaves the thread behind */

	s->rig = rig;
	s->from = rig_port(rig, 6, (struct fe_opts){0});
	s->to = rig_port(rig, 7, (struct fe_opts){0});
	vlan_set(rig, 6, BY_VLAN);
	vlan_set(rig, 7, BY_VLAN);
	s->path = rig_port_add(rig, 0, true);
	vlan_set(rig, 0, ATTACK_VLAN);
	s->n_fds = fds_count();
	pthread_create(&s->thread, NULL, bystand, s);
	return s;
}

/* The attack is over and its front end closed. */
static void scene_close(struct scene *s)
{
	uint64_t until = atomic_load(&s->n_passed) + BY_FRAMES, end_ns;

	rig_port_admin(s->rig, 0, true); /* no waiting after a violation */
	rig_await(s->rig, 0, PORT_WAITING);
	while (atomic_load(&s->n_passed) < until && !s->wrong[0])
		usleep(100);
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	if (s->wrong[0])
		fail_msg("bystanders: %s", s->wrong);
	for (unsigned i = 6; i < 8; i++) {
		struct port_counters c = rig_counters(s->rig, i);

		assert_int_equal(rig_state(s->rig, i), PORT_UP);
		assert_int_equal(c.rx_frames, c.rx_forwarded);
		for (unsigned k = 0; k < N_TX_DROPS; k++)
			assert_int_equal(c.tx_drops[k], 0);
	}
	/* Fewer, where those of the test before were still being closed when they were counted. */
	for (end_ns = loop_now_ns() + S_NS; fds_count() > s->n_fds && loop_now_ns() < end_ns;)
		usleep(1000);
	assert_true(fds_count() <= s->n_fds);
	fe_close(s->from);
	fe_close(s->to);
	free(s);
}

static struct fe *attacker(struct scene *s, struct fe_opts o)
{
	struct err err = ERR_NONE;
	struct fe *fe;

	o.path = s->path;
	if (fe_open(&o, &fe, &err) < 0)
		fail_msg("%s", err.text);
	if (!o.no_rings && !o.no_handshake)
		rig_await(s->rig, 0, PORT_UP);
	return fe;
}

static void await_reason(struct scene *s, enum port_state state, const char *reason)
{
	rig_await(s->rig, 0, state);
	if (!strstr(rig_reason(s->rig, 0), reason))
		fail_msg("\"%s\" does not say \"%s\"", rig_reason(s->rig, 0), reason);
}

/* ---- protocol ---- */

static void silent_front_end_is_waited_for(void **state)
{
	struct scene *s = scene_open(*state);
	struct fe *fe;

	fe = attacker(s, (struct fe_opts){.no_handshake = true});
	rig_await(s->rig, 0, PORT_NEGOTIATING);
	fe_close(fe);
	scene_close(s);
}

static void header_without_payload_ends_after_a_deadline(void **state)
{
	const uint32_t header[3] = {VU_SET_FEATURES, VU_VERSION, 8};
	struct scene *s = scene_open(*state);
	struct fe *fe;

	fe = attacker(s, (struct fe_opts){.no_handshake = true});
	assert_int_equal(send(fe->fd, header, sizeof(header), 0), sizeof(header));
	usleep(4000000); /* beyond the 5 s that rig_await() has */
	await_reason(s, PORT_ERRORED, "a message did not end within 5 s");
	fe_close(fe);
	scene_close(s);
}

/* Every write ends one message and begins the next, for longer than one may take. */
static void deadline_is_of_each_message(void **state)
{
	const uint32_t header[3] = {VU_SET_OWNER, VU_VERSION, 0};
	struct scene *s = scene_open(*state);
	struct fe *fe = attacker(s, (struct fe_opts){.no_handshake = true});
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
		struct fe *fe = attacker(s, (struct fe_opts){.no_handshake = true});

		for (unsigned i = 0; i < sizeof(garbage); i++)
			garbage[i] = (uint8_t)rng();
		if (send(fe->fd, garbage, sizeof(garbage), MSG_NOSIGNAL) < 0)
			fail_msg("send: %s", strerror(errno));
		await_reason(s, PORT_ERRORED, "protocol violation, socket closed: ");
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
	uint64_t payload[33], r = rng();
	int fds[8], event = eventfd(0, EFD_CLOEXEC);
	uint32_t size = sizes[r & 7];
	int rc;

	for (unsigned i = 0; i < 8; i++)
		fds[i] = r >> (8 + i) & 1 ? fe->mem_fd : event;
	for (unsigned i = 0; i < 33; i++)
		payload[i] = rng() & (r >> 20 & 1 ? 7 : ~0ull);
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
			fe = attacker(s, o);
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
		struct fe *fe = attacker(s, (struct fe_opts){.no_rings = true});
		uint8_t table[264] = {8};
		int fds[253];

		for (unsigned i = 0; i < n[k]; i++)
			fds[i] = fe->mem_fd;
		assert_int_equal(fe_msg_send(fe, VU_SET_MEM_TABLE, 0, table, 264, fds, n[k]), 0);
		await_reason(s, PORT_ERRORED, "more than 8 descriptors came with one message");
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

	fe = attacker(s, (struct fe_opts){.no_rings = true});
	while (fe_msg_send(fe, VU_GET_FEATURES, 0, NULL, 0, NULL, 0) == 0)
		;
	await_reason(s, PORT_ERRORED, "the front end does not read its replies");
	fe_close(fe);
	scene_close(s);
}

/* ---- rings ---- */

static void ring_size_without_reply_ack(void **state, uint32_t num, bool good)
{
	struct vu_msg reply;
	struct scene *s = scene_open(*state);
	struct fe *fe;

	fe = attacker(s, (struct fe_opts){.no_rings = true});
	assert_int_equal(fe_set_state(fe, VU_SET_VRING_NUM, 1, num), 0);
	if (good) {
		assert_int_equal(fe_msg_send(fe, VU_GET_QUEUE_NUM, 0, NULL, 0, NULL, 0), 0);
		assert_int_equal(fe_msg_reply(fe, &reply), 0);
		rig_await(s->rig, 0, PORT_NEGOTIATING);
	} else {
		assert_int_equal(fe_msg_reply(fe, &reply), -EPIPE);
		await_reason(s, PORT_ERRORED, "a power of two up to 32768 is needed");
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

	fe = attacker(s, (struct fe_opts){.no_rings = true});
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

	fe = attacker(s, (struct fe_opts){.no_rings = true});
	r = &fe->rings[1];
	if (part == 0)
		r->desc = (void *)((uintptr_t)r->desc + by);
	else if (part == 1)
		r->avail = (void *)((uintptr_t)r->avail + by);
	else
		r->used = (void *)(fe->mem + fe->mem_size - 64);
	assert_int_equal(fe_ring_start(fe, 1, 0), 0);
	await_reason(s, PORT_ERRORED, "queue 1: a part of a ring of 256 entries is outside");
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

	fe = attacker(s, (struct fe_opts){0});
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

/* ---- memory that vanishes ---- */

static void truncated_rings_error_the_port(void **state)
{
	uint8_t f[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct scene *s = scene_open(*state);
	struct fe *fe;

	fe = attacker(s, (struct fe_opts){.no_seal = true});
	for (unsigned i = 0; i < 5; i++)
		assert_true(fe_send(fe, 0, f, sizeof(f)));
	while (rig_counters(s->rig, 0).rx_frames < 5)
		;
	assert_int_equal(ftruncate(fe->mem_fd, 0), 0);
	fe_kick(fe, 1);
	await_reason(s, PORT_ERRORED, "its front end truncated the guest's memory");
	fe_close(fe);
	scene_close(s);
}

static void truncated_frames_error_the_port(void **state)
{
	uint8_t f[1500] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct scene *s;
	struct fe *fe;

	rig_keep_open(*state);
	s = scene_open(*state);
	fe = attacker(s, (struct fe_opts){.no_seal = true});
	rig_port_admin(s->rig, 0, false);
	rig_await(s->rig, 0, PORT_DOWN);
	for (unsigned i = 0; i < 40; i++)
		assert_true(fe_send(fe, 0, f, sizeof(f)));
	/* The rings stay, their buffers go. */
	assert_int_equal(ftruncate(fe->mem_fd, fe->rings[1].bufs - fe->mem), 0);
	rig_port_admin(s->rig, 0, true);
	await_reason(s, PORT_ERRORED, "queue 1: its front end truncated the guest's memory");
	fe_close(fe);
	scene_close(s);
}

static void truncated_receive_buffers_error_the_receiver_alone(void **state)
{
	uint8_t f[1500] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct fe *fe, *sender;
	struct scene *s = scene_open(*state);

	sender = rig_port(s->rig, 1, (struct fe_opts){0});
	vlan_set(s->rig, 1, ATTACK_VLAN);
	fe = attacker(s, (struct fe_opts){.no_seal = true});
	assert_int_equal(ftruncate(fe->mem_fd, fe->rings[0].bufs - fe->mem), 0);
	for (unsigned i = 0; i < 40; i++)
		assert_true(fe_send(sender, 0, f, sizeof(f)));
	await_reason(s, PORT_ERRORED, "queue 0: its front end truncated the guest's memory");
	assert_int_equal(rig_state(s->rig, 1), PORT_UP);
	/* The fault came with the first burst; the sender's others are taken after it. */
	for (uint64_t end_ns = loop_now_ns() + 5 * S_NS;
	     rig_counters(s->rig, 1).rx_frames < 40 && loop_now_ns() < end_ns;)
		;
	assert_int_equal(rig_counters(s->rig, 1).rx_frames, 40);
	fe_close(fe);
	fe_close(sender);
	rig_port_del(s->rig, 1);
	scene_close(s);
}

static void region(struct fe *fe, uint32_t request)
{
	const struct {
		uint64_t padding;
		struct vu_mem_region r;
	} p = {0, {FE_GPA, fe->mem_size, (uintptr_t)fe->mem, 0}};
	struct vu_msg reply;

	assert_int_equal(fe_msg_send(fe, request, VU_NEED_REPLY, &p, sizeof(p), &fe->mem_fd,
				     request == VU_ADD_MEM_REG), 0);
	assert_int_equal(fe_msg_reply(fe, &reply), 0);
	assert_int_equal(reply.u.u64, 0);
}

static void new_memory_heals_a_truncated_port(void **state)
{
	uint8_t f[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct scene *s = scene_open(*state);
	struct fe *fe = attacker(s, (struct fe_opts){.no_seal = true});
	uint64_t end_ns;

	assert_int_equal(ftruncate(fe->mem_fd, 0), 0);
	fe_kick(fe, 1);
	rig_await(s->rig, 0, PORT_ERRORED);
	assert_int_equal(ftruncate(fe->mem_fd, (off_t)fe->mem_size), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(fe_ring_stop(fe, i, NULL), 0);
	region(fe, VU_REM_MEM_REG);
	region(fe, VU_ADD_MEM_REG);
	assert_int_equal(fe_reset(fe), 0);
	rig_await(s->rig, 0, PORT_UP);
	assert_true(fe_send(fe, 0, f, sizeof(f)));
	for (end_ns = loop_now_ns() + 2 * S_NS; !fe_reclaim(fe, 0);)
		if (loop_now_ns() > end_ns)
			fail_msg("not served again: %s", rig_reason(s->rig, 0));
	fe_close(fe);
	scene_close(s);
}

/* ---- a guest that rewrites what is being read ---- */

#define BURSTS 100000

struct flipper {
	struct fe *fe;
	atomic_bool stop;
	pthread_t thread;
	uint64_t r;
};

/* Mostly what only spoils frames: headers, lengths, which buffer; rarely anything in the rings. */
static void flip_one(struct flipper *x)
{
	const struct fe_ring *r = &x->fe->rings[x->r >> 60 & 1];
	unsigned slot;
	uint8_t *at;

	x->r = x->r * 6364136223846793005ull + 1442695040888963407ull;
	slot = x->r >> 33 & 255;
	if (!(x->r >> 45 & 0x3fff))
		at = (uint8_t *)r->desc + (x->r >> 20) % (size_t)(r->bufs - (uint8_t *)r->desc);
	else if (x->r >> 59 & 1)
		at = r->bufs + (size_t)slot * x->fe->stride + (x->r >> 41 & 63);
	else if (x->r >> 58 & 1)
		at = (uint8_t *)&r->avail->ring[slot];
	else
		at = (uint8_t *)&r->desc[slot].len;
	__atomic_fetch_xor(at, (uint8_t)(1u << (x->r >> 55 & 7)), __ATOMIC_RELAXED);
}

static void *flip(void *arg)
{
	struct flipper *x = arg;

	while (!atomic_load_explicit(&x->stop, memory_order_relaxed)) {
		for (unsigned i = 0; i < 64; i++)
			flip_one(x);
		sched_yield();
	}
	return NULL;
}

/* Frames from whatever is in the buffers. */
static void rewrite_descriptors(struct fe *fe)
{
	struct fe_ring *r = &fe->rings[1];

	for (unsigned i = 0; i < r->size; i++) {
		uint8_t *buf = r->bufs + (size_t)i * fe->stride;

		r->desc[i] = (struct vring_desc){fe_gpa(fe, buf), 64 + i * 4, 0, 0};
		r->avail->ring[i] = (uint16_t)i;
		memset(buf, 0, fe->hdr_len);
		memcpy(buf + fe->hdr_len, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0", 14);
	}
}

static void flipper_run(struct flipper *x, bool on)
{
	if (on) {
		atomic_store(&x->stop, false);
		pthread_create(&x->thread, NULL, flip, x);
	} else {
		atomic_store(&x->stop, true);
		pthread_join(x->thread, NULL);
	}
}

static bool errored(struct fe *fe)
{
	uint64_t n;

	return read(fe->rings[0].err_fd, &n, sizeof(n)) > 0 ||
	       read(fe->rings[1].err_fd, &n, sizeof(n)) > 0;
}

/* Gives all receive buffers back and publishes a burst when the ring has room; false when the port is
 * errored. */
static bool burst(struct fe *fe, unsigned n)
{
	struct fe_ring *r = &fe->rings[1], *rx = &fe->rings[0];

	__atomic_store_n(&rx->avail->idx,
			 (uint16_t)(__atomic_load_n(&rx->used->idx, __ATOMIC_ACQUIRE) + rx->size),
			 __ATOMIC_RELEASE);

	while ((uint16_t)(r->next_avail + n - __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE)) >
	       r->size) {
		/* The flipper may have hit the index that tells us of room. */
		if (errored(fe) || !(rng() & 0xfffff))
			return false;
		fe_kick(fe, 1);
		sched_yield();
	}
	r->next_avail = (uint16_t)(r->next_avail + n);
	__atomic_store_n(&r->avail->idx, r->next_avail, __ATOMIC_RELEASE);
	fe_kick(fe, 1);
	return true;
}

static void rewriting_guest_spoils_its_own_port_only(void **state)
{
	static const uint8_t answer[60] = "\x02\0\0\0\0\x02\x02\0\0\0\0\x03\x08";
	struct flipper x = {.r = 1};
	struct scene *s = scene_open(*state);
	unsigned n_resets = 0;
	struct fe *peer;

	peer = rig_port(s->rig, 1, (struct fe_opts){0});
	vlan_set(s->rig, 1, ATTACK_VLAN);
	x.fe = attacker(s, (struct fe_opts){0});
	rewrite_descriptors(x.fe);
	flipper_run(&x, true);
	for (unsigned k = 0; k < BURSTS; k++) {
		uint8_t got[65536];

		if (!burst(x.fe, 1 + k % 32)) {
			flipper_run(&x, false);
			assert_int_equal(fe_reset(x.fe), 0);
			rig_await(s->rig, 0, PORT_UP);
			rewrite_descriptors(x.fe);
			flipper_run(&x, true);
			n_resets++;
		}
		for (unsigned i = 0; i < 4; i++) /* into the buffers that are flipped */
			fe_send(peer, 0, answer, sizeof(answer));
		while (fe_recv(peer, 0, got, sizeof(got)) >= 0)
			;
	}
	flipper_run(&x, false);
	assert_true(n_resets > 0);
	assert_int_equal(rig_state(s->rig, 1), PORT_UP);
	fe_close(x.fe);
	fe_close(peer);
	rig_port_del(s->rig, 1);
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
		T(truncated_rings_error_the_port),
		T(truncated_frames_error_the_port),
		T(truncated_receive_buffers_error_the_receiver_alone),
		T(new_memory_heals_a_truncated_port),
		T(rewriting_guest_spoils_its_own_port_only),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
