/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory that vanishes, and that changes while it is read: it may cost its own port and nothing else. */
#include "tests/unit/hostile_scene.h"

#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/flipper.h"

/* ---- memory that vanishes ---- */

static void truncated_rings_error_the_port(void **state)
{
	uint8_t f[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct scene *s = scene_open(*state);
	struct fe *fe;

	fe = scene_attack(s, (struct fe_opts){.no_seal = true});
	for (unsigned i = 0; i < 5; i++)
		assert_true(fe_send(fe, 0, f, sizeof(f)));
	while (rig_counters(s->rig, 0).rx_frames < 5)
		;
	assert_int_equal(ftruncate(fe->mem_fd, 0), 0);
	fe_kick(fe, 1);
	scene_await(s, PORT_ERRORED, "its front end truncated the guest's memory");
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
	fe = scene_attack(s, (struct fe_opts){.no_seal = true});
	rig_port_admin(s->rig, 0, false);
	rig_await(s->rig, 0, PORT_DOWN);
	for (unsigned i = 0; i < 40; i++)
		assert_true(fe_send(fe, 0, f, sizeof(f)));
	/* The rings stay, their buffers go. */
	assert_int_equal(ftruncate(fe->mem_fd, fe->rings[1].bufs - fe->mem), 0);
	rig_port_admin(s->rig, 0, true);
	scene_await(s, PORT_ERRORED, "queue 1: its front end truncated the guest's memory");
	fe_close(fe);
	scene_close(s);
}

static void truncated_receive_buffers_error_the_receiver_alone(void **state)
{
	uint8_t f[1500] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct fe *fe, *sender;
	struct scene *s = scene_open(*state);

	sender = rig_port(s->rig, 1, (struct fe_opts){0});
	scene_vlan_set(s->rig, 1, ATTACK_VLAN);
	fe = scene_attack(s, (struct fe_opts){.no_seal = true});
	assert_int_equal(ftruncate(fe->mem_fd, fe->rings[0].bufs - fe->mem), 0);
	for (unsigned i = 0; i < 40; i++)
		assert_true(fe_send(sender, 0, f, sizeof(f)));
	scene_await(s, PORT_ERRORED, "queue 0: its front end truncated the guest's memory");
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
	struct fe *fe = scene_attack(s, (struct fe_opts){.no_seal = true});
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

/* Mostly what only spoils frames: headers, lengths, which buffer; rarely anything in the rings. */
static uint8_t *place(const struct flipper *x, uint64_t r)
{
	const struct fe_ring *ring = &x->fe->rings[r >> 60 & 1];
	unsigned slot = r >> 33 & 255;

	if (!(r >> 45 & 0x3fff))
		return (uint8_t *)ring->desc + (r >> 20) % (size_t)(ring->bufs - (uint8_t *)ring->desc);
	if (r >> 59 & 1)
		return ring->bufs + (size_t)slot * x->fe->stride + (r >> 41 & 63);
	if (r >> 58 & 1)
		return (uint8_t *)&ring->avail->ring[slot];
	return (uint8_t *)&ring->desc[slot].len;
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

static void rewriting_guest_spoils_its_own_port_only(void **state)
{
	static const uint8_t answer[60] = "\x02\0\0\0\0\x02\x02\0\0\0\0\x03\x08";
	struct flipper x = {.place = place, .r = 1};
	struct scene *s = scene_open(*state);
	unsigned n_resets = 0;
	struct fe *peer;

	peer = rig_port(s->rig, 1, (struct fe_opts){0});
	scene_vlan_set(s->rig, 1, ATTACK_VLAN);
	x.fe = scene_attack(s, (struct fe_opts){0});
	rewrite_descriptors(x.fe);
	flipper_start(&x);
	for (unsigned k = 0; k < BURSTS; k++) {
		uint8_t got[65536];

		if (!flipper_burst(x.fe, 1 + k % 32)) {
			flipper_stop(&x);
			assert_int_equal(fe_reset(x.fe), 0);
			rig_await(s->rig, 0, PORT_UP);
			rewrite_descriptors(x.fe);
			flipper_start(&x);
			n_resets++;
		}
		for (unsigned i = 0; i < 4; i++) /* into the buffers that are flipped */
			fe_send(peer, 0, answer, sizeof(answer));
		while (fe_recv(peer, 0, got, sizeof(got)) >= 0)
			;
	}
	flipper_stop(&x);
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
		T(truncated_rings_error_the_port),
		T(truncated_frames_error_the_port),
		T(truncated_receive_buffers_error_the_receiver_alone),
		T(new_memory_heals_a_truncated_port),
		T(rewriting_guest_spoils_its_own_port_only),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
