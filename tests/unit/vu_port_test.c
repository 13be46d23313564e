/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user ports with front ends of our own: every ring layout, both socket roles, and what
 * heals a port that its guest has broken.
 */
#include "tests/unit/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/loop.h"
#include "switch/arena.h"
#include "vhost-user/vu_device.h"

static void frame_fill(uint8_t *f, uint8_t dst, uint8_t src, uint32_t len, unsigned seed)
{
	memset(f, 0, 12);
	f[0] = 2;
	f[5] = dst;
	f[6] = 2;
	f[11] = src;
	f[12] = 0x88;
	f[13] = 0xb5;
	for (uint32_t i = 14; i < len; i++)
		f[i] = (uint8_t)(i * 31 + seed);
}

/* Sends frames of many sizes from a to b and compares every byte. */
static void exchange(struct fe *a, struct fe *b, uint32_t len_max)
{
	static uint8_t f[65536], got[65536];

	for (uint32_t len = 14; len <= len_max; len += len < 140 ? 1 : 211) {
		int n;

		frame_fill(f, 2, 1, len, len);
		assert_true(fe_send(a, 0, f, len));
		n = fe_recv_wait(b, 0, got, sizeof(got));
		assert_int_equal(n, len);
		assert_memory_equal(got, f, len);
	}
}

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

/* Makes the guest of fe do something wrong, sees the port errored and its error eventfd
 * signalled, resets the driver, and sees it work again. */
static void violation_heals(void **state, void (*wrong)(struct fe *fe), const char *reason)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){0});
	struct pollfd p = {.fd = a->rings[1].err_fd, .events = POLLIN};
	uint32_t base;

	wrong(a);
	fe_kick(a, 1);
	rig_await(rig, 0, PORT_ERRORED);
	if (!strstr(rig_reason(rig, 0), reason))
		fail_msg("\"%s\" does not say \"%s\"", rig_reason(rig, 0), reason);
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_int_equal(rig_state(rig, 1), PORT_UP);
	/* As a driver's reset: rings stopped, cleared, started from 0. */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(fe_ring_stop(a, i, &base), 0);
		memset(a->rings[i].used, 0, 4 + 8 * 256u + 2);
	}
	a->rings[1].avail->idx = a->rings[1].next_avail = a->rings[1].last_used = 0;
	a->rings[0].last_used = 0;
	a->rings[1].free_head = 0;
	a->rings[1].n_free = 256;
	for (uint16_t k = 0; k < 256; k++)
		a->rings[1].desc[k] = (struct vring_desc){.next = (uint16_t)(k + 1)};
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(fe_ring_start(a, i, 0), 0);
	rig_await(rig, 0, PORT_UP);
	exchange(a, b, 200);
	fe_close(a);
	fe_close(b);
}

static void publish(struct fe *fe, uint16_t head)
{
	struct fe_ring *r = &fe->rings[1];

	r->avail->ring[r->next_avail & (r->size - 1)] = head;
	__atomic_store_n(&r->avail->idx, (uint16_t)(r->next_avail + 1), __ATOMIC_SEQ_CST);
}

static void desc(struct fe *fe, unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	fe->rings[1].desc[i] = (struct vring_desc){addr, len, flags, next};
}

static void index_jumps(struct fe *fe)
{
	__atomic_store_n(&fe->rings[1].avail->idx, 1000, __ATOMIC_SEQ_CST);
}

static void head_is_out_of_range(struct fe *fe)
{
	publish(fe, 256);
}

static void chain_loops(struct fe *fe)
{
	desc(fe, 0, FE_GPA, 16, VRING_DESC_NEXT, 1);
	desc(fe, 1, FE_GPA, 16, VRING_DESC_NEXT, 0);
	publish(fe, 0);
}

static void address_is_outside(struct fe *fe)
{
	desc(fe, 0, 0xdead0000, 100, 0, 0);
	publish(fe, 0);
}

static void address_wraps(struct fe *fe)
{
	desc(fe, 0, UINT64_MAX - 10, 100, 0, 0);
	publish(fe, 0);
}

static void length_leaves_memory(struct fe *fe)
{
	desc(fe, 0, FE_GPA + fe->mem_size - 50, 100, 0, 0);
	publish(fe, 0);
}

static void buffer_is_for_writing(struct fe *fe)
{
	desc(fe, 0, FE_GPA, 100, VRING_DESC_WRITE, 0);
	publish(fe, 0);
}

static void table_is_nested(struct fe *fe)
{
	fe->rings[1].indirect[0] =
		(struct vring_desc){FE_GPA, 32, VRING_DESC_INDIRECT, 0};
	desc(fe, 0, fe_gpa(fe, fe->rings[1].indirect), 16, VRING_DESC_INDIRECT, 0);
	publish(fe, 0);
}

static void table_is_odd(struct fe *fe)
{
	desc(fe, 0, fe_gpa(fe, fe->rings[1].indirect), 17, VRING_DESC_INDIRECT, 0);
	publish(fe, 0);
}

static void header_is_short(struct fe *fe)
{
	desc(fe, 0, FE_GPA, 11, 0, 0);
	publish(fe, 0);
}

#define VIOLATION(name, reason)                              \
	static void violation_##name(void **state)           \
	{                                                    \
		violation_heals(state, name, reason);        \
	}
VIOLATION(index_jumps, "available index went from 0 to 1000")
VIOLATION(head_is_out_of_range, "names descriptor 256; there are 256")
VIOLATION(chain_loops, "loops")
VIOLATION(address_is_outside, "0xdead0000, 100 bytes, is outside")
VIOLATION(address_wraps, "is outside guest memory")
VIOLATION(length_leaves_memory, "is outside guest memory")
VIOLATION(buffer_is_for_writing, "mixes buffers")
VIOLATION(table_is_nested, "holds another one")
VIOLATION(table_is_odd, "has 17 bytes")
VIOLATION(header_is_short, "has 11 bytes, less than the 12")

static void bytes_of_huge_frames_are_counted_in_full(void **state)
{
	struct rig *rig = *state;
	struct fe *fe = rig_port(rig, 0, (struct fe_opts){.buf_size = 16000});
	struct fe_ring *r = &fe->rings[1];
	uint64_t len = 100 * fe->mem_size - fe->hdr_len;
	struct port_counters c;

	/* A chain of a hundred times all memory, made available twenty times at once. */
	for (uint16_t i = 0; i < 100; i++)
		desc(fe, i, FE_GPA, (uint32_t)fe->mem_size, i < 99 ? VRING_DESC_NEXT : 0,
		     (uint16_t)(i + 1));
	for (uint16_t i = 0; i < 20; i++)
		r->avail->ring[i] = 0;
	__atomic_store_n(&r->avail->idx, 20, __ATOMIC_SEQ_CST);
	fe_kick(fe, 1);
	for (uint64_t end_ns = loop_now_ns() + 5 * S_NS; loop_now_ns() < end_ns;) {
		c = rig_counters(rig, 0);
		if (c.rx_drops[RX_TOO_LONG] == 20)
			break;
	}
	assert_int_equal(c.rx_drops[RX_TOO_LONG], 20);
	assert_true(20 * len > UINT32_MAX);
	assert_int_equal(c.rx_bytes, 20 * len);
	fe_close(fe);
}

static void administrator_heals_a_violation(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0});
	struct fe *b = rig_port(rig, 1, (struct fe_opts){0});

	head_is_out_of_range(a);
	fe_kick(a, 1);
	rig_await(rig, 0, PORT_ERRORED);
	a->rings[1].avail->idx = 0; /* the guest mends its ring */
	rig_port_admin(rig, 0, true);
	rig_await(rig, 0, PORT_UP);
	exchange(a, b, 100);
	fe_close(a);
	fe_close(b);
}

static void down_port_comes_back_where_it_was(void **state)
{
	struct rig *rig = *state;
	struct fe *a, *b;
	uint8_t f[60], got[2048];

	rig_keep_open(rig);
	a = rig_port(rig, 0, (struct fe_opts){0});
	b = rig_port(rig, 1, (struct fe_opts){0});
	exchange(a, b, 200);
	rig_port_admin(rig, 1, false);
	rig_await(rig, 1, PORT_DOWN);
	frame_fill(f, 2, 1, 60, 1);
	assert_true(fe_send(a, 0, f, 60));
	usleep(20000);
	assert_int_equal(fe_recv(b, 0, got, sizeof(got)), -1);
	rig_port_admin(rig, 1, true);
	rig_await(rig, 1, PORT_UP);
	exchange(a, b, 200);
	fe_close(a);
	fe_close(b);
}

static bool hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 5000) > 0 && p.revents & (POLLRDHUP | POLLHUP);
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* That is how QEMU's guest sees that it has no carrier. Whoever connects meanwhile must not wait for an
 * answer: a QEMU would hold up its whole guest. */
static void down_port_hangs_up_and_lets_nobody_wait(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0}), *b;
	struct fe_opts again = {.path = a->opts.path};
	struct err err = ERR_NONE;
	int fd;

	rig_port_admin(rig, 0, false);
	assert_true(hung_up(a->fd));
	assert_int_equal(rig_state(rig, 0), PORT_DOWN);
	for (int i = 0; i < 10; i++) {
		fd = connect_to(a->opts.path);
		assert_true(hung_up(fd));
		close(fd);
	}
	assert_int_equal(rig_state(rig, 0), PORT_DOWN);
	rig_port_admin(rig, 0, true);
	assert_int_equal(rig_state(rig, 0), PORT_WAITING);
	fe_close(a);
	if (fe_open(&again, &a, &err) < 0)
		fail_msg("%s", err.text);
	rig_await(rig, 0, PORT_UP);
	b = rig_port(rig, 1, (struct fe_opts){0});
	exchange(a, b, 200);
	fe_close(a);
	fe_close(b);
}

static unsigned n_told;

static void on_change(void *arg, const struct switch_change *change)
{
	n_told += change->event == SWITCH_PORT_CARRIER;
}

static void listen_to(struct rig *rig, void *arg)
{
	switch_on_change(rig_switch(rig), on_change, NULL);
}

/* QEMU shows its guest a link when it connects: who shows another one must hear of that. */
static void carrier_is_told_again_when_a_front_end_speaks(void **state)
{
	struct rig *rig = *state;
	struct fe_opts opts = {.no_rings = true};
	struct err err = ERR_NONE;
	struct fe *fe;

	rig_keep_open(rig);
	opts.path = rig_port_add(rig, 0, true);
	rig_port_admin(rig, 0, false);
	rig_call(rig, listen_to, NULL);
	n_told = 0;
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(fe_open(&opts, &fe, &err), 0);
		rig_state(rig, 0); /* control has been round */
		assert_int_equal(n_told, i);
		fe_close(fe);
		rig_state(rig, 0);
	}
}

/* The other role: it does not connect until it is up, then at once. */
static void down_port_looks_for_nobody(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){.server = true});
	const char *path = a->opts.path;
	struct pollfd p = {.events = POLLIN};
	struct err err = ERR_NONE;

	rig_port_admin(rig, 0, false);
	assert_true(hung_up(a->fd));
	fe_close(a);
	unlink(path);
	p.fd = fe_listen(path, &err);
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 600), 0); /* retries come every 250 ms at the latest */
	assert_int_equal(rig_state(rig, 0), PORT_DOWN);
	rig_port_admin(rig, 0, true);
	assert_int_equal(poll(&p, 1, 1000), 1);
	close(p.fd);
	unlink(path);
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

/* Accepts and hangs up for 300 ms; returns how often. */
static unsigned hang_up_on_all(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t end_ns = loop_now_ns() + 300 * MS_NS;
	unsigned n = 0;

	while (loop_now_ns() < end_ns)
		if (poll(&p, 1, 10) > 0) {
			close(accept(fd, NULL, NULL));
			n++;
		}
	return n;
}

static void hanging_up_slows_the_tries_down(void **state)
{
	struct rig *rig = *state;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned n;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", rig_port_add(rig, 0, false));
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 4), 0);
	n = hang_up_on_all(fd);
	if (n < 2 || n > 10)
		fail_msg("%u connections in 300 ms", n);
	assert_int_equal(rig_state(rig, 0), PORT_CONNECTING);
	close(fd);
	unlink(sun.sun_path);
}

static void mtu_set(struct rig *rig, void *arg)
{
	struct err err = ERR_NONE;

	if (port_mtu_set(port_find(rig_switch(rig), "v0"), *(uint32_t *)arg, &err) < 0)
		fail_msg("%s", err.text);
}

static void mtu_get(struct rig *rig, void *arg)
{
	struct port_info info;

	port_info(port_find(rig_switch(rig), "v0"), &info);
	*(uint32_t *)arg = info.mtu;
}

static uint32_t rig_mtu(struct rig *rig)
{
	uint32_t mtu;

	rig_call(rig, mtu_get, &mtu);
	return mtu;
}

/* Tells an MTU and waits until it has been read. */
static void mtu_tell(struct fe *fe, uint64_t mtu)
{
	uint64_t pairs;

	assert_int_equal(fe_set_u64(fe, VU_NET_SET_MTU, mtu), 0);
	assert_int_equal(fe_get_u64(fe, VU_GET_QUEUE_NUM, &pairs), 0);
}

static void front_ends_mtu_ends_with_its_connection(void **state)
{
	struct rig *rig = *state;
	struct fe *fe = rig_port(rig, 0, (struct fe_opts){0});

	mtu_tell(fe, 1500);
	assert_int_equal(rig_mtu(rig), 1500);
	mtu_tell(fe, 9000); /* its own word does not bind it */
	assert_int_equal(rig_mtu(rig), 9000);
	fe_close(fe);
	rig_await(rig, 0, PORT_WAITING);
	assert_int_equal(rig_mtu(rig), 0);
}

static void administrators_mtu_outlives_connections(void **state)
{
	struct rig *rig = *state;
	struct fe *fe = rig_port(rig, 0, (struct fe_opts){0});
	uint32_t mtu = 2000;

	rig_call(rig, mtu_set, &mtu);
	mtu_tell(fe, 1500);
	assert_int_equal(rig_mtu(rig), 2000);
	fe_close(fe);
	rig_await(rig, 0, PORT_WAITING);
	assert_int_equal(rig_mtu(rig), 2000);
}

/* A front end tells its MTU at each reset of its driver: one that was agreed on stays good. */
static void lowered_mtu_counts_from_the_next_connection(void **state)
{
	struct rig *rig = *state;
	struct fe *fe = rig_port(rig, 0, (struct fe_opts){.no_rings = true});
	struct fe_opts again = {.path = fe->opts.path, .no_rings = true};
	struct err err = ERR_NONE;
	uint64_t mtu = 9000;
	uint32_t limit = 1500;
	struct vu_msg reply;

	rig_call(rig, mtu_set, &limit);
	mtu_tell(fe, 9000);
	fe_close(fe);
	rig_await(rig, 0, PORT_WAITING);
	assert_int_equal(fe_open(&again, &fe, &err), 0);
	/* Refused with an answer, where one is asked for: the connection stays. */
	assert_int_equal(fe_msg_send(fe, VU_NET_SET_MTU, VU_NEED_REPLY, &mtu, sizeof(mtu), NULL, 0), 0);
	assert_int_equal(fe_msg_reply(fe, &reply), 0);
	assert_int_equal(reply.u.u64, 1);
	limit = 2000;
	rig_call(rig, mtu_set, &limit);
	mtu = 2000; /* raised: that counts at once */
	assert_int_equal(fe_msg_send(fe, VU_NET_SET_MTU, VU_NEED_REPLY, &mtu, sizeof(mtu), NULL, 0), 0);
	assert_int_equal(fe_msg_reply(fe, &reply), 0);
	assert_int_equal(reply.u.u64, 0);
	limit = 1400;
	rig_call(rig, mtu_set, &limit);
	mtu = 1500; /* lowered: it was right when the front end connected */
	assert_int_equal(fe_msg_send(fe, VU_NET_SET_MTU, VU_NEED_REPLY, &mtu, sizeof(mtu), NULL, 0), 0);
	assert_int_equal(fe_msg_reply(fe, &reply), 0);
	assert_int_equal(reply.u.u64, 0);
	assert_int_equal(rig_mtu(rig), 1400);
	fe_close(fe);
	rig_await(rig, 0, PORT_WAITING);
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

static void protocol_violation_closes_and_backs_off(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){.no_rings = true});
	struct vu_msg reply;

	assert_int_equal(fe_set_state(a, VU_SET_VRING_NUM, 99, 256), 0);
	assert_int_equal(fe_msg_reply(a, &reply), -EPIPE);
	rig_await(rig, 0, PORT_ERRORED);
	assert_non_null(strstr(rig_reason(rig, 0), "SET_VRING_NUM: ring 99 of a device with rings 0-15"));
	rig_await(rig, 0, PORT_WAITING); /* 250 ms later */
	fe_close(a);
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
		T(violation_index_jumps),
		T(violation_head_is_out_of_range),
		T(violation_chain_loops),
		T(violation_address_is_outside),
		T(violation_address_wraps),
		T(violation_length_leaves_memory),
		T(violation_buffer_is_for_writing),
		T(violation_table_is_nested),
		T(violation_table_is_odd),
		T(violation_header_is_short),
		T(bytes_of_huge_frames_are_counted_in_full),
		T(administrator_heals_a_violation),
		T(down_port_comes_back_where_it_was),
		T(down_port_hangs_up_and_lets_nobody_wait),
		T(down_port_looks_for_nobody),
		T(carrier_is_told_again_when_a_front_end_speaks),
		T(ring_goes_on_at_its_used_index),
		cmocka_unit_test(guest_memory_is_in_memory),
		T(hanging_up_slows_the_tries_down),
		T(front_ends_mtu_ends_with_its_connection),
		T(administrators_mtu_outlives_connections),
		T(lowered_mtu_counts_from_the_next_connection),
		T(call_descriptor_changes_without_loss),
		T(shared_memory_cannot_be_truncated),
		T(protocol_violation_closes_and_backs_off),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
