/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Offloads end to end: a sender's features x receivers' features x VLAN handling x receive buffers x
 * layout of the sender's descriptors x kinds of frames, over real rings and a worker.
 *
 * How      One sender, seven receivers that take different things. Each frame goes to all of them at
 *          once, then others to one of them; each receiver's packets are compared byte for byte
 *          with what the oracle makes of the frame's fields. A frame that asks for what its
 *          sender has not negotiated must be counted, and arrive nowhere.
 */
#include "tests/unit/rig.h"

#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "tests/unit/dice.h"
#include "tests/unit/matrix_frames.h"
#include "tests/unit/matrix_rings.h"
#include "tests/unit/matrix_vlan.h"

#define N_RX	(RIG_PORTS - 1)
#define BIG	(70 * 1024) /* bytes: header and frame of any length */
#define RINGS	(VU_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VU_BIT(VIRTIO_RING_F_EVENT_IDX) | \
		 VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES))
#define V1	VU_BIT(VIRTIO_F_VERSION_1)
#define MRG	VU_BIT(VIRTIO_NET_F_MRG_RXBUF)
#define ALL_TSO (MATRIX_CAN_TSO4 | MATRIX_CAN_TSO6)
#define ALL	(MATRIX_CAN_CSUM | ALL_TSO | MATRIX_CAN_ECN)

static const unsigned senders[] = {
	0,
	MATRIX_CAN_CSUM,
	MATRIX_CAN_CSUM | MATRIX_CAN_TSO4,
	MATRIX_CAN_CSUM | MATRIX_CAN_TSO6,
	MATRIX_CAN_CSUM | ALL_TSO,
	ALL,
	ALL & ~MATRIX_CAN_CSUM, /* no driver says that */
};

static const unsigned receivers[N_RX] = {
	0,
	MATRIX_CAN_CSUM,
	MATRIX_CAN_CSUM | MATRIX_CAN_TSO4,
	MATRIX_CAN_CSUM | MATRIX_CAN_TSO6,
	MATRIX_CAN_CSUM | ALL_TSO,
	ALL,
	ALL & ~MATRIX_CAN_CSUM,
};

struct buffers {
	const char *name;
	uint64_t features;
	uint16_t ring_size;
	uint32_t size;	      /* bytes of a receive buffer */
	uint32_t pieces[20];  /* of it, to the first 0; none: one descriptor */
};

static const struct buffers small_merged = {"512 B, merged", V1 | MRG, 1024, 512, {0}};
static const struct buffers middle_merged = {"1536 B, merged", V1 | MRG, 512, 1536, {0}};
static const struct buffers large_merged = {"2048 B, merged, legacy", MRG, 256, 2048, {0}};
static const struct buffers odd_merged = {"in pieces, merged", V1 | MRG, 256, 1600, {5, 20, 41, 1, 1533}};
static const struct buffers one_big = {"70 KB", V1, 128, BIG, {0}};
static const struct buffers legacy_big = {"70 KB, legacy", 0, 128, BIG, {0}};
static const struct buffers too_small = {"1600 B, not merged", V1, 256, 1600, {0}};
/* As Linux does without MRG_RXBUF: the header, the rest of its page, pages. */
static const struct buffers pages = {"pages", V1, 128, 18 * 4096,
				     {12, 4084, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096,
				      4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096}};

struct matrix {
	struct rig *rig;
	const struct buffers *buffers;
	struct fe *tx, *rx[N_RX];
	unsigned sender; /* MATRIX_CAN_* */
	enum matrix_vlan vlan;
	enum matrix_layout layout;
	/* What has been put on the sender's ring and not been looked for yet. */
	unsigned n;
	uint32_t n_buffers; /* that it takes at most */
	struct {
		struct matrix_frame m;
		struct matrix_tags left;
		int to; /* a receiver, or -1 */
	} sent[MATRIX_N_KINDS];
	unsigned long n_packets; /* compared */
	struct port_counters want[RIG_PORTS];
};

static struct matrix mx;

static uint64_t features(unsigned can, bool guest)
{
	static const struct {
		unsigned can, host_bit, guest_bit;
	} bits[] = {
		{MATRIX_CAN_CSUM, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM},
		{MATRIX_CAN_TSO4, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_TSO4},
		{MATRIX_CAN_TSO6, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_GUEST_TSO6},
		{MATRIX_CAN_ECN, VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_GUEST_ECN},
	};
	uint64_t f = 0;

	for (unsigned i = 0; i < 4; i++)
		if (can & bits[i].can)
			f |= VU_BIT(guest ? bits[i].guest_bit : bits[i].host_bit);
	return f;
}

static struct fe *reconnect(unsigned port, struct fe_opts o, const char *path)
{
	struct err err = ERR_NONE;
	struct fe *fe;

	o.path = path;
	if (fe_open(&o, &fe, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(fe->features, o.features);
	rig_await(mx.rig, port, PORT_UP);
	return fe;
}

static void receiver_open(unsigned i, const char *path)
{
	const struct buffers *b = mx.buffers;
	unsigned n = 0;

	while (n < 20 && b->pieces[n])
		n++;
	mx.rx[i] = reconnect(i + 1, (struct fe_opts){
		.features = RINGS | b->features | features(receivers[i], true),
		.ring_size = b->ring_size,
		.buf_size = b->size + (n ? MATRIX_TABLE : 0),
	}, path);
	if (n)
		matrix_receive_in_pieces(mx.rx[i], b->pieces, n);
}

static void sender_open(unsigned can, const char *path)
{
	mx.sender = can;
	mx.tx = reconnect(0, (struct fe_opts){
		.features = RINGS | features(can, false) | (dice_once_in(2) ? V1 : 0) |
			    (dice_once_in(2) ? MRG : 0),
		.buf_size = BIG + MATRIX_TABLE,
		.ring_size = 512,
	}, path);
}

static void mac_of(unsigned i, uint8_t mac[6])
{
	const uint8_t m[6] = {2, 0, 0, 0, 1, (uint8_t)i};

	memcpy(mac, m, 6);
}

/* Control thread: the ports' policies, and which receiver owns which address. */
static void vlans_set(struct rig *rig, void *arg)
{
	struct vlan_policy sender, receiver;
	struct err err = ERR_NONE;

	matrix_policies(mx.vlan, &sender, &receiver);
	for (unsigned i = 0; i < RIG_PORTS; i++) {
		char name[8];
		struct port *p;
		uint8_t mac[6];

		snprintf(name, sizeof(name), "v%u", i);
		p = port_find(rig_switch(rig), name);
		port_vlan_set(p, i ? &receiver : &sender, &err);
		mac_of(i, mac);
		for (unsigned v = 0; i && v < MATRIX_N_VIDS; v++)
			bridge_fdb_add(rig_bridge(rig), mac, matrix_vids[mx.vlan][v], p, &err);
	}
	*(int *)arg = err.code;
}

static void where(char *text, size_t size, unsigned rx, const struct matrix_frame *m)
{
	snprintf(text, size, "%s of %u bytes, sender %#x, receiver %#x, %s, %s buffers, %s descriptors",
		 matrix_kind_names[m->kind], m->len, mx.sender, receivers[rx],
		 matrix_vlan_names[mx.vlan], mx.buffers->name, matrix_layout_names[mx.layout]);
}

static bool accepted(const struct matrix_frame *m)
{
	return (m->needs & mx.sender) == m->needs;
}

static int receive(struct fe *fe, struct vnet_hdr *hdr, uint8_t *out, uint32_t size)
{
	uint64_t end_ns = loop_now_ns() + 5 * S_NS;
	int n;

	while ((n = fe_recv_hdr(fe, 0, hdr, out, size)) < 0 && loop_now_ns() < end_ns)
		hot_pause();
	return n;
}

/* One packet and its header, every byte. */
static void packet_expect(unsigned rx, struct matrix_packet *want, const struct matrix_frame *m)
{
	static uint8_t got[MATRIX_ROOM];
	struct fe *fe = mx.rx[rx];
	struct vnet_hdr hdr = {0};
	int n = receive(fe, &hdr, got, sizeof(got));
	char text[256];

	mx.n_packets++;
	where(text, sizeof(text), rx, m);
	if (fe->hdr_len == VNET_HDR)
		want->hdr.num_buffers = fe->features & MRG ?
			(uint16_t)((fe->hdr_len + want->len + mx.buffers->size - 1) / mx.buffers->size) : 1;
	if (n != (int)want->len)
		fail_msg("%s: %d bytes came, not %u", text, n, want->len);
	for (uint32_t i = 0; i < want->len; i++)
		if (got[i] != want->bytes[i])
			fail_msg("%s: byte %u of %u is %02x, not %02x", text, i, want->len, got[i],
				 want->bytes[i]);
	if (memcmp(&hdr, &want->hdr, fe->hdr_len))
		fail_msg("%s: header %02x %02x %u %u %u %u %u", text, hdr.flags, hdr.gso_type,
			 hdr.hdr_len, hdr.gso_size, hdr.csum_start, hdr.csum_offset,
			 hdr.num_buffers);
}

/* All that receiver rx gets of frame k; a packet that has no room ends it. */
static void frame_expect(unsigned rx, unsigned k)
{
	static struct matrix_packet p;
	const struct matrix_frame *m = &mx.sent[k].m;
	struct port_counters *c = &mx.want[rx + 1];
	struct fe *fe = mx.rx[rx];

	for (unsigned i = 0, n = 1; i < n; i++) {
		n = matrix_packet(m, &mx.sent[k].left, receivers[rx], i, &p);
		if (!(fe->features & MRG) && fe->hdr_len + p.len > mx.buffers->size) {
			c->tx_drops[TX_BUFFER_TOO_SMALL]++;
			return;
		}
		packet_expect(rx, &p, m);
	}
	c->tx_frames++;
	c->tx_bytes += m->len + VLAN_TAG * (mx.sent[k].left.n - m->f.n_tags);
}

/* Shows what was put on the ring, and looks for all of it. */
static void flush(void)
{
	uint64_t end_ns = loop_now_ns() + 5 * S_NS;

	matrix_publish(mx.tx);
	for (unsigned rx = 0; rx < N_RX; rx++)
		for (unsigned k = 0; k < mx.n; k++)
			if (accepted(&mx.sent[k].m) && (mx.sent[k].to < 0 || mx.sent[k].to == (int)rx))
				frame_expect(rx, k);
	while (mx.tx->rings[1].n_free < mx.tx->rings[1].size && loop_now_ns() < end_ns)
		fe_reclaim(mx.tx, 0);
	assert_int_equal(mx.tx->rings[1].n_free, mx.tx->rings[1].size);
	mx.n = mx.n_buffers = 0;
}

/* Receive buffers that a frame takes at most. */
static uint32_t buffers_most(const struct matrix_frame *m)
{
	uint32_t whole = (m->len + 64) / mx.buffers->size + 1, cut;

	if (!m->hdr.gso_size)
		return whole;
	cut = ((uint32_t)m->f.n_payload / m->hdr.gso_size + 1) *
	      ((m->hdr.gso_size + 300u) / mx.buffers->size + 1);
	return cut > whole ? cut : whole;
}

static void send_one(enum matrix_kind kind, int to)
{
	static const uint8_t nobody[6] = {2, 0, 0, 0, 1, 0};
	struct matrix_frame *m = &mx.sent[mx.n].m;
	struct port_counters *c = &mx.want[0];
	struct matrix_tags tags;
	uint8_t macs[12];
	uint32_t most;

	memset(macs, 0xff, 6);
	if (to >= 0)
		mac_of((unsigned)to + 1, macs);
	memcpy(macs + 6, nobody, 6);
	matrix_tags(mx.vlan, &tags, &mx.sent[mx.n].left);
	matrix_make(m, kind, macs, &tags, false);
	most = buffers_most(m);
	if (mx.n && mx.n_buffers + most > mx.buffers->ring_size) {
		struct matrix_tags left = mx.sent[mx.n].left;
		unsigned last = mx.n;

		flush();
		mx.sent[0].m = mx.sent[last].m;
		if (kind != MATRIX_INNER)
			mx.sent[0].m.f.payload = mx.sent[0].m.payload;
		mx.sent[0].m.inner.payload = mx.sent[0].m.payload;
		mx.sent[0].left = left;
		m = &mx.sent[0].m;
	}
	mx.sent[mx.n++].to = to;
	mx.n_buffers += most;
	assert_true(matrix_send(mx.tx, mx.layout, &m->hdr, m->bytes, m->len));
	c->rx_frames++;
	c->rx_bytes += m->len;
	*(accepted(m) ? &c->rx_forwarded : &c->rx_drops[RX_BAD_OFFLOAD]) += 1;
}

/* Every kind to all receivers at once, then to one of them each. */
static void cell(void)
{
	for (unsigned kind = 0; kind < MATRIX_N_KINDS; kind++)
		send_one(kind, -1);
	flush();
	for (unsigned kind = 0; kind < MATRIX_N_KINDS; kind++)
		send_one(kind, (int)dice_in(0, N_RX - 1));
	flush();
}

static void counters_expect(unsigned port)
{
	struct port_counters c = rig_counters(mx.rig, port), *want = &mx.want[port];

	assert_int_equal(c.rx_frames, want->rx_frames);
	assert_int_equal(c.rx_bytes, want->rx_bytes);
	assert_int_equal(c.rx_forwarded, want->rx_forwarded);
	assert_int_equal(c.tx_frames, want->tx_frames);
	assert_int_equal(c.tx_bytes, want->tx_bytes);
	assert_memory_equal(c.rx_drops, want->rx_drops, sizeof(c.rx_drops));
	assert_memory_equal(c.tx_drops, want->tx_drops, sizeof(c.tx_drops));
}

static void all_cells(void **state, const struct buffers *b)
{
	const char *paths[RIG_PORTS];
	uint8_t none[64];
	int rc = 0;

	mx = (struct matrix){.rig = *state, .buffers = b};
	for (unsigned i = 0; i < RIG_PORTS; i++)
		paths[i] = rig_port_add(mx.rig, i, true);
	for (unsigned i = 0; i < N_RX; i++)
		receiver_open(i, paths[i + 1]);
	for (unsigned s = 0; s < sizeof(senders) / sizeof(senders[0]); s++) {
		sender_open(senders[s], paths[0]);
		for (mx.vlan = 0; mx.vlan < MATRIX_N_VLANS; mx.vlan++) {
			rig_call(mx.rig, vlans_set, &rc);
			assert_int_equal(rc, 0);
			for (mx.layout = 0; mx.layout < MATRIX_N_LAYOUTS; mx.layout++)
				cell();
		}
		fe_close(mx.tx);
		rig_await(mx.rig, 0, PORT_WAITING);
	}
	for (unsigned i = 0; i < N_RX; i++)
		assert_int_equal(fe_recv(mx.rx[i], 0, none, sizeof(none)), -1);
	for (unsigned i = 0; i < RIG_PORTS; i++)
		counters_expect(i);
	printf("%llu frames, %llu of them lies; %lu packets compared\n",
	       (unsigned long long)mx.want[0].rx_frames,
	       (unsigned long long)mx.want[0].rx_drops[RX_BAD_OFFLOAD], mx.n_packets);
	for (unsigned i = 0; i < N_RX; i++)
		fe_close(mx.rx[i]);
}

#define CELLS(b)                        \
	static void b##_cells(void **state) \
	{                               \
		all_cells(state, &b);   \
	}
CELLS(small_merged)
CELLS(middle_merged)
CELLS(large_merged)
CELLS(odd_merged)
CELLS(one_big)
CELLS(legacy_big)
CELLS(too_small)
CELLS(pages)

#define T(b) cmocka_unit_test_setup_teardown(b##_cells, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(small_merged), T(middle_merged), T(large_merged), T(odd_merged),
		T(one_big), T(legacy_big), T(too_small), T(pages),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
