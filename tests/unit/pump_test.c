/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pumps and queues of host ports over pairs of datagram sockets, whose other end is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/flat.h"
#include "tap/pump.h"
#include "tests/unit/lab.h"

#define N_MANY 3000

/* A port on bridge br whose descriptor is one end of a pair. */
struct pair_port {
	struct port port; /* first */
	struct host_queue queue;
	int fd, other;
	unsigned n_faults;
};

static struct pair_port *pair_of(struct port *p)
{
	return (struct pair_port *)p;
}

static unsigned pair_rx_burst(struct port *p, unsigned q, struct burst *b)
{
	return host_queue_rx_burst(&pair_of(p)->queue, b);
}

static void pair_rx_done(struct port *p, unsigned q, struct burst *b)
{
	host_queue_rx_done(&pair_of(p)->queue);
}

static unsigned pair_tx_burst(struct port *p, unsigned q, const struct frame *frames,
			      const struct delivery *d, unsigned n, struct port_counters *c)
{
	return host_queue_tx_burst(&pair_of(p)->queue, frames, d, n, c);
}

static bool pair_arm(struct port *p, unsigned q)
{
	return host_queue_arm(&pair_of(p)->queue);
}

static void pair_disarm(struct port *p, unsigned q)
{
	host_queue_disarm(&pair_of(p)->queue);
}

static void pair_stop(struct pair_port *pp)
{
	port_stop_all(&pp->port);
	pump_stop(&pp->queue);
}

static void pair_fault(struct port *p)
{
	pair_of(p)->n_faults++;
}

static void pair_destroy(struct port *p)
{
	struct pair_port *pp = pair_of(p);

	pair_stop(pp);
	port_fini(p);
	host_queue_destroy(&pp->queue);
	close(pp->fd);
	if (pp->other >= 0)
		close(pp->other);
	free(pp);
}

static const struct port_ops pair_ops = {
	.type = "pair",
	.rx_burst = pair_rx_burst,
	.rx_done = pair_rx_done,
	.tx_burst = pair_tx_burst,
	.arm = pair_arm,
	.disarm = pair_disarm,
	.fault = pair_fault,
	.destroy = pair_destroy,
};

/* The worker uses it only where it is asked to. */
static void rings_start(struct pair_port *pp)
{
	assert_int_equal(port_rx_start(&pp->port, 0, pp->queue.kick_fd, NULL), 0);
	assert_int_equal(port_tx_start(&pp->port, 0, NULL), 0);
}

static struct pair_port *pair_add(struct lab *lab, bool start)
{
	static const struct host_format format = {.socket = true};
	struct pair_port *pp = aligned_alloc(64, (sizeof(*pp) + 63) / 64 * 64);
	struct port_opts opts = {.name = "pair", .bridge = lab->br};
	int fds[2];

	memset(pp, 0, sizeof(*pp));
	vlan_policy_default(&opts.vlan);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	pp->fd = fds[0];
	pp->other = fds[1];
	assert_int_equal(host_queue_create(&pp->queue, &pp->port, &format), 0);
	assert_int_equal(port_init(&pp->port, lab->sw, &opts, &pair_ops, NULL), 0);
	assert_int_equal(pump_start(&pp->queue, pp->fd, NULL), 0);
	if (start)
		rings_start(pp);
	return pp;
}

static struct port_counters counters(struct pair_port *pp)
{
	struct port_counters c;

	port_counters_read(&pp->port, &c);
	return c;
}

static uint64_t n_counted(const struct port_counters *c)
{
	uint64_t n = c->tx_frames;

	for (unsigned i = 0; i < N_TX_DROPS; i++)
		n += c->tx_drops[i];
	return n;
}

/* The pump counts behind the system call that the test sees. */
static void await_counted(struct pair_port *pp, uint64_t n)
{
	for (unsigned tries = 0; tries < 2000; tries++) {
		struct port_counters c = counters(pp);

		if (n_counted(&c) == n)
			return;
		usleep(1000);
	}
	fail_msg("not all of %u frames are counted", (unsigned)n);
}

/* Number i, in the bytes behind the type. */
static size_t numbered(uint8_t *f, uint8_t dst, uint8_t src, uint32_t i, size_t len)
{
	frame_make(f, dst, src, -1, len);
	memcpy(f + 14, &i, sizeof(i));
	return len;
}

static uint32_t number(const uint8_t *f)
{
	uint32_t i;

	memcpy(&i, f + 14, sizeof(i));
	return i;
}

/* The next datagram, or -1 after 2 s without one. */
static ssize_t other_recv(struct pair_port *pp, uint8_t *f, size_t size)
{
	struct pollfd fd = {.fd = pp->other, .events = POLLIN};

	return poll(&fd, 1, 2000) == 1 ? recv(pp->other, f, size, 0) : -1;
}

static void other_send(struct pair_port *pp, const uint8_t *f, size_t len)
{
	struct pollfd fd = {.fd = pp->other, .events = POLLOUT};

	while (send(pp->other, f, len, 0) < 0) {
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(poll(&fd, 1, 2000), 1);
	}
}

static void frames_go_both_ways_in_order(void **state)
{
	struct lab *lab = *state;
	struct pair_port *pp = pair_add(lab, true);
	uint8_t f[2000];

	lab_ports(lab, 1);
	for (uint32_t i = 0; i < N_MANY; i++)
		other_send(pp, f, numbered(f, 0xff, 2, i, 60 + i % 1400));
	for (unsigned tries = 0; fake_n_out(lab->port[0]) < N_MANY && tries < 2000; tries++)
		usleep(1000);
	for (uint32_t i = 0; i < N_MANY; i++) {
		size_t len;

		assert_int_equal(number(fake_out(lab->port[0], i, &len)), i);
		assert_int_equal(len, 60 + i % 1400);
	}
	for (uint32_t i = 0; i < N_MANY; i++) {
		fake_inject(lab->port[0], f, numbered(f, 2, 1, i, 60 + i % 1400));
		assert_int_equal(other_recv(pp, f, sizeof(f)), 60 + i % 1400);
		assert_int_equal(number(f), i);
	}
	await_counted(pp, N_MANY);
	assert_int_equal(counters(pp).tx_frames, N_MANY);
	assert_int_equal(counters(pp).rx_frames, N_MANY);
}

static void descriptor_that_blocks_gets_all_that_found_room(void **state)
{
	struct lab *lab = *state;
	struct pair_port *pp = pair_add(lab, true);
	struct port_counters c;
	uint8_t f[2000];
	uint32_t next = 0, n_room;

	lab_ports(lab, 1);
	for (uint32_t i = 0; i < N_MANY; i++)
		fake_inject(lab->port[0], f, numbered(f, 0xff, 1, i, 1000));
	fake_settle(lab->sw);
	c = counters(pp);
	assert_true(c.tx_drops[TX_RING_FULL] > 0);
	n_room = N_MANY - (uint32_t)c.tx_drops[TX_RING_FULL];
	assert_true(n_room > 900); /* 1 MiB of them */
	/* What waits is not sent yet. */
	assert_true(c.tx_frames < 900);
	for (unsigned i = 0; i < n_room; i++) {
		assert_int_equal(other_recv(pp, f, sizeof(f)), 1000);
		assert_true(number(f) >= next);
		next = number(f) + 1;
	}
	await_counted(pp, N_MANY);
	assert_int_equal(counters(pp).tx_frames, n_room);
}

static void what_the_host_refuses_was_never_sent(void **state)
{
	struct lab *lab = *state;
	struct pair_port *pp = pair_add(lab, true);
	struct port_counters c;

	lab_ports(lab, 1);
	close(pp->other);
	pp->other = -1;
	for (unsigned i = 0; i < 10; i++)
		lab_send(lab, 0, 0xff, 1, -1);
	await_counted(pp, 10);
	c = counters(pp);
	assert_int_equal(c.tx_frames, 0);
	assert_int_equal(c.tx_bytes, 0);
	assert_int_equal(c.tx_drops[TX_HOST_REFUSED], 10);
	for (unsigned tries = 0; !pp->n_faults && tries < 100; tries++)
		loop_once(lab->loop, 10);
	loop_once(lab->loop, 10);
	assert_int_equal(pp->n_faults, 1); /* told once */
}

static void what_was_not_written_at_the_stop_was_not_up(void **state)
{
	struct lab *lab = *state;
	struct pair_port *pp = pair_add(lab, true);
	struct port_counters c;
	uint64_t n_before;
	uint8_t f[2000];
	unsigned n_came = 0;

	lab_ports(lab, 1);
	for (uint32_t i = 0; i < 500; i++)
		fake_inject(lab->port[0], f, numbered(f, 0xff, 1, i, 1000));
	fake_settle(lab->sw);
	n_before = counters(pp).tx_frames;
	pair_stop(pp);
	assert_true(counters(pp).tx_frames >= n_before); /* no counter goes back */
	while (recv(pp->other, f, sizeof(f), MSG_DONTWAIT) > 0)
		n_came++;
	c = counters(pp);
	assert_true(n_came < 500);
	assert_int_equal(c.tx_frames, n_came);
	assert_int_equal(c.tx_bytes, 1000 * n_came);
	assert_int_equal(c.tx_drops[TX_NOT_UP], 500 - n_came);
	/* And on it goes. */
	assert_int_equal(pump_start(&pp->queue, pp->fd, NULL), 0);
	rings_start(pp);
	lab_send(lab, 0, 0xff, 1, -1);
	assert_int_equal(other_recv(pp, f, sizeof(f)), 60);
}

static void what_no_worker_took_at_the_stop_was_not_up(void **state)
{
	struct lab *lab = *state;
	struct pair_port *pp = pair_add(lab, false);
	struct port_counters c;
	uint8_t f[2000];

	lab_ports(lab, 1);
	for (uint32_t i = 0; i < 100; i++)
		other_send(pp, f, numbered(f, 0xff, 2, i, 1000));
	/* Read, all of it. */
	for (unsigned tries = 0; atomic_load(&pp->queue.rx.published) < 100 * 1008 && tries < 2000;
	     tries++)
		usleep(1000);
	pair_stop(pp);
	assert_int_equal(pump_start(&pp->queue, pp->fd, NULL), 0);
	rings_start(pp);
	other_send(pp, f, numbered(f, 0xff, 2, 1000, 60));
	for (unsigned tries = 0; !fake_n_out(lab->port[0]) && tries < 2000; tries++)
		usleep(1000);
	/* None that is older than the start. */
	assert_int_equal(number(fake_out(lab->port[0], 0, NULL)), 1000);
	assert_n_out(lab, 0, 1);
	c = counters(pp);
	assert_int_equal(c.rx_frames, 101);
	assert_int_equal(c.rx_bytes, 100 * 1000 + 60);
	assert_int_equal(c.rx_drops[RX_NOT_UP], 100);
	assert_string_equal(rx_drop_names[RX_NOT_UP], "not_up");
}

/* Fills the ring of a queue with frames of 60 bytes: how many. */
static unsigned queue_fill(struct host_queue *hq)
{
	const uint64_t one = 1;
	unsigned n = 0;
	uint8_t *at;

	for (; (at = byte_ring_reserve(&hq->tx, 60)); n++) {
		memset(at, 0, 60);
		byte_ring_commit(&hq->tx, 60, 60);
	}
	if (byte_ring_publish(&hq->tx))
		assert_int_equal(write(hq->pump_fd, &one, sizeof(one)), sizeof(one));
	return n;
}

/* One queue of a pump stops while the other, which counts in the same block, is refused all it has. */
static void sums_close_when_one_of_two_queues_stops(void **state)
{
	struct pair_port *pp = pair_add(*state, false);
	uint64_t n = 0;
	struct port_counters c;
	struct host_queue more;
	int fds[2];

	pair_stop(pp);
	close(pp->other);
	pp->other = -1;
	assert_int_equal(host_queue_create(&more, &pp->port, &pp->queue.format), 0);
	for (unsigned round = 0; round < 60; round++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
		close(fds[1]);
		assert_int_equal(pump_start(&more, fds[0], NULL), 0);
		assert_int_equal(pump_start(&pp->queue, pp->fd, NULL), 0);
		assert_ptr_equal(more.counters, pp->queue.counters);
		n += queue_fill(&pp->queue) + queue_fill(&more);
		pump_stop(&pp->queue);
		pump_stop(&more);
		close(fds[0]);
		c = counters(pp);
		assert_int_equal(n_counted(&c), n);
		assert_int_equal(c.tx_bytes, 60 * c.tx_frames);
	}
	host_queue_destroy(&more);
}

/* A frame of 64,000 bytes of TCP with all the options there are, to be cut into payloads of gso_size. */
static void segments_make(uint8_t *f, struct vnet_hdr *hdr, uint16_t gso_size)
{
	memset(f, 0, 64000);
	frame_make(f, 0xff, 1, -1, 14);
	memcpy(f + 12, "\x08\x00\x4f\x00", 4);
	f[16] = (64000 - 14) >> 8;
	f[17] = (64000 - 14) & 0xff;
	f[14 + 9] = 6;
	f[74 + 12] = 0xf0;
	*hdr = (struct vnet_hdr){.flags = VNET_HDR_NEEDS_CSUM, .gso_type = VNET_HDR_GSO_TCPV4,
				 .hdr_len = 134, .gso_size = gso_size, .csum_start = 74,
				 .csum_offset = 16};
}

static void frame_whose_packets_never_find_room_is_too_long(void **state)
{
	static const struct host_format format = {.socket = true, .pad = true};
	static uint8_t bytes[64000];
	const struct delivery d = {.as_is = true};
	struct seg piece = {bytes, sizeof(bytes)};
	struct port_counters c = {0};
	struct burst *b = calloc(1, sizeof(*b));
	struct vnet_hdr hdr;
	struct port port;
	struct host_queue hq;

	assert_int_equal(host_queue_create(&hq, &port, &format), 0);
	segments_make(bytes, &hdr, 8);
	assert_true(flat_frame(b, 0, &hdr, OFFLOAD_CSUM | OFFLOAD_TSO, &piece, 1));
	assert_int_equal(b->frames[0].drop, FRAME_NO_DROP);
	assert_int_equal(host_queue_tx_burst(&hq, b->frames, &d, 1, &c), 1);
	assert_int_equal(c.tx_drops[TX_TOO_LONG], 1);
	assert_int_equal(hq.tx.head, 0);
	/* One that fits does so, wherever the ring begins. */
	segments_make(bytes, &hdr, 16);
	b->n_segs = 0;
	assert_true(flat_frame(b, 0, &hdr, OFFLOAD_CSUM | OFFLOAD_TSO, &piece, 1));
	for (unsigned i = 0; i < 20; i++) {
		uint32_t len, tag;

		assert_int_equal(host_queue_tx_burst(&hq, b->frames, &d, 1, &c), 1);
		while (byte_ring_next(&hq.tx, &len, &tag))
			;
		byte_ring_free(&hq.tx);
	}
	assert_int_equal(c.tx_drops[TX_TOO_LONG], 1);
	host_queue_destroy(&hq);
	free(b);
}

static void worker_that_does_not_take_holds_up_the_host_and_loses_nothing(void **state)
{
	struct lab *lab = *state;
	struct pair_port *pp = pair_add(lab, false);
	uint8_t f[2000];
	uint32_t n = 0;

	lab_ports(lab, 1);
	for (;; n++) {
		struct pollfd fd = {.fd = pp->other, .events = POLLOUT};

		numbered(f, 0xff, 2, n, 1000);
		if (send(pp->other, f, 1000, 0) == 1000)
			continue;
		/* Nobody has taken anything for so long: ring and socket are full. */
		if (poll(&fd, 1, 300) == 0)
			break;
		n--;
	}
	assert_true(n > 900);
	rings_start(pp);
	for (unsigned tries = 0; fake_n_out(lab->port[0]) < n && tries < 2000; tries++)
		usleep(1000);
	assert_int_equal(fake_n_out(lab->port[0]), n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(number(fake_out(lab->port[0], i, NULL)), i);
}

#define T(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(frames_go_both_ways_in_order),
		T(descriptor_that_blocks_gets_all_that_found_room),
		T(what_the_host_refuses_was_never_sent),
		T(what_was_not_written_at_the_stop_was_not_up),
		T(what_no_worker_took_at_the_stop_was_not_up),
		T(sums_close_when_one_of_two_queues_stops),
		T(frame_whose_packets_never_find_room_is_too_long),
		T(worker_that_does_not_take_holds_up_the_host_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
