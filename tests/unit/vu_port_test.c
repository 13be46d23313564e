/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user ports with front ends of our own: every ring layout, both socket roles, several queues, and descriptors
 * that come, change and lie.
 */
#include "tests/unit/rig.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "switch/arena.h"
#include "tests/unit/exchange.h"
#include "vhost-user/vu_device.h"

static void exchange_with(void **state, struct fe_opts a, struct fe_opts b, uint32_t len_max)
{
	struct rig *rig = *state;
	struct fe *fa = rig_port(rig, 0, a), *fb = rig_port(rig, 1, b);

	exchange(fa, fb, len_max);
	exchange(fb, fa, len_max);
	fe_close(fa);
	fe_close(fb);
}

#define BASE (VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES))
#define V1   (BASE | VU_BIT(VIRTIO_F_VERSION_1))

static void default_front_ends_exchange_frames(void **state)
{
	exchange_with(state, (struct fe_opts){0}, (struct fe_opts){0}, 1514);
}

static void socket_roles_may_be_either(void **state)
{
	exchange_with(state, (struct fe_opts){.server = true}, (struct fe_opts){.server = true}, 1514);
}

static void layouts_of_sent_frames_may_be_any(void **state)
{
	exchange_with(state, (struct fe_opts){.layout = FE_TWO},
		      (struct fe_opts){.layout = FE_INDIRECT}, 1514);
}

static void legacy_headers_have_ten_bytes(void **state)
{
	struct fe_opts legacy = {.features = BASE | VU_BIT(VIRTIO_RING_F_EVENT_IDX)};

	exchange_with(state, legacy, (struct fe_opts){0}, 1514);
}

static void legacy_mergeable_headers_have_twelve_bytes(void **state)
{
	exchange_with(state, (struct fe_opts){.features = BASE | VU_BIT(VIRTIO_NET_F_MRG_RXBUF)},
		      (struct fe_opts){.features = V1}, 1514);
}

static void rings_run_without_event_idx_and_kicks(void **state)
{
	exchange_with(state, (struct fe_opts){.features = V1, .no_kick_fd = true},
		      (struct fe_opts){.features = V1 | VU_BIT(VIRTIO_NET_F_MRG_RXBUF)}, 1514);
}

static void large_frames_span_merged_buffers(void **state)
{
	struct rig *rig = *state;
	struct fe *big = rig_port(rig, 0, (struct fe_opts){.buf_size = 16000});
	struct fe *small = rig_port(rig, 1, (struct fe_opts){.buf_size = 100});

	exchange(big, small, 9014);
	fe_close(big);
	fe_close(small);
}

static void buffers_may_cross_regions(void **state)
{
	struct fe_opts o = {.n_regions = 7, .buf_size = 4000};

	exchange_with(state, o, o, 3900);
}

static void small_rings_work(void **state)
{
	struct fe_opts o = {.ring_size = 2};

	exchange_with(state, o, o, 1514);
}

static void mergeless_small_buffers_count_too_small(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){.features = V1, .buf_size = 512});
	uint8_t f[1514], got[1514];

	frame_fill(f, 2, 1, sizeof(f), 1);
	assert_true(fe_send(a, 0, f, 1514));
	assert_true(fe_send(a, 0, f, 500));
	assert_int_equal(fe_recv_wait(b, 0, got, sizeof(got)), 500);
	assert_int_equal(rig_counters(rig, 1).tx_drops[TX_BUFFER_TOO_SMALL], 1);
	fe_close(a);
	fe_close(b);
}

static void full_receive_ring_is_counted(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){.ring_size = 8});
	struct port_counters c;
	uint8_t f[60];

	frame_fill(f, 2, 1, 60, 1);
	for (unsigned i = 0; i < 100; i++)
		assert_true(fe_send(a, 0, f, 60));
	do
		c = rig_counters(rig, 1);
	while (c.tx_frames + c.tx_drops[TX_RING_FULL] < 100);
	assert_int_equal(c.tx_frames, 8);
	assert_int_equal(c.tx_drops[TX_RING_FULL], 92);
	fe_close(a);
	fe_close(b);
}

static void reconnected_front_end_works_again(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});

	for (unsigned i = 0; i < 20; i++) {
		struct fe_opts o = {0};
		struct err err = ERR_NONE;
		struct fe *b;

		o.path = i ? o.path : NULL;
		if (i == 0) {
			b = rig_port(rig, 1, o);
		} else {
			char path[96];
			struct port_info info;

			port_info(port_find(rig_switch(rig), "v1"), &info);
			snprintf(path, sizeof(path), "%s", info.path);
			o.path = path;
			if (fe_open(&o, &b, &err) < 0)
				fail_msg("%s", err.text);
			rig_await(rig, 1, PORT_UP);
		}
		exchange(a, b, 100);
		fe_close(b);
		rig_await(rig, 1, PORT_WAITING);
	}
	fe_close(a);
}

/* Reads the rig's arena as a successor would. */
static void kept_read(struct rig *rig, void *arg)
{
	struct vu_kept *k = arg;
	struct arena *a;
	unsigned n_dropped;

	assert_int_equal(arena_adopt(dup(switch_arena_fd(rig_switch(rig))), &a, &n_dropped, NULL), 0);
	for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++)
		if (arena_port_used(a, i))
			memcpy(k, arena_port(a, i)->driver, sizeof(*k));
	arena_destroy(a);
}

static void protocol_state_lies_in_the_arena(void **state)
{
	struct rig *rig = *state;
	struct fe *fe = rig_port(rig, 0, (struct fe_opts){.features = V1});
	static struct vu_kept k;

	rig_await(rig, 0, PORT_UP);
	rig_call(rig, kept_read, &k);
	assert_int_equal(k.path[0], '/');
	assert_true(k.dev.features_offered & VU_BIT(VIRTIO_F_VERSION_1));
	assert_int_equal(k.dev.features, V1);
	assert_int_equal(k.dev.phase, VU_NEGOTIATED);
	assert_true(k.dev.n_regions > 0 && k.dev.regions[0].size > 0);
	assert_true(vu_ring_runs(&k.dev, 0) && vu_ring_runs(&k.dev, 1));
	fe_close(fe);
}

static void four_queues_carry_flows_in_order(void **state)
{
	struct rig *rig = *state;
	struct fe_opts o = {.n_pairs = 4};
	struct fe *a = rig_port(rig, 0, o), *b = rig_port(rig, 1, o);
	uint32_t next[64] = {0}, n_queue[4] = {0};
	unsigned n_recv = 0;
	uint8_t f[80], got[2048];

	for (uint32_t k = 0; n_recv < 64 * 50;) {
		unsigned flow = k % 64;

		frame_fill(f, 2, 1, sizeof(f), 0);
		memcpy(f + 12, "\x08\x00\x45", 3);
		f[23] = 17;		       /* UDP */
		f[26] = 10, f[30] = 10, f[33] = 2; /* 10.x.x.x -> 10.x.x.2 */
		memset(f + 20, 0, 2);	       /* no fragment */
		f[35] = (uint8_t)flow;	       /* source port */
		memcpy(f + 60, &flow, 4);
		memcpy(f + 64, &(uint32_t){k / 64}, 4);
		/* Never more in flight than one ring takes: what is lost is not out of order. */
		if (k < 64 * 50 && k - n_recv < 256 && fe_send(a, flow % 4, f, sizeof(f)))
			k++;
		for (unsigned q = 0; q < 4; q++)
			while (fe_recv(b, q, got, sizeof(got)) > 0) {
				uint32_t seq;

				memcpy(&flow, got + 60, 4);
				memcpy(&seq, got + 64, 4);
				assert_int_equal(seq, next[flow]);
				next[flow]++;
				n_queue[q]++;
				n_recv++;
			}
	}
	for (unsigned q = 0; q < 4; q++)
		assert_true(n_queue[q] > 0);
	fe_close(a);
	fe_close(b);
}

static void replies_come_on_the_queue_that_asked(void **state)
{
	struct rig *rig = *state;
	struct fe_opts o = {.n_pairs = 4};
	struct fe *a = rig_port(rig, 0, o), *b = rig_port(rig, 1, o);
	uint8_t f[80], got[2048];

	for (unsigned q = 0; q < 4; q++) {
		frame_fill(f, 2, 1, sizeof(f), 0);
		memcpy(f + 12, "\x08\x00\x45", 3);
		memset(f + 20, 0, 2);
		f[23] = 17;
		memcpy(f + 26, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
		memcpy(f + 34, (uint8_t[]){4, (uint8_t)q, 0, 53}, 4);
		assert_true(fe_send(a, q, f, sizeof(f)));
		while (fe_recv(b, 0, got, sizeof(got)) < 0 && fe_recv(b, 1, got, sizeof(got)) < 0 &&
		       fe_recv(b, 2, got, sizeof(got)) < 0 && fe_recv(b, 3, got, sizeof(got)) < 0)
			;
		frame_fill(f, 1, 2, sizeof(f), 0);
		memcpy(f + 12, "\x08\x00\x45", 3);
		memset(f + 20, 0, 2);
		f[23] = 17;
		memcpy(f + 26, "\x0a\x00\x00\x02\x0a\x00\x00\x01", 8);
		memcpy(f + 34, (uint8_t[]){0, 53, 4, (uint8_t)q}, 4);
		assert_true(fe_send(b, 0, f, sizeof(f)));
		assert_int_equal(fe_recv_wait(a, q, got, sizeof(got)), sizeof(f));
	}
	fe_close(a);
	fe_close(b);
}

/* virtio-user as server tells base 0 to a back end that has come back. */
static void ring_goes_on_at_its_used_index(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){0});
	uint32_t base;

	exchange(a, b, 1514);
	exchange(b, a, 1514);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(fe_ring_stop(a, i, &base), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(fe_ring_start(a, i, 0), 0);
	rig_await(rig, 0, PORT_UP);
	exchange(a, b, 200);
	exchange(b, a, 200);
	fe_close(a);
	fe_close(b);
}

static enum vu_fd_kind kind_of(int fd)
{
	struct vu_fd_fact fact;

	vu_fd_fact(fd, &fact);
	return fact.kind;
}

/* A worker that touches a page of anything else may wait for a disk, or for a liar. */
static void guest_memory_is_in_memory(void **state)
{
	int memfd = memfd_create("test", MFD_CLOEXEC), file = open(".", O_TMPFILE | O_RDWR, 0600);
	char path[40];
	struct statfs fs;
	int ro;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(kind_of(memfd), VU_FD_FILE);
	assert_int_equal(kind_of(ro), VU_FD_OTHER);
	assert_int_equal(kind_of(STDIN_FILENO), VU_FD_OTHER);
	if (file >= 0 && fstatfs(file, &fs) == 0)
		assert_int_equal(kind_of(file),
				 fs.f_type == TMPFS_MAGIC ? VU_FD_FILE : VU_FD_OTHER);
	close(file);
	close(ro);
	close(memfd);
}

/* As QEMU does it when its guest masks an interrupt and unmasks it. */
static void call_descriptor_changes_without_loss(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){0});
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned n_received = 0;
	uint64_t ring = 0;
	uint8_t f[60], got[2048];

	exchange(a, b, 100);
	frame_fill(f, 2, 1, sizeof(f), 1);
	for (unsigned n = 0; n < 2000; n++) {
		assert_true(fe_send(a, 0, f, sizeof(f)));
		if (n % 10 == 0)
			fe_msg_send(b, VU_SET_VRING_CALL, 0, &ring, sizeof(ring),
				    n % 20 ? &fd : &b->rings[0].call_fd, 1);
		n_received += fe_recv_wait(b, 0, got, sizeof(got)) == sizeof(f);
	}
	assert_int_equal(n_received, 2000);
	assert_int_equal(poll(&p, 1, 1000), 1);
	close(fd);
	fe_close(a);
	fe_close(b);
}

static void shared_memory_cannot_be_truncated(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){.no_rings = true});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){0});

	/* The back end has sealed the memfd: shrinking is refused from then on. */
	rig_await(rig, 0, PORT_NEGOTIATING);
	fe_ring_start(a, 0, 0);
	fe_ring_start(a, 1, 0);
	rig_await(rig, 0, PORT_UP);
	assert_int_equal(ftruncate(a->mem_fd, 4096), -1);
	exchange(a, b, 100);
	fe_close(a);
	fe_close(b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(default_front_ends_exchange_frames),
		T(socket_roles_may_be_either),
		T(layouts_of_sent_frames_may_be_any),
		T(legacy_headers_have_ten_bytes),
		T(legacy_mergeable_headers_have_twelve_bytes),
		T(rings_run_without_event_idx_and_kicks),
		T(large_frames_span_merged_buffers),
		T(buffers_may_cross_regions),
		T(small_rings_work),
		T(mergeless_small_buffers_count_too_small),
		T(full_receive_ring_is_counted),
		T(reconnected_front_end_works_again),
		T(protocol_state_lies_in_the_arena),
		T(four_queues_carry_flows_in_order),
		T(replies_come_on_the_queue_that_asked),
		T(ring_goes_on_at_its_used_index),
		cmocka_unit_test(guest_memory_is_in_memory),
		T(call_descriptor_changes_without_loss),
		T(shared_memory_cannot_be_truncated),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
