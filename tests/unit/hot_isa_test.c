/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The versions of the data path do the same: each moves the same random bursts through a switch of
 * its own, and after every burst what each guest received and what each port counted are equal. So does
 * the watched forwarder of each, while captures of all frames and of all drops run; and what these see
 * is what was counted, reason by reason and byte by byte.
 *
 * How      One world a version: front ends without sockets, ports and a view put together by hand,
 *          and forward_burst() called as a worker calls it, so that bursts are the same too.
 * Limits   versions that this CPU lacks are named and left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hot.h"
#include "switch/decided.h"
#include "switch/forward.h"
#include "switch/internal.h"
#include "switch/pages.h"
#include "switch/watched.h"
#include "tests/unit/dice.h"
#include "tests/unit/matrix_frames.h"
#include "tests/unit/matrix_rings.h"

#define BURSTS	20000
#define NODES	8
#define MACS	40 /* a node */
#define BIG	(20 * 1024)
#define RINGS	(VU_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VU_BIT(VIRTIO_RING_F_EVENT_IDX))
#define V1	VU_BIT(VIRTIO_F_VERSION_1)
#define MRG	VU_BIT(VIRTIO_NET_F_MRG_RXBUF)
#define CSUM	(VU_BIT(VIRTIO_NET_F_CSUM) | VU_BIT(VIRTIO_NET_F_GUEST_CSUM))
#define NO_ECN	(VU_OFFLOADS & ~(VU_BIT(VIRTIO_NET_F_HOST_ECN) | VU_BIT(VIRTIO_NET_F_GUEST_ECN)))

struct node {
	struct port port; /* first: the ops cast back */
	struct port_counters counters;
	struct fe *fe;
	struct vu_mem mem;
	struct vu_ring rx[2], tx; /* of the guest: what we deliver to, what we take from */
};

/* What a capture has seen of a port. */
struct seen {
	uint64_t frames[2], bytes[2], drops[2][N_RX_DROPS + N_TX_DROPS];
};

struct world {
	enum hot_isa isa;
	bool watched;
	struct watch *captures[2]; /* of all frames, of all drops */
	struct seen seen[NODES];
	struct node nodes[NODES];
	struct view_port ports[NODES], *members[NODES];
	struct view_bridge bridge;
	struct view view;
	struct burst burst;
	struct forward fw;
};

static const struct {
	uint64_t features;
	uint32_t buf_size;
	enum vlan_mode mode;
	uint16_t vid; /* of a trunk: its native VLAN */
	unsigned n_pairs;
} kinds[NODES] = {
	{V1 | MRG | VU_OFFLOADS, BIG, VLAN_TRUNK, 1, 1},
	{V1 | MRG, BIG, VLAN_TRUNK, 1, 1},
	{V1 | NO_ECN, BIG, VLAN_TRUNK, 0, 1},
	{0, BIG, VLAN_ACCESS, 10, 1},
	{V1 | MRG | VU_OFFLOADS, 512, VLAN_ACCESS, 10, 1},
	{V1 | MRG | CSUM, 2048, VLAN_TRUNK, 10, 2},
	{V1 | CSUM, 2048, VLAN_TUNNEL, 20, 1},
	{V1 | MRG | NO_ECN, BIG, VLAN_TUNNEL, 20, 1},
};

/* One frame of a burst. */
static struct item {
	struct matrix_frame m;
	uint32_t len;
	enum matrix_layout layout;
	uint64_t seed; /* of where it is split */
} items[BURST_MAX];

static struct world worlds[6];
static unsigned n_worlds;

static unsigned node_rx(struct port *p, unsigned q, struct burst *b)
{
	return vu_ring_rx(&((struct node *)p)->tx, b);
}

static unsigned node_tx(struct port *p, unsigned q, const struct frame *frames, const struct delivery *d,
			unsigned n, struct port_counters *c)
{
	return vu_ring_tx(&((struct node *)p)->rx[q], frames, d, n, c);
}

static const struct port_ops ops = {.rx_burst = node_rx, .tx_burst = node_tx};

static void ring_start(struct vu_ring *r, const struct node *n, unsigned i)
{
	const struct vu_ring_state s = fe_ring_state(n->fe, i);
	struct err err = ERR_NONE;

	r->call_fd = -1;
	assert_int_equal(vu_ring_start(r, &s, n->fe->features, &n->mem, &err), 0);
}

static void node_make(struct world *w, unsigned i)
{
	const struct fe_opts o = {
		.features = RINGS | kinds[i].features,
		.buf_size = kinds[i].buf_size + MATRIX_TABLE,
		.ring_size = 128,
		.n_pairs = kinds[i].n_pairs,
	};
	struct view_port *vp = &w->ports[i];
	struct node *n = &w->nodes[i];
	struct vu_mem_region region;
	struct err err = ERR_NONE;

	assert_int_equal(fe_open(&o, &n->fe, &err), 0);
	region = (struct vu_mem_region){FE_GPA, n->fe->mem_size, (uintptr_t)n->fe->mem, 0};
	assert_int_equal(vu_mem_add(&n->mem, &region, n->fe->mem_fd, &err), 0);
	for (unsigned q = 0; q < kinds[i].n_pairs; q++)
		ring_start(&n->rx[q], n, 2 * q);
	ring_start(&n->tx, n, 1);
	n->port.counters = &n->counters;
	n->port.id = (uint16_t)i;
	*vp = (struct view_port){
		.port = &n->port, .ops = &ops, .bridge = &w->bridge, .id = (uint16_t)i,
		.n_txq = (uint8_t)kinds[i].n_pairs, .txq = {0, 1},
		.multi_queue = kinds[i].n_pairs > 1, .len_max = i == 1 ? 1518 : FRAME_MAX,
		.vlan = {.mode = kinds[i].mode, .vid = kinds[i].vid, .native = kinds[i].vid},
	};
	for (uint16_t vid = 1; vid < 25; vid++)
		vlan_set_add(vp->vlan.vids, vid);
	w->view.by_id[i] = w->members[i] = vp;
}

static void world_make(struct world *w, enum hot_isa isa)
{
	w->isa = isa;
	assert_int_equal(fdb_create(256, 300, &w->bridge.fdb), 0);
	w->bridge.members = w->members;
	w->bridge.n_members = NODES;
	w->fw.view = &w->view;
	w->fw.burst = &w->burst;
	w->fw.decided = pages_alloc(DECIDED_SETS * sizeof(*w->fw.decided), false);
	assert_non_null(w->fw.decided);
	for (unsigned i = 0; i < NODES; i++)
		node_make(w, i);
}

/* Captures as switch/watch.c makes them, in memory of our own. */
static void world_watch(struct world *w)
{
	const size_t ring_size = 8 << 20;

	w->watched = true;
	assert_int_equal(watch_room_create(&w->fw.room), 0);
	for (unsigned k = 0; k < 2; k++) {
		struct watch *c = calloc(1, sizeof(*c));

		c->snaplen = FRAME_MAX;
		c->ring_size = ring_size;
		c->writers = aligned_alloc(64, sizeof(*c->writers));
		memset(c->writers, 0, sizeof(*c->writers));
		c->writers->ring = aligned_alloc(CAPTURE_PAGE, CAPTURE_PAGE);
		memset(c->writers->ring, 0, CAPTURE_PAGE);
		c->writers->data = malloc(ring_size);
		for (uint16_t i = 0; i < NODES; i++)
			c->index[i] = i;
		w->captures[k] = c;
		w->view.watches[k] = c;
	}
	for (unsigned i = 0; i < NODES; i++)
		w->ports[i].watch = (struct view_watch){.in = 1, .out = 1, .in_drops = 2, .out_drops = 2};
}

/* Reads what a capture has. */
static void capture_read(struct world *w, unsigned k)
{
	struct capture_writer *cw = w->captures[k]->writers;
	uint64_t tail = atomic_load(&cw->ring->tail), head = atomic_load(&cw->ring->head);

	while (tail != head) {
		const size_t size = w->captures[k]->ring_size, at = tail & (size - 1);
		struct capture_record r;
		unsigned out;

		assert_true(tail < head);
		/* A filler may end before a record would. */
		memcpy(&r, cw->data + at, size - at < sizeof(r) ? 8 : sizeof(r));
		tail += r.size;
		if (r.kept == CAPTURE_FILLER)
			continue;
		out = r.flags & CAPTURE_OUT;
		assert_int_equal(r.flags & CAPTURE_DROP, k ? CAPTURE_DROP : 0);
		assert_true(r.port < NODES && (r.kept == r.len || r.len > FRAME_MAX));
		if (k) {
			w->seen[r.port].drops[out][r.reason]++;
		} else {
			w->seen[r.port].frames[out]++;
			w->seen[r.port].bytes[out] += r.len;
		}
	}
	atomic_store(&cw->ring->tail, tail);
}

/* What captures have seen is what was counted. */
static void seen_compare(struct world *w)
{
	for (unsigned k = 0; k < 2; k++)
		capture_read(w, k);
	for (unsigned i = 0; i < NODES; i++) {
		const struct port_counters *c = &w->nodes[i].counters;
		const struct seen *s = &w->seen[i];

		assert_int_equal(s->frames[0], c->rx_frames);
		assert_int_equal(s->frames[1], c->tx_frames);
		assert_int_equal(s->bytes[0], c->rx_bytes);
		assert_int_equal(s->bytes[1], c->tx_bytes);
		assert_memory_equal(s->drops[0], c->rx_drops, sizeof(c->rx_drops));
		assert_memory_equal(s->drops[1], c->tx_drops, sizeof(c->tx_drops));
	}
}

static int worlds_make(void **state)
{
	for (enum hot_isa isa = HOT_ISA_PORTABLE; isa <= HOT_ISA_V4; isa++) {
		if (hot_isa_set(isa)) {
			world_make(&worlds[n_worlds++], isa);
			world_make(&worlds[n_worlds], isa);
			world_watch(&worlds[n_worlds++]);
		} else {
			printf("%s: skipped, this CPU does not have it\n", hot_isa_name(isa));
		}
	}
	return 0;
}

static int worlds_free(void **state)
{
	for (unsigned w = 0; w < n_worlds; w++) {
		for (unsigned i = 0; i < NODES; i++)
			fe_close(worlds[w].nodes[i].fe);
		fdb_destroy(worlds[w].bridge.fdb);
		pages_free(worlds[w].fw.decided, DECIDED_SETS * sizeof(*worlds[w].fw.decided));
		watch_room_destroy(worlds[w].fw.room);
		for (unsigned k = 0; k < 2 && worlds[w].watched; k++) {
			free(worlds[w].captures[k]->writers->ring);
			free(worlds[w].captures[k]->writers->data);
			free(worlds[w].captures[k]->writers);
			free(worlds[w].captures[k]);
		}
	}
	return 0;
}

/* An address of some node, or one that nobody has. */
static void mac_of_somebody(uint8_t mac[6])
{
	const uint8_t m[6] = {2, 0, 0, 0, (uint8_t)dice_in(0, NODES), (uint8_t)dice_in(0, MACS - 1)};

	memcpy(mac, m, 6);
}

static void random_macs(uint8_t macs[12], unsigned from)
{
	mac_of_somebody(macs);
	mac_of_somebody(macs + 6);
	macs[10] = (uint8_t)from;
	if (dice_once_in(8))
		memset(macs, 0xff, 6);
	if (dice_once_in(40))
		memcpy(macs, "\x01\x80\xc2\0\0", 5);
	if (dice_once_in(40))
		macs[6] |= 1;
}

static void random_tags(struct matrix_tags *t)
{
	t->n = dice_once_in(2) ? 0 : dice_in(1, 2);
	for (unsigned i = 0; i < t->n; i++) {
		t->tags[i][0] = dice_once_in(6) ? VLAN_TPID_STAG : VLAN_TPID;
		t->tags[i][1] = (uint16_t)(dice_in(0, 15) << 12 |
					   (dice_once_in(20) ? dice_in(0, 4095) : dice_in(0, 2) * 10));
	}
}

/* Any frame, most of them sane; to like_last: with the addresses and tags of the one before. */
static void item_make(struct item *it, unsigned from, const struct item *like_last)
{
	const uint32_t room = kinds[from].buf_size - VNET_HDR;
	struct matrix_tags tags;
	uint8_t macs[12];

	random_macs(macs, from);
	random_tags(&tags);
	if (like_last) {
		memcpy(macs, like_last->m.f.macs, sizeof(macs));
		tags.n = like_last->m.f.n_tags;
		memcpy(tags.tags, like_last->m.f.tags, sizeof(tags.tags));
	}
	do
		matrix_make(&it->m, dice_once_in(2) ? MATRIX_PLAIN : dice_in(0, MATRIX_N_KINDS - 1), macs,
			    &tags, false);
	while (it->m.len > room);
	it->len = dice_once_in(10) ? dice_in(0, it->m.len) : it->m.len;
	if (dice_once_in(10))
		((uint8_t *)&it->m.hdr)[dice_in(0, 9)] = (uint8_t)dice();
	it->layout = dice_once_in(2) ? MATRIX_DESC_ONE : dice_in(0, MATRIX_N_LAYOUTS - 1);
	it->seed = dice();
}

/* What a worker does with a burst of node `from`. */
static void world_step(struct world *w, unsigned from, unsigned n)
{
	struct node *node = &w->nodes[from];
	const uint64_t dice_was = dice_state;

	assert_true(hot_isa_set(w->isa));
	for (unsigned i = 0; i < n; i++) {
		dice_state = items[i].seed;
		assert_true(matrix_send(node->fe, items[i].layout, &items[i].m.hdr, items[i].m.bytes,
					items[i].len));
	}
	dice_state = dice_was;
	matrix_publish(node->fe);
	while (w->burst.n_segs = 0, (w->burst.n = vu_ring_rx(&node->tx, &w->burst))) {
		if (w->watched)
			forward_burst_watched(&w->fw, &w->ports[from], 0);
		else
			forward_burst(&w->fw, &w->ports[from], 0);
		vu_ring_rx_done(&node->tx);
	}
	for (unsigned i = 0; i < NODES; i++)
		assert_int_equal(w->nodes[i].tx.fault | w->nodes[i].rx[0].fault, 0);
	if (w->watched)
		seen_compare(w);
}

/* All that queue q of node i has received, the same in every world. Returns how many packets. */
static unsigned received_compare(unsigned i, unsigned q)
{
	static uint8_t want[MATRIX_ROOM], got[MATRIX_ROOM];
	struct vnet_hdr want_hdr = {0}, hdr = {0};
	unsigned n = 0;
	int len;

	do {
		len = fe_recv_hdr(worlds[0].nodes[i].fe, q, &want_hdr, want, sizeof(want));
		for (unsigned w = 1; w < n_worlds; w++) {
			assert_int_equal(fe_recv_hdr(worlds[w].nodes[i].fe, q, &hdr, got, sizeof(got)),
					 len);
			assert_memory_equal(got, want, len > 0 ? (size_t)len : 0);
			assert_memory_equal(&hdr, &want_hdr, sizeof(hdr));
		}
		n += len >= 0;
	} while (len >= 0);
	return n;
}

static void counters_compare(void)
{
	for (unsigned w = 1; w < n_worlds; w++)
		for (unsigned i = 0; i < NODES; i++)
			assert_memory_equal(&worlds[w].nodes[i].counters, &worlds[0].nodes[i].counters,
					    sizeof(struct port_counters));
}

static unsigned all_received_compare(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NODES; i++)
		for (unsigned q = 0; q < kinds[i].n_pairs; q++)
			n += received_compare(i, q);
	return n;
}

static void check_variety(const struct world *w)
{
	uint64_t drops = 0, full = 0, small = 0, bad = 0;

	for (unsigned i = 0; i < NODES; i++) {
		full += w->nodes[i].counters.tx_drops[TX_RING_FULL];
		small += w->nodes[i].counters.tx_drops[TX_BUFFER_TOO_SMALL];
		bad += w->nodes[i].counters.rx_drops[RX_BAD_OFFLOAD];
		for (unsigned k = 0; k < N_RX_DROPS; k++)
			drops += w->nodes[i].counters.rx_drops[k];
	}
	printf("dropped: %llu received, %llu of them for offloads; %llu ring full, %llu buffer too small\n",
	       (unsigned long long)drops, (unsigned long long)bad, (unsigned long long)full,
	       (unsigned long long)small);
	assert_true(full > 100 && small > 100 && bad > 100 && drops > bad);
}

/* Returns how many frames are in items[], from node `from`. */
static unsigned burst_make(unsigned from)
{
	unsigned n = dice_once_in(8) ? dice_in(BURST_MAX / 4, BURST_MAX) : dice_in(1, BURST_MAX / 4);
	bool alike = dice_once_in(2);

	for (unsigned i = 0; i < n; i++) {
		item_make(&items[i], from, i && alike ? &items[i - 1] : NULL);
		/* More of those would not have the descriptors. */
		if (i > 1 && items[i].layout == MATRIX_DESC_SPLIT)
			items[i].layout = MATRIX_DESC_SPLIT_INDIRECT;
	}
	return n;
}

static void versions_deliver_and_count_alike(void **state)
{
	unsigned long n_frames = 0, n_packets = 0;

	for (unsigned round = 0; round < BURSTS; round++) {
		unsigned from = dice_in(0, NODES - 1), n = burst_make(from);
		uint32_t seconds = dice_once_in(100) ? dice_in(1, 200) : 0;

		for (unsigned w = 0; w < n_worlds; w++) {
			worlds[w].fw.now_s += seconds;
			world_step(&worlds[w], from, n);
		}
		n_frames += n;
		counters_compare();
		/* Until then the guests let their rings run full. */
		if (dice_once_in(8))
			n_packets += all_received_compare();
	}
	n_packets += all_received_compare();
	printf("%lu frames, %lu packets compared in %u versions\n", n_frames, n_packets, n_worlds);
	check_variety(&worlds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_deliver_and_count_alike),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, worlds_make, worlds_free);
}
